"""`strongroomd support-bundle` holds what helps, and none of the secrets that lie all around it."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path

import pytest

from deploy.development.environment import DevelopmentVault, VaultShape, make_files
from tests.integration.service.evidence import strongroomd

PLANTED = "kept-from-everybody-7f3a"


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentVault:
    folder = tmp_path_factory.mktemp("helped")
    shape = VaultShape(keepers=1, checkpoints={"command": ["/bin/true", f"--token={PLANTED}"]})
    vault = DevelopmentVault(make_files(folder, shape))
    text = vault.files.config_file.read_text(encoding="utf-8")
    with_variable = re.sub(r"^(SOFTHSM2_CONF = .*)$", rf'\1\nVENDOR_OPTION = "{PLANTED}"', text, flags=re.MULTILINE)
    vault.files.config_file.write_text(with_variable, encoding="utf-8")
    vault.init()
    vault.log_file.write_text(
        json.dumps({"ts": "2026-01-02T03:04:05Z", "process": "front", "level": "info", "event": "listening"})
        + "\n"
        + json.dumps({"ts": PLANTED, "process": PLANTED, "level": "info", "event": PLANTED.upper()})
        + f"\n{vault.issue_token('alice')}\n{PLANTED}\n",
        encoding="utf-8",
    )
    return vault


def secrets_of(vault: DevelopmentVault) -> list[str]:
    folder = vault.files.folder
    pem = (folder / "server-key.pem").read_text(encoding="ascii").splitlines()[1]
    tenant = (folder / "tenant-key.pem").read_text(encoding="ascii").splitlines()[1]
    pin = (folder / "token" / "development.pin").read_text(encoding="ascii").strip()
    return [PLANTED, PLANTED.upper(), pem, tenant, pin, "alice", vault.issue_token("alice").split(".")[0]]


def contents(path: Path) -> dict[str, str]:
    with tarfile.open(path) as bundle:
        return {
            member.name.removeprefix("strongroom-support/"): file.read().decode()
            for member in bundle
            if (file := bundle.extractfile(member)) is not None
        }


def found_in(documents: dict[str, str], secrets: list[str]) -> list[tuple[str, str]]:
    return [(name, secret) for name, text in documents.items() for secret in secrets if secret in text]


def test_bundle_holds_what_helps_and_no_secret(vault: DevelopmentVault, tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar.gz"
    said = strongroomd(vault.files.config_file, "support-bundle", "--file", str(path), "--log", str(vault.log_file))
    assert (said.code, said.errors) == (0, "")
    assert path.stat().st_mode & 0o777 == 0o600
    documents = contents(path)
    assert list(documents) == said.lines
    assert found_in(documents, secrets_of(vault)) == []
    assert json.loads(documents["status.json"])["state"] == "sealed"
    assert {"check_values", "keepers"} <= {each["check"] for each in json.loads(documents["doctor.json"])}
    assert json.loads(documents["tenants.json"])[0]["name"] == "notes"
    [log] = json.loads(documents["logs.json"]).values()
    assert (log["events"], log["other_lines"]) == ({"front info listening": 1}, 3)
    configured = json.loads(documents["config.json"])
    assert configured["pkcs11"]["environment"]["VENDOR_OPTION"] == "[redacted]"
    assert configured["checkpoints"]["command"] == ["/bin/true", "[redacted]"]


def test_search_for_secrets_finds_each_where_it_is(vault: DevelopmentVault) -> None:
    """The control: over the vault's own files the same search finds them all."""
    files = {str(path): path.read_bytes().decode("latin-1") for path in vault.files.folder.rglob("*") if path.is_file()}
    files["log"] = vault.log_file.read_text(encoding="utf-8") + "alice"
    found = {secret for _, secret in found_in(files, secrets_of(vault))}
    assert found == set(secrets_of(vault))


def test_bundle_overwrites_nothing(vault: DevelopmentVault, tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar.gz"
    path.write_text("mine", encoding="ascii")
    said = strongroomd(vault.files.config_file, "support-bundle", "--file", str(path))
    assert (said.code, said.errors, path.read_text(encoding="ascii")) == (
        1,
        f"cannot make {path}: File exists\n",
        "mine",
    )
