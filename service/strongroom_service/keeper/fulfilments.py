"""The keeper's own log of what it fulfils: what is in it must be in the database.

One line each: unix milliseconds, operation, record id, version, chain head; ids and heads in hex. Written before the
answer leaves, with one write call to a file opened for appending, so that lines of several keepers do not mix.
Read again by who checks that.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

    from strongroom_service.domain.clock import Millis
    from strongroom_service.domain.records import Grant

_FILE_MODE = 0o600


class FulfilmentLog:
    """An append-only file.

    Raises:
        Misconfigured: it cannot be opened for appending.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = os.open(
                path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _FILE_MODE
            )
        except OSError as error:
            message = f"the fulfilment log {path} cannot be opened: {error.strerror}"
            raise Misconfigured(message) from error

    def append(self, grant: Grant, *, record_id: bytes, now: Millis) -> None:
        """Write that `grant` is about to be answered.

        Raises:
            Misconfigured: it cannot be written, so nothing may be answered; the grant stays and can be asked for again.
        """
        line = f"{now} {grant.operation.value} {record_id.hex()} {grant.version} {grant.chain_head.hex()}\n"
        try:
            written = os.write(self._descriptor, line.encode("ascii"))
        except OSError as error:
            message = f"the fulfilment log cannot be written: {error.strerror}"
            raise Misconfigured(message) from error
        if written != len(line):
            message = "the fulfilment log took a part of a line only"
            raise Misconfigured(message)


def read_fulfilments(path: Path) -> dict[bytes, dict[int, frozenset[bytes]]]:
    """Return what was logged: chain heads by record id and version.

    A line that a full disk has cut short fulfilled nothing and is passed over.

    Raises:
        Misconfigured: the file cannot be read.
    """
    found: dict[bytes, dict[int, frozenset[bytes]]] = {}
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            for line in file:
                with contextlib.suppress(ValueError):
                    _, _, record_id, version, chain_head = line.split()
                    versions = found.setdefault(bytes.fromhex(record_id), {})
                    heads = versions.get(int(version), frozenset())
                    versions[int(version)] = heads | {bytes.fromhex(chain_head)}
    except OSError as error:
        message = f"the fulfilment log {path} cannot be read: {error.strerror}"
        raise Misconfigured(message) from error
    return found
