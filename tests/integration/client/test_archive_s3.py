"""Archives in S3, through a real server of another hand."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from strongroom_client.archive.errors import ArchiveDamaged, ArchiveError, SourceChanged
from strongroom_client.archive.places import LocalShelf
from strongroom_client.archive.reader import extract_archive, verify_archive
from strongroom_client.archive.remote import RemotePlace, RemoteShelf, remote_place
from strongroom_client.archive.writer import write_archive
from tests.fixtures.s3 import S3, s3_server
from tests.integration.client.archives import IDENTITY, RECIPIENT, picture

pytestmark = pytest.mark.verify

MIB = 1 << 20
SECRETS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "not-a-secret"}


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def bucket(s3: S3, tmp_path: Path) -> str:
    name = f"bucket-{tmp_path.name.lower().replace('_', '-')[-40:]}-{os.getpid()}"
    fsspec.filesystem("s3", **s3.options).mkdir(name, region_name="eu-central-1")
    return f"s3://{name}"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "folder").mkdir(parents=True)
    (source / "folder" / "large").write_bytes(os.urandom(40 * MIB))
    (source / "small").write_text("small")
    return source


def at(url: str, s3: S3) -> RemotePlace:
    return remote_place(url, options={"s3": s3.options}, part_bytes=8 * MIB)


def uploads(bucket: str, s3: S3) -> list[Any]:
    """Uploads that are neither committed nor discarded: nobody sees them, and they cost."""
    system = fsspec.filesystem("s3", **s3.options)
    listed: list[Any] = system.call_s3("list_multipart_uploads", Bucket=bucket.removeprefix("s3://")).get("Uploads", [])
    return listed


def test_archive_goes_to_s3_in_parts_and_comes_back(bucket: str, s3: S3, source: Path, tmp_path: Path) -> None:
    place = at(f"{bucket}/backups/one.tar.zst.age", s3)
    summary = write_archive(source=source, target=place, recipients=[RECIPIENT], progress=None)
    assert summary.bytes_written > 40 * MIB
    assert place.system.size(place.path) == summary.bytes_written
    extract_archive(archive=place, target=tmp_path / "again", identities=[IDENTITY], progress=None)
    assert picture(tmp_path / "again") == picture(source)
    extract_archive(archive=place, target=tmp_path / "part", identities=[IDENTITY], progress=None, only=["small"])
    assert [path.name for path in (tmp_path / "part").iterdir()] == ["small"]


class Meddling:
    """Changes the source when `after` bytes were read."""

    def __init__(self, file: Path, after: int) -> None:
        self._file, self._left = file, after

    def begin(self, *, task: str, total_bytes: int) -> None:
        pass

    def end(self) -> None:
        pass

    def advance(self, count: int) -> None:
        self._left -= count
        if self._left <= 0:
            self._file.write_bytes(b"changed")


@pytest.mark.parametrize("after", [1, 39 * MIB])
def test_failed_upload_leaves_nothing_and_the_old_archive(after: int, bucket: str, s3: S3, source: Path) -> None:
    place = at(f"{bucket}/one", s3)
    place.system.pipe_file(place.path, b"the archive of yesterday")
    meddling = Meddling(source / "folder" / "large", after)
    with pytest.raises(SourceChanged):
        write_archive(source=source, target=place, recipients=[RECIPIENT], progress=meddling)
    place.system.invalidate_cache()
    assert place.system.cat_file(place.path) == b"the archive of yesterday"
    assert [one["name"].rpartition("/")[2] for one in place.system.ls(place.path.partition("/")[0], detail=True)] == [
        "one"
    ]
    assert uploads(bucket, s3) == [], "what was sent was discarded"


KILLED = """
import sys
from pathlib import Path
from strongroom_client.archive.remote import remote_place
from strongroom_client.archive.writer import write_archive
url, endpoint, source, recipient = sys.argv[1:]
class Halting:
    done = 0
    def begin(self, *, task, total_bytes): pass
    def end(self): pass
    def advance(self, count):
        self.done += count
        if self.done > 39 << 20:
            print("halted", flush=True)
            sys.stdin.read()
options = {"s3": {"endpoint_url": endpoint, "client_kwargs": {"region_name": "eu-central-1"}}}
place = remote_place(url, options=options, part_bytes=8 << 20)
write_archive(source=Path(source), target=place, recipients=[recipient], progress=Halting())
"""


def test_upload_whose_process_is_killed_is_never_seen(bucket: str, s3: S3, source: Path) -> None:
    command = [sys.executable, "-c", KILLED, f"{bucket}/one", s3.endpoint, str(source), RECIPIENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sending:
        assert sending.stdout is not None
        assert sending.stdout.readline() == b"halted\n"
        sending.send_signal(signal.SIGKILL)
    assert len(uploads(bucket, s3)) == 1, "parts had arrived"
    shelf = RemoteShelf(at(bucket, s3))
    assert shelf.names() == ()
    write_archive(source=source, target=shelf.place("one"), recipients=[RECIPIENT], progress=None)
    assert shelf.names() == ("one",)


def test_damage_in_storage_is_found(bucket: str, s3: S3, source: Path, tmp_path: Path) -> None:
    place = at(f"{bucket}/one", s3)
    write_archive(source=source, target=place, recipients=[RECIPIENT], progress=None)
    whole = bytearray(place.system.cat_file(place.path))
    whole[len(whole) // 2] ^= 1
    place.system.pipe_file(place.path, bytes(whole))
    with pytest.raises(ArchiveDamaged):
        extract_archive(archive=place, target=tmp_path / "again", identities=[IDENTITY], progress=None)
    assert not (tmp_path / "again").exists()


def test_storage_that_says_no_is_told_without_its_own_words(s3: S3, source: Path) -> None:
    for url in ("s3://no-such-bucket/one", "s3://no-such-bucket/folder/one"):
        with pytest.raises(ArchiveError) as refused:
            write_archive(source=source, target=at(url, s3), recipients=[RECIPIENT], progress=None)
        assert "no-such-bucket" in str(refused.value)
        with pytest.raises(ArchiveError, match="no such thing"):
            verify_archive(archive=at(url, s3), identities=[IDENTITY], progress=None)


def test_shelf_lists_and_removes(bucket: str, s3: S3, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "shelf" / "folder").mkdir(parents=True)
    for shelf in (RemoteShelf(at(f"{bucket}/deep/folder/", s3)), LocalShelf(tmp_path / "shelf")):
        assert shelf.names() == ()
        for name in ("one", "two"):
            write_archive(source=tmp_path / "empty", target=shelf.place(name), recipients=[RECIPIENT], progress=None)
        assert sorted(shelf.names()) == ["one", "two"]
        shelf.remove("one")
        assert shelf.names() == ("two",)
    with pytest.raises(ArchiveError):
        LocalShelf(tmp_path / "absent").names()


def test_server_that_is_gone_is_told() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        place = at("s3://bucket/one", S3(f"http://127.0.0.1:{nobody.getsockname()[1]}"))
        with pytest.raises(ArchiveError, match="cannot be read"):
            verify_archive(archive=place, identities=[IDENTITY], progress=None)
