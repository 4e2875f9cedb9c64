"""Vaults that can be struck: as they are, on a token that fails on command, by a clock that is set, on a small disk."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from deploy.development.environment import VaultFiles, VaultShape, make_files
from deploy.development.vault_folder import toml_lines
from tests.fakes.pkcs11_fault.fault_module import FaultModule
from tests.fakes.stepped_vault import SteppedVault
from tests.fakes.wall_clock import FakeWallClock

BUDGET: Final = 10
COOL_DOWN_SECONDS: Final = 1
RELEASES_PER_DAY: Final = 1_000
CLOCK_COOL_DOWN_SECONDS: Final = 4
CLOCK_RELEASES_PER_DAY: Final = 15
CLOCK_TOLERANCE_SECONDS: Final = 1
SMALL_DISK_MIB: Final = 48

SHAPE: Final = VaultShape(
    keepers=2,
    keeper_settings={"call_deadline_seconds": 1.0, "heartbeat_timeout_seconds": 2.0},
    policy={
        "budget": BUDGET,
        "cool_down_seconds": [COOL_DOWN_SECONDS],
        "releases_per_day": RELEASES_PER_DAY,
    },
    limits={"max_concurrent_streams": 400, "max_concurrent_calls": 400},
)
"""Keepers that are soon given up on, and cool-downs that a campaign can wait for."""


class StruckVault(SteppedVault):
    """What a stage adds to a vault."""

    module: FaultModule
    clock: FakeWallClock

    @property
    def database(self) -> Path:
        """The database."""
        return self.files.folder / "data" / "vault.db"

    @property
    def fulfilment_log(self) -> Path:
        """What the keepers say they answered."""
        return self.files.folder / "keeper" / "fulfilled.log"

    def logged(self, event: str, *, child: str = "") -> int:
        """How many lines of the log have this event, and are about a child whose name begins so."""
        words = [f'"event": "{event}"', *([f'"child": "{child}'] if child else [])]
        lines = self.log_file.read_text(encoding="utf-8").splitlines()
        return sum(all(word in line for word in words) for line in lines)

    def set_clock(self, seconds: int) -> None:
        """Have the keepers' wall clock differ by so much from the host's."""
        self.clock.set_forward(seconds=seconds - round(self.clock.now_seconds() - time.time()))


@contextlib.contextmanager
def plain(folder: Path) -> Iterator[StruckVault]:
    """A vault as it is."""
    with served(StruckVault(make_files(folder, SHAPE))) as vault:
        yield vault


@contextlib.contextmanager
def failing_token(folder: Path) -> Iterator[StruckVault]:
    """Keepers reach their token through the fault module."""
    vault = StruckVault(make_files(folder, SHAPE))
    text = vault.files.config_file.read_text(encoding="utf-8")
    [line] = [line for line in text.splitlines() if line.startswith("module_file = ")]
    vault.module = FaultModule.build(folder / "module", real_module=Path(line.split('"')[1]))
    changed = text.replace(line, toml_lines({"module_file": str(vault.module.path)}).strip())
    vault.files.config_file.write_text(changed, encoding="utf-8")
    _add_to_environment(vault.files, vault.module.environment)
    vault.init()
    vault.module.forget_calls()  # who logs in from now on is a keeper
    vault.serve()
    with vault:
        yield vault
        vault.module.heal()


@contextlib.contextmanager
def set_clock(folder: Path) -> Iterator[StruckVault]:
    """Keepers see a wall clock that `StruckVault.set_clock` sets; what counts running time is left alone."""
    policy = {
        **SHAPE.policy,
        "cool_down_seconds": [CLOCK_COOL_DOWN_SECONDS],
        "releases_per_day": CLOCK_RELEASES_PER_DAY,
    }
    vault = StruckVault(make_files(folder, replace(SHAPE, policy=policy)))
    with vault.files.config_file.open("a", encoding="utf-8") as file:
        file.write(f"\n[clock]\ntolerance_seconds = {CLOCK_TOLERANCE_SECONDS}\n")
    vault.clock = FakeWallClock(folder)
    vault.set_clock(0)
    _add_to_environment(vault.files, vault.clock.environment)
    with served(vault):
        yield vault


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[StruckVault]:
    """The database lives on a disk of its own that is easily filled."""
    vault = StruckVault(make_files(folder, SHAPE))
    data = vault.database.parent
    options = f"size={SMALL_DISK_MIB}m,mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(data)], check=True)
    try:
        with served(vault):
            yield vault
    finally:
        subprocess.run(["umount", str(data)], check=True)


@contextlib.contextmanager
def served(vault: StruckVault) -> Iterator[StruckVault]:
    """Initialise a vault and serve, until the block ends."""
    vault.init()
    vault.serve()
    with vault:
        yield vault


def _add_to_environment(files: VaultFiles, environment: Mapping[str, str]) -> None:
    head = "[pkcs11.environment]\n"
    text = files.config_file.read_text(encoding="utf-8")
    files.config_file.write_text(text.replace(head, head + toml_lines(environment)), encoding="utf-8")
