"""After a hundred releases: what is on disk, in logs, in the front's memory, in arguments and environments.

Each search also looks for something that must be there, by the same means, so that it cannot pass by being blind.
"""

from __future__ import annotations

import base64
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from tests.fakes.hand_client import HandClient, Told
from tests.fakes.passkey import Forgery
from tests.fakes.process_memory import found_in_memory
from tests.fakes.stepped_vault import SHAPE, SteppedVault, children_of, front_of, keepers_of

RELEASES = 100
REQUEST_ID = "known-request-id-4711"
ARCHIVE_KEY = b"AGE-SECRET-KEY-1" + base64.b32encode(os.urandom(32))[:52]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A vault that was used, and what must not be seen of it."""

    vault: SteppedVault
    marker: bytes
    secrets: Mapping[str, bytes]
    personal: Mapping[str, bytes]

    @property
    def folder(self) -> Path:
        return self.vault.files.folder


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    marker = os.urandom(32)
    with TemporaryDirectory(prefix="secrecy-") as folder:
        Path(folder, "marker").write_bytes(marker)
        with SteppedVault.start(Path(folder), shape=SHAPE) as vault, HandClient(vault) as client:
            client.metadata = (*client.metadata, ("x-request-id", REQUEST_ID))
            envelope = os.urandom(500) + ARCHIVE_KEY + os.urandom(500)
            client.enroll(envelope)
            for number in range(RELEASES):
                assert client.release() == [envelope]
                if number % 30 == 0:
                    with pytest.raises(Told):
                        client.release(Forgery(unsigned=True))
            pin_file = vault.files.folder / "token" / "development.pin"
            yield Scene(
                vault=vault,
                marker=marker,
                secrets={
                    "archive key": ARCHIVE_KEY,
                    "envelope": envelope[:32],
                    "pin": pin_file.read_bytes().strip(),
                },
                personal={
                    "account": client.account.encode(),
                    "account token": client.metadata[0][1].removeprefix("Bearer ").encode(),
                    "credential id": client.passkey.credential_id,
                    "credential key": client.passkey.cose_key[-32:],
                    "user handle": client.passkey.user_handle,
                },
            )


def forms(needles: Mapping[str, bytes]) -> dict[str, bytes]:
    """Each needle as it is, in hex, and in base64 as it would stand at the head of a value."""
    named = {}
    for name, needle in needles.items():
        named[name] = needle
        named[f"{name} in hex"] = needle.hex().encode()
        whole = needle[: len(needle) // 3 * 3]
        named[f"{name} in base64"] = base64.b64encode(whole)
        named[f"{name} in base64url"] = base64.urlsafe_b64encode(whole)
    return named


def found_in(text: bytes, needles: Mapping[str, bytes]) -> set[str]:
    return {name for name, needle in forms(needles).items() if needle in text}


def database_bytes(folder: Path) -> bytes:
    """The file with its log: what a thief of the disk has."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob("vault.db*")))


def test_database_shows_no_person_credential_outcome_or_key(scene: Scene) -> None:
    words = ("wrong_signature", "granted", "release", "localhost", "notes", "internal")
    needles = {**scene.secrets, **scene.personal, **{word: word.encode() for word in words}}
    stored = database_bytes(scene.folder / "data")
    assert found_in(stored, needles) == set()
    with closing(sqlite3.connect(f"file:{scene.folder / 'data' / 'vault.db'}?mode=ro", uri=True)) as connection:
        record_id, sealed = connection.execute("SELECT record_id, sealed FROM records").fetchone()
    assert found_in(stored, {"record id": record_id, "sealed record": sealed[:64]}) == {"record id", "sealed record"}


def test_search_of_a_database_finds_what_is_planted_in_it(scene: Scene, tmp_path: Path) -> None:
    """A control of the test above, on a copy."""
    for path in (scene.folder / "data").glob("vault.db*"):
        shutil.copy(path, tmp_path)
    with closing(sqlite3.connect(tmp_path / "vault.db")) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        sealed = b"".join(scene.personal.values())
        connection.execute("UPDATE records SET sealed = ?", (sealed,))
        connection.commit()
        assert found_in(database_bytes(tmp_path), scene.personal) == set(scene.personal)


def test_sizes_in_the_database_tell_a_class_and_not_an_outcome(scene: Scene) -> None:
    with closing(sqlite3.connect(f"file:{scene.folder / 'data' / 'vault.db'}?mode=ro", uri=True)) as connection:
        sizes = [size for (size,) in connection.execute("SELECT length(sealed) FROM events WHERE version > 2")]
        records = [size for (size,) in connection.execute("SELECT length(sealed) FROM records")]
    assert len(sizes) > RELEASES  # failures are among them
    assert len(set(sizes)) == 1
    assert {size % 1024 for size in records} == {size % 1024 for size in sizes}


def test_logs_hold_no_secret_and_no_person(scene: Scene) -> None:
    service = scene.vault.log_file.read_bytes()
    keepers = (scene.folder / "keeper" / "fulfilled.log").read_bytes()
    for log in (service, keepers):
        assert found_in(log, {**scene.secrets, **scene.personal}) == set()
    assert service.count(REQUEST_ID.encode()) > RELEASES
    assert service.count(b'"process": "keeper-') > RELEASES
    assert len(keepers.splitlines()) == RELEASES + 2


def test_memory_of_the_front_holds_neither_pin_nor_envelope(scene: Scene) -> None:
    needles = {**forms(scene.secrets), "marker": scene.marker}
    assert found_in_memory(front_of(scene.vault).pid, needles) == {"marker"}


def test_memory_of_keepers_is_kept_out_of_swap_or_the_log_says_why_not(scene: Scene) -> None:
    """What is locked is memory that was touched: all of it, but for what other processes share."""
    log = scene.vault.log_file.read_bytes()
    for keeper in keepers_of(scene.vault):
        if locked_bytes(keeper) > keeper.memory_info().rss // 2:
            assert b'"event": "memory_locked"' in log
        else:
            assert b'"event": "memory_not_locked"' in log
    assert locked_bytes(psutil.Process()) == 0  # the control: nobody asked for that here


def locked_bytes(process: psutil.Process) -> int:
    lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
    [locked] = [int(line.split()[1]) for line in lines if line.startswith("VmLck:")]
    return locked * 1024


def test_arguments_and_environments_hold_no_secret(scene: Scene) -> None:
    processes = [psutil.Process(scene.vault.pid), *children_of(scene.vault)]
    assert len(processes) == 1 + 1 + SHAPE.keepers
    for process in processes:
        arguments = b"\0".join(map(os.fsencode, process.cmdline()))
        assert found_in(arguments, {**scene.secrets, **scene.personal}) == set()
        assert os.fsencode(scene.vault.files.config_file) in arguments
        environment = environment_of(process)
        assert found_in(environment, {**scene.secrets, **scene.personal}) == set()
    assert all(b"softhsm2.conf" in environment_of(keeper) for keeper in keepers_of(scene.vault) if os.geteuid() == 0)


def environment_of(process: psutil.Process) -> bytes:
    """What anybody but root may read of a hardened process is nothing."""
    try:
        return Path(f"/proc/{process.pid}/environ").read_bytes()
    except PermissionError:
        assert os.geteuid() != 0
        return b""
