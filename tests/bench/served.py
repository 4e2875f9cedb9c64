"""A vault to be measured, on SQLite or on a PostgreSQL of its own, served again and again; and its processes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import psutil

from deploy.development.environment import DevelopmentVault, VaultShape, make_files
from tests.bench.floods import READS_OF_A_PEER
from tests.bench.processes import find_children
from tests.fixtures.postgres import PostgresServer, own_postgres
from tests.fixtures.replicas import SERVICE_ROLE, migrate

SHAPE: Final = VaultShape(
    keepers=2,
    policy={"releases_per_day": 1_000, "cool_down_seconds": []},
    rates={"peer": {"read": [READS_OF_A_PEER]}},
)
_SETTINGS: Final = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
# What PostgreSQL does at times of its own choosing, and ends when it likes.
_AT_ITS_LEISURE: Final = ("autovacuum worker", "parallel worker")


@dataclass(frozen=True, slots=True)
class Pids:
    """The processes that serve. Those of the database are none where it is a file."""

    front: int
    keepers: tuple[int, ...]
    database: tuple[int, ...]

    @property
    def all(self) -> tuple[int, ...]:
        """Every one."""
        return (self.front, *self.keepers, *self.database)


class ServedVault:
    """An initialised vault; it serves after `serve`. A context manager: it is stopped at its end."""

    def __init__(self, vault: DevelopmentVault, *, server: PostgresServer | None, database: str) -> None:
        """`database` is its file's path, or the URL of its owner."""
        self.vault = vault
        self.server = server
        self.database = database

    @classmethod
    @contextlib.contextmanager
    def on_sqlite(cls, folder: Path, *, shape: VaultShape = SHAPE) -> Iterator[ServedVault]:
        """Make one in a file in `folder`, which is new."""
        vault = DevelopmentVault(make_files(folder, shape))
        vault.init()
        with vault:
            yield cls(vault, server=None, database=str(vault.files.folder / "data" / "vault.db"))

    @classmethod
    @contextlib.contextmanager
    def on_postgres(cls, folder: Path, *, shape: VaultShape = SHAPE) -> Iterator[ServedVault]:
        """Make one in `folder`, which is new, with a database server of its own."""
        with own_postgres(_SETTINGS) as server:
            name = server.create_database()
            server.execute(f"CREATE ROLE {SERVICE_ROLE} LOGIN")
            migrate(server.url(name))
            settings = {**shape.settings, "database": server.url(name, user=SERVICE_ROLE), "data_dir": "data"}
            vault = DevelopmentVault(
                make_files(folder, replace(shape, settings=settings, postgresql={"single_node": True}))
            )
            vault.init()
            with vault:
                yield cls(vault, server=server, database=server.url(name))

    def serve(self, *, environment: Mapping[str, str] | None = None) -> Pids:
        """Serve, also after an earlier time, with `environment` beside our own for whoever flushes; return who does."""
        self.vault.stop()
        if self.server is not None:
            self.server.stop()
            self.server.start(environment=environment)
        self.vault.serve(environment=environment)
        return self.pids()

    def stop(self) -> None:
        """Stop serving; the database, if it is a server, goes on."""
        self.vault.stop()

    def pids(self) -> Pids:
        """Return who serves now."""
        front, keepers = find_children(self.vault.pid)
        return Pids(front=front, keepers=keepers, database=self._database_pids())

    def shared_folder(self) -> Path:
        """Return a folder that whoever runs the database can look into."""
        return self.vault.files.folder if self.server is None else self.server.folder

    def _database_pids(self) -> tuple[int, ...]:
        if self.server is None:
            return ()
        found = [self.server.pid]
        for child in psutil.Process(self.server.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if not any(name in " ".join(child.cmdline()) for name in _AT_ITS_LEISURE):
                    found.append(child.pid)
        return tuple(found)
