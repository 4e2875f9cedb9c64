"""`strongroomd bundle` from the served bundle to two owners' signatures, made where there is no vault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from deploy.development.environment import DevelopmentVault, VaultShape, make_files
from tests.fakes.owners import bundle_command as bundle
from tests.fakes.owners import make_owner as owner


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In place of pytest's, whose name is too long: a Unix socket's address is short."""
    with TemporaryDirectory(prefix="bundle-") as folder:
        yield Path(folder)


def test_served_bundle_is_signed_by_two_owners_offline_and_verified(tmp_path: Path) -> None:
    vault = DevelopmentVault(make_files(tmp_path / "vault", VaultShape(keepers=1)))
    vault.init()
    served, one, two = (tmp_path / name for name in ("served", "one", "two"))
    (ada, ada_public), (grace, grace_public) = owner(tmp_path, "ada"), owner(tmp_path, "grace")
    shown = bundle("show", "--config", vault.files.config_file, "--file", served, "--output", "json")
    assert shown.returncode == 0, shown.stderr
    told = json.loads(shown.stdout)
    assert (told["serial"], told["identity_keys"]) == (1, [vault.files.identity_fingerprint])

    undecided = bundle("sign", served, "--key-file", ada, "--file", one)
    assert (undecided.returncode, one.exists()) == (3, False)
    assert bundle("sign", served, "--key-file", ada, "--file", one, "--first").returncode == 0
    owners = ("--owner-key", ada_public, "--owner-key", grace_public)
    alone = bundle("verify", one, *owners, "--first")
    assert (alone.returncode, "2 are needed" in alone.stderr) == (1, True)
    signed = bundle("sign", one, "--key-file", grace, "--file", two, "--first")
    assert vault.files.identity_fingerprint in signed.stdout
    assert bundle("verify", two, *owners, "--first").returncode == 0
    again = bundle("verify", two, *owners, "--previous", served)
    assert (again.returncode, "serial 1 is not above 1" in again.stderr) == (1, True)


@pytest.mark.parametrize("mode", [0o644, 0o640])
def test_owners_key_that_others_can_read_is_not_used(tmp_path: Path, mode: int) -> None:
    vault = DevelopmentVault(make_files(tmp_path / "vault", VaultShape(keepers=1)))
    vault.init()
    private, _ = owner(tmp_path, "ada")
    private.chmod(mode)
    served = tmp_path / "served"
    bundle("show", "--config", vault.files.config_file, "--file", served)
    refused = bundle("sign", served, "--key-file", private, "--file", tmp_path / "one", "--first")
    assert refused.returncode == 1
    assert "can be used by group or others" in refused.stderr
    assert "PRIVATE" not in refused.stdout + refused.stderr
