"""Keepers and front started apart, as in two containers: run_dir and the tenants are all that they share."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from deploy.development.environment import DevelopmentVault, VaultFiles, VaultShape, make_files
from tests.fakes.hand_client import HandClient
from tests.integration.service.daemons import Daemon, Python, processes_naming
from tests.integration.service.evidence import strongroomd

OFTEN = 0.001  # hours: some four seconds
# What the other container has, and this one not: a path that leads nowhere must not be opened, let alone be needed.
NOT_THE_FRONTS = {
    "module_file": "/nowhere/module.so",
    "pin_file": "/nowhere/pin",
    "SOFTHSM2_CONF": "/nowhere/softhsm2.conf",
    "log_file": "/nowhere/fulfilled.log",
}
NOT_THE_KEEPERS = {
    "database": "sqlite:////nowhere/vault.db",
    "tls_certificate_file": "/nowhere/server.pem",
    "tls_key_file": "/nowhere/server-key.pem",
}


@dataclass(kw_only=True)
class Apart:
    """A vault whose parts are started one by one; what runs is ended with the block."""

    files: VaultFiles
    keepers_config: Path
    front_config: Path
    running: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def make(cls, folder: Path) -> Self:
        files = make_files(folder, VaultShape(keepers=2, checkpoints={"every_hours": OFTEN}))
        DevelopmentVault(files).init()
        return cls(
            files=files,
            keepers_config=config_without(files, "keepers.toml", NOT_THE_KEEPERS),
            front_config=config_without(files, "front.toml", NOT_THE_FRONTS),
        )

    def start_keepers(self) -> Daemon:
        return self._start("keeper", self.keepers_config)

    def start_front(self) -> Daemon:
        return self._start("front", self.front_config)

    def start_housekeeper(self, *, every: float) -> Daemon:
        return self._start("housekeep", self.front_config, "--every", str(every))

    def checkpoints(self) -> list[Path]:
        return sorted((self.files.folder / "data" / "checkpoints").glob("checkpoint-*.txt"))

    def _start(self, command: str, config_file: Path, *arguments: str) -> Daemon:
        log_file = self.files.folder / f"{command}.log"
        return self.running.enter_context(
            Daemon(Python(), command, config_file, log_file=log_file, arguments=arguments)
        )


def config_without(files: VaultFiles, name: str, foreign: Mapping[str, str]) -> Path:
    text = files.config_file.read_text(encoding="utf-8")
    for key, value in foreign.items():
        text, replaced = re.subn(rf"(?m)^{key} = .*$", f'{key} = "{value}"', text)
        assert replaced == 1, key
    path = files.folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Apart]:
    apart = Apart.make(tmp_path)
    with apart.running:
        yield apart


def test_front_without_pin_and_module_serves_with_keepers_without_database_and_tls_key(apart: Apart) -> None:
    front, keepers = apart.start_front(), apart.start_keepers()  # whichever comes first waits for the other
    vault = DevelopmentVault(apart.files)
    front.wait_until(vault.is_serving)
    with HandClient(vault) as client:
        client.enroll(b"over two containers")
        assert client.release() == [b"over two containers"]
    assert keepers.stop() == front.stop() == 0
    assert processes_naming(apart.files.folder) == []


def test_front_finds_its_keepers_again_after_they_were_restarted_or_killed(apart: Apart) -> None:
    front, keepers = apart.start_front(), apart.start_keepers()
    vault = DevelopmentVault(apart.files)
    front.wait_until(vault.is_serving)
    with HandClient(vault) as client:
        client.enroll(b"kept")
        assert keepers.stop() == 0
        front.wait_until(lambda: not vault.is_serving())
        keepers = apart.start_keepers()
        front.wait_until(vault.is_serving)
        assert client.release() == [b"kept"]
        keepers.kill()  # their sockets stay behind
        front.wait_until(lambda: not vault.is_serving())
        keepers = apart.start_keepers()
        front.wait_until(vault.is_serving)
        assert client.release() == [b"kept"]
    assert len(keepers.tree()) == 3
    assert front.stop() == 0


def test_keepers_are_not_started_twice_over_one_run_dir(apart: Apart) -> None:
    front, keepers = apart.start_front(), apart.start_keepers()
    front.wait_until(DevelopmentVault(apart.files).is_serving)
    second = Python().run("keeper", apart.keepers_config)
    assert second.returncode == 78
    assert "another keeper listens at" in second.stderr
    assert len(keepers.tree()) == 3
    assert DevelopmentVault(apart.files).is_serving()


def test_housekeeper_beside_them_makes_one_checkpoint_after_the_other(apart: Apart) -> None:
    housekeeper = apart.start_housekeeper(every=0.5)  # waits for the keepers, as all containers start at once
    front, keepers = apart.start_front(), apart.start_keepers()
    front.wait_until(DevelopmentVault(apart.files).is_serving)
    housekeeper.wait_until(lambda: len(apart.checkpoints()) >= 2)
    verified = strongroomd(apart.front_config, "checkpoint", "verify", "--keeper")
    assert (verified.code, verified.errors) == (0, "")
    assert housekeeper.stop() == keepers.stop() == front.stop() == 0


def test_housekeeper_ends_when_told_whatever_it_waits_for(apart: Apart) -> None:
    keepers = apart.start_keepers()
    between_rounds = apart.start_housekeeper(every=86_400)
    between_rounds.wait_until(lambda: len(apart.checkpoints()) == 1)
    assert between_rounds.stop() == keepers.stop() == 0
    without_keepers = apart.start_housekeeper(every=86_400)
    without_keepers.wait_until(lambda: waits_for_a_signal(without_keepers.pid))
    assert without_keepers.stop() == 0


def waits_for_a_signal(pid: int) -> bool:
    """Tell whether the process has asked for SIGTERM by now."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    [caught] = re.findall(r"(?m)^SigCgt:\s*([0-9a-f]+)$", status)
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def test_housekeeper_goes_on_after_a_round_that_failed(apart: Apart) -> None:
    keepers = apart.start_keepers()
    folder = apart.files.folder / "data" / "checkpoints"
    folder.write_text("in the way", encoding="ascii")
    housekeeper = apart.start_housekeeper(every=0.1)
    housekeeper.wait_until(lambda: "checkpoint_not_made" in housekeeper.log_file.read_text(encoding="utf-8"))
    folder.unlink()
    housekeeper.wait_until(lambda: len(apart.checkpoints()) == 1)
    assert housekeeper.stop() == keepers.stop() == 0
