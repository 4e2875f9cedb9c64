"""Another hand on a database that a store has open."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file beside the store."""
    connection = sqlite3.connect(path, isolation_level=None)
    with contextlib.closing(connection):
        yield connection
