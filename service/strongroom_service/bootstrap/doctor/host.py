"""What this host does for the vault: users kept apart, a clock that is kept right, memory that is nowhere else."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

from strongroom_service.bootstrap.doctor.findings import attempt, fail, ok, skip, warn
from strongroom_service.bootstrap.host_clock import read_discipline
from strongroom_service.bootstrap.serve import separated_children
from strongroom_service.bootstrap.system import checkpoint_folder, operator_socket
from strongroom_service.domain.errors import ClockUntrusted
from strongroom_service.domain.steady_clock import check_synchronised
from strongroom_service.link.peer import peer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from strongroom_service.bootstrap.doctor.findings import Finding
    from strongroom_service.config.vault_file import ClockRules, VaultConfig
    from strongroom_service.domain.clock import Discipline

_CONNECT_SECONDS: Final = 2.0
_TIME_SERVER: Final = "run chrony or systemd-timesyncd against a time server"
_NO_KEEPER: Final = "no keeper runs"
_MIB: Final = 1_048_576
# A record's change is some KiB, and a file database's log may hold many of them.
_ROOM_NEEDED: Final = 32 * _MIB
_ROOM_WISHED: Final = 512 * _MIB


def check_host(config: VaultConfig, config_path: Path) -> Iterator[Finding]:
    """Look at all of it."""
    yield _check_users(config, config_path)
    yield check_clock(config.clock)
    yield check_room((config.folder, checkpoint_folder(config), config.keepers.log_file.parent, config.run_dir))
    keepers = keeper_processes(config)
    yield check_core_dumps(keepers)
    yield check_memory_lock(keepers, wish=config.keepers.lock_memory)


def _check_users(config: VaultConfig, config_path: Path) -> Finding:
    if config.single_user:
        return warn(
            "users",
            "single_user is set: who owns the front owns the keepers",
            "for real users give [users] two user ids, remove single_user, and start as root",
        )

    def look() -> str:
        separated_children(config, config_path)
        return "front and keepers run under different users"

    return attempt("users", look, "give [users] two user ids, and run init, serve and doctor as root")


def check_clock(rules: ClockRules, *, read: Callable[[], Discipline] = read_discipline) -> Finding:
    """Look whether something keeps the clock right; `read` asks the kernel."""
    try:
        check_synchronised(read(), tolerance=rules.tolerance)
    except ClockUntrusted as error:
        if rules.require_synchronised:
            return fail("clock", f"{error}, and clock.require_synchronised is set", _TIME_SERVER)
        return warn("clock", str(error), f"{_TIME_SERVER}, and set clock.require_synchronised")
    return ok("clock", "the kernel says that its clock is kept right")


def check_room(folders: Sequence[Path], *, room: Callable[[Path], os.statvfs_result] = os.statvfs) -> Finding:
    """Look whether what the service writes has room: without it every change is refused, and so every restore."""
    least: tuple[int, Path] | None = None
    for folder in folders:
        try:
            found = room(folder)
        except OSError:  # not made yet, or its mode is another check's
            continue
        free = found.f_bavail * found.f_frsize if found.f_favail or not found.f_files else 0
        if least is None or free < least[0]:
            least = (free, folder)
    if least is None:
        return skip("disk_room", "no folder that is written to is there")
    free, folder = least
    told = f"{folder} has {free // _MIB} MiB left"
    if free < _ROOM_NEEDED:
        return fail("disk_room", told, "make room: nobody can restore without; the service goes on by itself then")
    if free < _ROOM_WISHED:
        return warn("disk_room", told, "make room before changes are refused")
    return ok("disk_room", told)


def keeper_processes(config: VaultConfig) -> list[int]:
    """Return the process ids of the keepers that run, by the kernel's word."""
    found = []
    for index in range(config.keepers.count):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_CONNECT_SECONDS)
            try:
                probe.connect(str(operator_socket(config, index)))
            except OSError:
                continue
            found.append(peer_of(probe).pid)
    return found


def check_core_dumps(keepers: Sequence[int]) -> Finding:
    """Look whether a keeper that crashed would leave its memory on the disk."""
    if not keepers:
        return skip("core_dumps", _NO_KEEPER)
    for pid in keepers:
        limit = _line_of(pid, "limits", "Max core file size")
        if not limit or limit[0] != "0":
            return fail(
                "core_dumps",
                f"process {pid} may leave a core dump",
                "restart the service: somebody has lifted its limit (prlimit --core)",
            )
    return ok("core_dumps", "no keeper may leave one")


def check_memory_lock(keepers: Sequence[int], *, wish: str) -> Finding:
    """Look whether a keeper's memory could be swapped out."""
    if not keepers:
        return skip("memory_lock", _NO_KEEPER)
    for pid in keepers:
        locked = _line_of(pid, "status", "VmLck:")
        if not locked or locked[0] == "0":
            found, remedy = f"the memory of process {pid} is not locked", "raise RLIMIT_MEMLOCK or give CAP_IPC_LOCK"
            return fail("memory_lock", found, remedy) if wish == "required" else warn("memory_lock", found, remedy)
    return ok("memory_lock", "the memory of all keepers is kept out of swap")


def _line_of(pid: int, name: str, head: str) -> list[str]:
    """Return the words after `head` in a file of /proc; none where there is no such line, or no such process."""
    try:
        lines = Path(f"/proc/{pid}/{name}").read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    return next((line.removeprefix(head).split() for line in lines if line.startswith(head)), [])
