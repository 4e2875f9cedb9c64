from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from strongroom_service.bootstrap.reloading import CONFIGURATION_FD, LastGood, Reloading, inherited_configuration
from strongroom_service.config.configuration import Configuration, load_configuration
from strongroom_service.config.files import DISK
from strongroom_service.domain.errors import Misconfigured
from tests.fakes.log import RecordingLog
from tests.unit.config.test_configuration import NOTES, write
from tests.unit.config.test_vault_file import MINIMAL


class Parent:
    def __init__(self, folder: Path) -> None:
        self.file = write(folder)
        self.tenant_file = folder / "tenants" / "notes.toml"
        self.log = RecordingLog()
        self.last_good = LastGood(self.file, load_configuration(self.file, DISK), log=self.log)

    def environment(self) -> Mapping[str, str]:
        """As for a child: with descriptors of its own, which it closes."""
        return {name: str(os.dup(number)) for name, number in self.last_good.descriptors().items()}

    def child(self) -> Configuration:
        return inherited_configuration(self.file, self.environment())


@pytest.fixture
def parent(tmp_path: Path) -> Parent:
    return Parent(tmp_path)


def test_child_goes_by_what_was_last_good(parent: Parent) -> None:
    before = parent.child()
    parent.tenant_file.write_text("broken =")
    parent.last_good.reload()
    assert parent.child().generation == before.generation
    [(event, fields)] = parent.log.lines
    assert event == "configuration_reload_failed"
    assert f"{parent.tenant_file}: is not TOML" in str(fields["why"])
    assert fields["generation_in_use"] == before.generation


def test_child_goes_by_what_changed_for_good(parent: Parent) -> None:
    before = parent.child()
    parent.tenant_file.write_text(parent.tenant_file.read_text().replace(NOTES.issuer, "https://new.example"))
    assert parent.child().generation == before.generation, "control: the parent was not told yet"
    parent.last_good.reload()
    after = parent.child()
    assert after.generation != before.generation
    assert after.tenants.issuing_as("https://new.example") is not None
    assert parent.log.lines == [
        ("configuration_reloaded", {"generation": after.generation, "tenants": 1, "needs_restart": ""})
    ]


def test_child_takes_no_part_of_what_its_siblings_cannot_take(parent: Parent) -> None:
    parent.file.write_text(
        MINIMAL.replace("8443", "8444").replace('"pin"', '"other-pin"') + '[rates.peer]\nread = ["7/s"]\n'
    )
    parent.last_good.reload()
    vault = parent.child().vault
    assert (vault.listen.port, vault.pkcs11.pin_file.name) == (8443, "pin")
    assert vault.rates.peer.read[0].count == 7
    assert parent.log.lines[0][1]["needs_restart"] == "listen.port, pkcs11.pin_file"


def test_other_folder_of_tenants_waits_for_a_restart_like_all_else(parent: Parent) -> None:
    before = parent.child()
    parent.file.write_text(MINIMAL.replace('"tenants"', '"other-tenants"'))
    parent.last_good.reload()
    assert parent.log.lines[0][1]["needs_restart"] == "tenants_dir"
    after = parent.child()
    assert (after.generation, after.vault.tenants_dir) == (before.generation, before.vault.tenants_dir)


def test_no_child_can_write_what_the_next_one_reads(parent: Parent) -> None:
    for number in parent.last_good.descriptors().values():
        for write_to in (lambda fd: os.pwrite(fd, b"x", 0), lambda fd: os.ftruncate(fd, 0)):
            with pytest.raises(PermissionError):
                write_to(number)


def test_process_without_such_a_parent_reads_the_disk(parent: Parent) -> None:
    assert inherited_configuration(parent.file, {}).generation == parent.child().generation


@pytest.mark.parametrize("number", ["", "x", "-1", "999999"])
def test_number_that_names_nothing_is_refused(parent: Parent, number: str) -> None:
    with pytest.raises(Misconfigured, match="does not name a configuration"):
        inherited_configuration(parent.file, {CONFIGURATION_FD: number})


def test_process_that_cannot_take_what_is_new_goes_on_as_it_was(parent: Parent) -> None:
    reloading = Reloading(parent.file, parent.child(), log=parent.log)
    parent.tenant_file.unlink()
    assert reloading.read() is None
    assert parent.log.events() == ["configuration_reload_failed"]
