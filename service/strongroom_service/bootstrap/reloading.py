"""Configuration files taken into use while the service runs, all or nothing; a faulty one changes nothing.

The parent is told by SIGHUP and tells its children. Each reads the files for itself. The parent keeps what it last
found good for children that it starts later: should one die while a file is faulty, its successor still starts.
"""

from __future__ import annotations

import dataclasses
import fcntl
import os
from typing import TYPE_CHECKING, Final

from strongroom_service.config.configuration import (
    Configuration,
    load_configuration,
    needs_restart,
    with_live_parts,
)
from strongroom_service.config.files import DISK, Snapshot
from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from strongroom_service.link.log import Log

CONFIGURATION_FD: Final = "STRONGROOM_CONFIGURATION_FD"
STARTED_FD: Final = "STRONGROOM_STARTED_FD"
"""Environment variables by which a child learns of the files that it goes by: the newest, and those of the start."""

# A front that was taken over must not write what the next keeper reads: both have the same memory.
_SEALS: Final = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


class Reloading:
    """What one process does about changed files."""

    def __init__(self, path: Path, configuration: Configuration, *, log: Log) -> None:
        """`configuration` is what the process goes by."""
        self._path = path
        self._started = configuration.vault
        self._generation = configuration.generation
        self._log = log

    def read(self) -> Configuration | None:
        """Return what the files say now, None if that is faulty. Touches nothing: any thread may do it."""
        try:
            return load_configuration(self._path, DISK, started=self._started)
        except Misconfigured as error:
            self._log.error("configuration_reload_failed", why=str(error), generation_in_use=self._generation)
            return None

    def note(self, newest: Configuration) -> tuple[str, ...]:
        """Be told that `newest` is in use; return the keys that are not, as they need a restart."""
        self._generation = newest.generation
        waiting = needs_restart(self._started, newest.vault)
        self._log.info(
            "configuration_reloaded",
            generation=newest.generation,
            tenants=len(newest.tenants),
            needs_restart=", ".join(waiting),
        )
        return waiting


class LastGood:
    """The parent's part: what the files said when they were last good, in memory that children inherit."""

    def __init__(self, path: Path, configuration: Configuration, *, log: Log) -> None:
        self._reloading = Reloading(path, configuration, log=log)
        self._started_fd = _sealed_memory(configuration.snapshot)
        self._newest_fd = _sealed_memory(configuration.snapshot)

    def descriptors(self) -> Mapping[str, int]:
        """Return what a child that is started now inherits, by the environment variables that name it."""
        return {CONFIGURATION_FD: self._newest_fd, STARTED_FD: self._started_fd}

    def reload(self) -> None:
        """Look at the files again; what is faulty is told, and not kept."""
        newest = self._reloading.read()
        if newest is not None:
            os.close(self._newest_fd)
            self._newest_fd = _sealed_memory(newest.snapshot)
            self._reloading.note(newest)


def inherited_configuration(path: Path, environment: Mapping[str, str]) -> Configuration:
    """Return what a process that starts now goes by: its parent's last good files, or those on the disk without one.

    Of keys that need a restart it takes those that the parent was started with: its siblings go by these.

    Raises:
        Misconfigured: the files are faulty, or the environment names memory that is none of ours.
    """
    if CONFIGURATION_FD not in environment:
        return load_configuration(path, DISK)
    started = load_configuration(path, _inherited(environment, STARTED_FD)).vault
    newest = load_configuration(path, _inherited(environment, CONFIGURATION_FD), started=started)
    return dataclasses.replace(newest, vault=with_live_parts(started, newest.vault))


def _sealed_memory(snapshot: Snapshot) -> int:
    descriptor = os.memfd_create("configuration", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(snapshot.to_bytes())
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    return descriptor


def _inherited(environment: Mapping[str, str], name: str) -> Snapshot:
    try:
        descriptor = int(environment[name])
        # From a place of its own: siblings share the descriptor's.
        content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        os.close(descriptor)
        return Snapshot.from_bytes(content)
    except (KeyError, ValueError, OSError) as error:
        raise Misconfigured(f"{name} does not name a configuration: {type(error).__name__}") from error
