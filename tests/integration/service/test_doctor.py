"""`strongroomd doctor` on a real vault: a sound one passes, and each thing that is broken is named with its remedy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.development.environment import DevelopmentVault, VaultShape
from tests.integration.service.evidence import strongroomd
from tests.integration.service.spoiled import SPOILS, Spoil

# What a vault for development on one host is told of, whatever its state.
EXPECTED = {
    "development": "warn",
    "users": "warn",
    "database_role": "skip",
    "standbys": "skip",
    "second_token": "skip",
    "owner_bundles": "skip",
    "browser": "warn",
}
# Of the host, and so not the vault's to be sound in: looked at in unit tests.
OF_THE_HOST = {"clock", "memory_lock"}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevelopmentVault]:
    with DevelopmentVault.start(tmp_path_factory.mktemp("sound"), shape=VaultShape(keepers=1, browser=True)) as vault:
        vault.run_command("checkpoint", "make")
        (vault.files.folder / "keeper" / "fulfilled.log").touch(mode=0o600)
        yield vault


def examined(config_file: Path, *arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
    said = strongroomd(config_file, "doctor", "--output", "json", *arguments)
    assert not said.errors, said.errors
    findings = json.loads("\n".join(said.lines))
    by_check = {finding["check"]: finding for finding in findings}
    assert len(by_check) == len(findings)
    return said.code, by_check


def test_sound_vault_passes(sound: DevelopmentVault) -> None:
    code, found = examined(sound.files.config_file)
    unsound = {check: each for check, each in found.items() if each["outcome"] != EXPECTED.get(check, "ok")}
    assert (code, set(unsound) - OF_THE_HOST) == (0, set()), unsound
    assert len(found) > 30
    assert all(bool(each["remedy"]) == (each["outcome"] in {"warn", "fail"}) for each in found.values())


@pytest.mark.parametrize("spoil", SPOILS, ids=lambda spoil: spoil.id)
def test_what_is_broken_is_named_with_its_remedy(sound: DevelopmentVault, tmp_path: Path, spoil: Spoil) -> None:
    with spoil.spoilt(sound, tmp_path) as config_file:
        code, found = examined(config_file, *spoil.arguments)
    assert found[spoil.check]["outcome"] == spoil.outcome, found
    assert found[spoil.check]["remedy"]
    failed = any(each["outcome"] == "fail" for each in found.values())
    assert code == (2 if failed else 0)


def test_every_check_of_a_vault_in_one_file_is_broken_by_some_test(sound: DevelopmentVault) -> None:
    _, found = examined(sound.files.config_file)
    elsewhere = {
        "clock",
        "memory_lock",
        "core_dumps",
        "disk_room",
        "database_role",
        "standbys",
    }  # see tests/unit/bootstrap/doctor, and replicas
    assert set(found) == {spoil.check for spoil in SPOILS} | elsewhere
