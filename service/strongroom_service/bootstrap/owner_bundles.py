"""What the owners have signed, for the front to hand out: a folder of bundles, read again while the service runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from strongroom_service.config.owner_keys import read_owner_public_key
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.front.owner_signatures import check_chain, parse_bundle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from prometheus_client import Counter

    from strongroom.v1 import resources_pb2
    from strongroom_service.config.vault_file import Owners
    from strongroom_service.front.owner_signatures import BundleFile
    from strongroom_service.link.log import Log

MOST_BUNDLES: Final = 64
"""As many as clients take."""

_LOOK_SECONDS: Final = 2.0
_MAX_BYTES: Final = 65_536


def read_bundle(path: Path) -> BundleFile:
    """Read a bundle's file.

    Raises:
        Misconfigured: it cannot be read, or is none.
    """
    try:
        with path.open("rb") as file:
            return parse_bundle(file.read(_MAX_BYTES))
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}") from error
    except Misconfigured as error:
        raise Misconfigured(f"{path}: {error}") from None


def load_owner_bundles(owners: Owners) -> tuple[BundleFile, ...]:
    """Return what the folder holds, oldest first; names that begin with a dot are passed over. May be none.

    Whether the newest is of this time is not asked: that it is over is for clients to say, and for `doctor`.

    Raises:
        Misconfigured: a file is no bundle, or two owners have not signed it after the one before it.
    """
    keys = [read_owner_public_key(path) for path in owners.key_files]
    bundles = sorted((read_bundle(path) for path in _files(owners.bundles_dir)), key=lambda each: each.says.serial)
    if len(bundles) > MOST_BUNDLES:
        raise Misconfigured(f"{owners.bundles_dir} holds more than {MOST_BUNDLES} bundles: take the oldest away")
    try:
        check_chain(bundles, keys)
    except Misconfigured as error:
        raise Misconfigured(f"{owners.bundles_dir}: {error}") from None
    return tuple(bundles)


def require_listed(owners: Owners | None, fingerprint: bytes, *, label: str) -> None:
    """Check that the newest bundle, if one is handed out, lists an identity key that is about to be used.

    Raises:
        Misconfigured: it does not, and clients that pin the owners would be locked out; or the folder is faulty.
    """
    bundles = () if owners is None else load_owner_bundles(owners)
    if bundles and fingerprint not in {key.fingerprint for key in bundles[-1].says.identity_keys}:
        raise Misconfigured(
            f"the owners have not signed for {label}: serial {bundles[-1].says.serial} does not list it, and clients"
            " that pin them would be locked out; have them sign what `strongroomd bundle show` writes now"
        )


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What differs when a file was replaced or rewritten."""

    path: Path
    inode: int
    size: int
    modified_ns: int


class OwnerBundles:
    """What is handed out now. A faulty folder is told of and changes nothing, at the start too: others go on."""

    def __init__(self, owners: Owners | None, *, failures: Counter, log: Log) -> None:
        """`failures` counts the times that the folder was found faulty."""
        self._owners = owners
        self._failures = failures
        self._log = log
        self._seen: tuple[_Stamp, ...] | str | None = None
        self._bundles: tuple[BundleFile, ...] = ()
        self.look()

    def handed_out(self) -> Sequence[resources_pb2.SignedKeyBundle]:
        """Return the bundles, oldest first."""
        return [each.signed for each in self._bundles]

    def ends_at(self) -> float:
        """Return when the newest ends, in seconds since 1970; 0 if there is none."""
        return self._bundles[-1].says.not_after_time.ToMilliseconds() / 1_000 if self._bundles else 0.0

    def look(self) -> None:
        """Take into use what has changed since the last look, all or nothing."""
        if self._owners is None:
            return
        seen = _look(self._owners)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._bundles = load_owner_bundles(self._owners)
        except Misconfigured as unfit:
            self._failures.inc()
            self._log.error("owner_bundles_not_taken", why=str(unfit), in_use=len(self._bundles))
        else:
            self._log.info("owner_bundles_taken", bundles=len(self._bundles))

    async def watch(self) -> NoReturn:
        """Look every few seconds."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await asyncio.to_thread(self.look)


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise Misconfigured(f"{folder} cannot be read: {error.strerror}") from error


def _look(owners: Owners) -> tuple[_Stamp, ...] | str:
    """Return how the files are, or why that cannot be seen."""
    try:
        return tuple(_stamp_of(path) for path in (*owners.key_files, *sorted(_files(owners.bundles_dir))))
    except Misconfigured as unfit:
        return str(unfit)


def _stamp_of(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}") from error
    return _Stamp(path, status.st_ino, status.st_size, status.st_mtime_ns)
