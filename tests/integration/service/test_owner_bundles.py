"""The vault hands out what its owners signed; a client that pins them alone goes on when the identity is replaced."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from deploy.development.environment import DevelopmentVault, VaultShape
from strongroom_client.errors import BundleInvalid, OwnerBundleInvalid
from strongroom_client.notices import Notice, NoticeKind
from strongroom_client.verification.bundles import Trust
from strongroom_client.verification.owner_keys import owner_key_of_pem
from tests.fakes.owners import Owners
from tests.fakes.resident import Resident
from tests.integration.abuse.conftest import metrics_of
from tests.integration.service.evidence import strongroomd

PATIENCE_SECONDS = 60.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not under the test's own name: a Unix socket's address is short."""
    with TemporaryDirectory(prefix="owned-") as name:
        yield Path(name)


@pytest.fixture
def owners(folder: Path) -> Owners:
    return Owners(folder)


@pytest.fixture
def vault(folder: Path, owners: Owners) -> Iterator[DevelopmentVault]:
    shape = VaultShape(keepers=1, keeper_settings={"reopen_seconds": 0.1}, owners=owners.settings)
    with DevelopmentVault.start(folder / "vault", shape=shape) as started:
        yield started


def trust_in(owners: Owners) -> Trust:
    return Trust(pins=frozenset(), owners=frozenset(owner_key_of_pem(public.read_bytes()) for _, public in owners.keys))


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def logged(vault: DevelopmentVault, event: str) -> list[dict[str, object]]:
    lines = (json.loads(line) for line in vault.log_file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line.get("event") == event]


def hand_out(vault: DevelopmentVault, owners: Owners) -> None:
    """Have the owners sign what is served, and wait until the front hands it out."""
    before = len(logged(vault, "owner_bundles_taken"))
    owners.hand_out(owners.sign(vault.files.config_file))
    until(lambda: len(logged(vault, "owner_bundles_taken")) > before)


def did(vault: DevelopmentVault, *arguments: str) -> list[str]:
    said = strongroomd(vault.files.config_file, *arguments)
    assert said.code == 0, said
    return said.lines


def test_client_that_pins_owners_alone_goes_on_when_the_identity_is_replaced(
    vault: DevelopmentVault, owners: Owners, folder: Path
) -> None:
    resident, trust = Resident(vault, folder / "devices"), trust_in(owners)
    old_pin = resident.trust
    with resident.client(trust=trust) as client, pytest.raises(OwnerBundleInvalid, match="hands out nothing"):
        client.service_info()
    hand_out(vault, owners)
    with resident.client(trust=trust) as client:
        client.enroll(resident.passkey(), user_name="alice")

    new = did(vault, "keys", "rotate", "identity")[-1].rpartition(" ")[2]
    early = strongroomd(vault.files.config_file, "keys", "rotate", "identity", "--clients-pin", new)
    assert (early.code, "the owners have not signed for strongroom-identity-2" in early.errors) == (1, True)
    hand_out(vault, owners)
    did(vault, "keys", "rotate", "identity", "--clients-pin", new)
    assert vault.files.identity_fingerprint == new

    heard = list[Notice]()
    with resident.client(trust=trust, notify=heard.append) as client:
        client.release(resident.passkey())
        assert client.examine_receipts().is_sound
    assert [notice.kind for notice in heard] == [NoticeKind.IDENTITY_KEY_INTRODUCED]
    assert new in heard[0].said
    with resident.client("a device that never saw the old one", trust=trust) as client:
        client.service_info()
    # The control: who pins the old identity key alone is locked out.
    with resident.client("device of old", trust=old_pin) as client, pytest.raises(BundleInvalid, match="not signed"):
        client.service_info()


def test_faulty_file_is_told_of_and_changes_nothing(vault: DevelopmentVault, owners: Owners, folder: Path) -> None:
    hand_out(vault, owners)
    newest = owners.newest
    assert newest is not None
    faulty = owners.handed_out / "0002"
    faulty.write_bytes(newest.read_bytes())
    until(lambda: bool(logged(vault, "owner_bundles_not_taken")))
    (told,) = logged(vault, "owner_bundles_not_taken")
    assert (told["in_use"], "serial 1 is not above 1" in str(told["why"])) == (1, True)
    with Resident(vault, folder / "devices").client(trust=trust_in(owners)) as client:
        client.service_info()
    assert metrics_of(vault)["strongroom_owner_bundle_failures_total"] == 1
    assert metrics_of(vault)["strongroom_owner_bundle_not_after_timestamp_seconds"] > time.time() + 29 * 24 * 3600
    faulty.unlink()
    until(lambda: len(logged(vault, "owner_bundles_taken")) == 3)  # the empty folder's, the first, and this
