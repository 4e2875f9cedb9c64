"""The operating system as the rules see it: clock, randomness, user ids, and the lock on the vault's keys."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom_service.config.vault_file import VaultConfig

random_bytes = os.urandom

DISTRIBUTION: Final = "strongroom"
"""What is installed; its version is the service's."""

FINGERPRINT_NAME: Final = "identity.fingerprint"
"""The file beside the database from which clients' pins are copied."""

_LOCK_NAME: Final = "keys.lock"
# Others may neither look into the folder nor pass through it; the front's group passes through to the sockets.
_RUN_DIR_MODE: Final = 0o750
_LOCK_MODE: Final = 0o600
_LOCK_PATIENCE_SECONDS: Final = 30.0
_LOCK_POLL_SECONDS: Final = 0.02


class SystemClock:
    """The host's clock as it stands: for commands that are over at once. Who serves uses `host_clock`."""

    def now(self) -> Millis:
        """See `Clock`."""
        return Millis(time.time_ns() // 1_000_000)


def keeper_socket(config: VaultConfig, index: int) -> Path:
    """Return where keeper number `index` listens."""
    return config.run_dir / f"keeper-{index}.sock"


def operator_socket(config: VaultConfig, index: int) -> Path:
    """Return where keeper number `index` listens for operators' commands."""
    return config.run_dir / f"operator-{index}.sock"


def checkpoint_folder(config: VaultConfig) -> Path:
    """Return where checkpoints are kept."""
    return config.checkpoints.folder or config.folder / "checkpoints"


@contextlib.contextmanager
def acting_as(uid: int | None, gid: int | None) -> Iterator[None]:
    """Act under these ids where we are root and ids are given: files made inside belong to who will need them.

    For a moment of one thread's work, not a cage: the process stays root at heart.
    """
    if uid is None or gid is None or os.geteuid() != 0:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def make_run_dir(config: VaultConfig) -> None:
    """Make the folder for the sockets and the lock, or mend its mode; as root, also its owner.

    The folder that holds it must be there: made here, under our umask, front and keepers could not pass through it.

    Raises:
        Misconfigured: it cannot be made, or belongs to somebody else.
    """
    path = config.run_dir
    try:
        path.mkdir(mode=_RUN_DIR_MODE, exist_ok=True)
        if config.users is not None and os.geteuid() == 0:
            os.chown(path, config.users.keeper_uid, config.users.front_gid)
        path.chmod(_RUN_DIR_MODE)
    except OSError as error:
        raise Misconfigured(f"run_dir {path}: {error.strerror}") from error


def demand_readable_python(config: VaultConfig) -> None:
    """Refuse an environment that front and keepers could not run from, as one in a home that is closed.

    Raises:
        Misconfigured: a user of theirs cannot read it.
    """
    users = config.users
    if users is None or os.geteuid() != 0:
        return
    needed = {sys.prefix, str(Path(os.__file__).parent), str(Path(__file__).parent)}
    for uid, gid in ((users.front_uid, users.front_gid), (users.keeper_uid, users.keeper_gid)):
        with acting_as(uid, gid):
            for folder in sorted(needed):
                try:
                    next(Path(folder).iterdir(), None)
                except OSError as error:
                    raise Misconfigured(
                        f"user {uid} cannot read {folder}, which this runs from ({error.strerror}): install"
                        " strongroomd, and the Python below it, where everybody may read, such as /opt/strongroom"
                    ) from error


@contextlib.contextmanager
def keys_lock(run_dir: Path, *, exclusive: bool) -> Iterator[None]:
    """Hold the lock on the token's objects: keepers share it while they start, who makes or destroys keys has it alone.

    Either waits for the other: both are a matter of seconds. The file is never removed (see `writer_lock`); the kernel
    frees the lock when its process ends.

    Raises:
        Misconfigured: somebody else holds it for too long, or the file cannot be opened.
    """
    path = run_dir / _LOCK_NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _LOCK_MODE)
    except OSError as error:
        raise Misconfigured(f"cannot open {path}: {error.strerror}") from error
    try:
        if not _locked(descriptor, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH):
            holder = "keepers are starting" if exclusive else "the keys are being changed"
            raise Misconfigured(f"{path}: {holder}, for {_LOCK_PATIENCE_SECONDS:.0f} s already")
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int, kind: int) -> bool:
    deadline = time.monotonic() + _LOCK_PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return True
        time.sleep(_LOCK_POLL_SECONDS)  # flock waits without a limit, or not at all
    return False
