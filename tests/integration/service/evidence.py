"""Operators' commands beside a running service, on its database or on a copy that a test has spoilt."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.development.environment import VaultFiles
from tests.integration.service.daemons import Python


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    lines: list[str]
    errors: str

    @property
    def named(self) -> list[str]:
        """The names of what was found, in order."""
        return [line.split(":", 1)[0] for line in self.lines if ": record " in line or line.startswith("restored: ")]


def strongroomd(config_file: Path, *arguments: str, python: Python | None = None) -> Said:
    """Run a command to its end."""
    interpreter = python or Python()
    done = subprocess.run(
        [interpreter.executable, "-P", "-m", "strongroom_service.cli.main", *arguments, "--config", str(config_file)],
        env=interpreter.environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    return Said(code=done.returncode, lines=done.stdout.splitlines(), errors=done.stderr)


class Copy:
    """A copy of a vault's database under another hand; commands that read it ask the keepers of the running service."""

    def __init__(self, config_file: Path, connection: sqlite3.Connection) -> None:
        self.config_file = config_file
        self.connection = connection

    def newest(self, record_id: bytes) -> int:
        """The version of the row."""
        [(version,)] = self.connection.execute("SELECT version FROM records WHERE record_id = ?", (record_id,))
        return int(version)

    def record_ids(self) -> list[bytes]:
        return [each for (each,) in self.connection.execute("SELECT record_id FROM records ORDER BY record_id")]

    def event(self, record_id: bytes, version: int) -> bytes:
        [(sealed,)] = self.connection.execute(
            "SELECT sealed FROM events WHERE record_id = ? AND version = ?", (record_id, version)
        )
        return bytes(sealed)

    def put_event(self, record_id: bytes, version: int, sealed: bytes) -> None:
        self.connection.execute(
            "INSERT INTO events (record_id, version, at, sealed) VALUES (?, ?, 0, ?)"
            " ON CONFLICT DO UPDATE SET sealed = excluded.sealed",
            (record_id, version, sealed),
        )

    def remove_events(self, record_id: bytes, *, above: int, below: int = 2**62) -> None:
        self.connection.execute(
            "DELETE FROM events WHERE record_id = ? AND version > ? AND version < ?", (record_id, above, below)
        )

    def exchange(self, one: tuple[bytes, int], other: tuple[bytes, int]) -> None:
        first, second = self.event(*one), self.event(*other)
        self.put_event(*one, second)
        self.put_event(*other, first)

    def row(self, record_id: bytes) -> tuple[int, bytes]:
        [(version, sealed)] = self.connection.execute(
            "SELECT version, sealed FROM records WHERE record_id = ?", (record_id,)
        )
        return int(version), bytes(sealed)

    def put_row(self, record_id: bytes, row: tuple[int, bytes]) -> None:
        self.connection.execute("UPDATE records SET version = ?, sealed = ? WHERE record_id = ?", (*row, record_id))

    def remove_record(self, record_id: bytes) -> None:
        for table in ("records", "events"):
            self.connection.execute(f"DELETE FROM {table} WHERE record_id = ?", (record_id,))  # noqa: S608  two names


@contextmanager
def copied(files: VaultFiles, name: str) -> Iterator[Copy]:
    """Copy the database as it is now, with a configuration that differs from the vault's in that alone."""
    folder = files.folder / name
    folder.mkdir(mode=0o700)
    with (
        closing(sqlite3.connect(files.folder / "data" / "vault.db")) as original,
        closing(sqlite3.connect(folder / "vault.db", isolation_level=None)) as copy,
    ):
        original.backup(copy)
        (folder / "vault.db").chmod(0o600)
        config_file = files.folder / f"{name}.toml"
        text = files.config_file.read_text(encoding="utf-8")
        config_file.write_text(text.replace("sqlite:///data/vault.db", f"sqlite:///{name}/vault.db"), encoding="utf-8")
        yield Copy(config_file, copy)
