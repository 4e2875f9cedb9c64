"""Sparse and huge files: holes are kept, nothing is held in memory, and other tools read the same."""

from __future__ import annotations

import os
import subprocess
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from strongroom_client.archive.errors import ArchiveError, RefusedEntry
from strongroom_client.archive.reader import extract_archive, list_archive, verify_archive
from strongroom_client.archive.sparse import MAX_EXTENTS, Extent, encode_map
from strongroom_client.archive.writer import write_archive
from tests.integration.client.archives import (
    IDENTITY,
    RECIPIENT,
    extract,
    extract_naively,
    opened,
    picture,
    sealed,
    write,
)

GIB = 1 << 30
PIECE = b"data" * 16_384
UNIT = 512


def make_sparse(path: Path, *, size: int, places: list[int]) -> None:
    with path.open("wb") as file:
        for place in places:
            file.seek(place)
            file.write(PIECE)
        file.truncate(size)


def make_tree(root: Path) -> None:
    root.mkdir()
    make_sparse(root / "in the middle", size=8 << 20, places=[0, 4 << 20, (8 << 20) - len(PIECE)])
    make_sparse(root / "at both ends", size=8 << 20, places=[1 << 20])
    make_sparse(root / "nothing but a hole", size=3 << 20, places=[])
    make_sparse(root / "odd end", size=(2 << 20) + 77, places=[1 << 20])
    make_sparse(root / ("long name " * 15), size=1 << 20, places=[512 << 10])
    make_sparse(Path(os.fsdecode(os.fsencode(root) + b"/not utf-8 \xff")), size=1 << 20, places=[0])
    (root / "solid").write_bytes(PIECE)
    (root / "empty").touch()
    os.utime(root / "at both ends", ns=(1, -1_500_000_001))
    (root / "at both ends").chmod(0o640)


def allocated(root: Path) -> dict[str, int]:
    return {path.name: path.stat().st_blocks * UNIT for path in root.iterdir()}


def test_holes_come_back_as_holes(tmp_path: Path) -> None:
    make_tree(tmp_path / "source")
    before, used = picture(tmp_path / "source"), allocated(tmp_path / "source")
    assert used["at both ends"] < 1 << 20, "the file system here keeps holes"
    summary = write(tmp_path / "source", tmp_path / "archive")
    assert summary.bytes_read < 2 << 20, "holes are not read"
    restored = extract_archive(
        archive=tmp_path / "archive", target=tmp_path / "again", identities=[IDENTITY], progress=None
    )
    assert picture(tmp_path / "again") == before
    assert restored.bytes_written == summary.bytes_read
    for name, size in allocated(tmp_path / "again").items():
        assert size <= used[name] + (64 << 10), name


def test_huge_file_is_kept_in_no_memory(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    make_sparse(tmp_path / "source" / "disk.img", size=900 * GIB, places=[0, 500 * GIB, 900 * GIB - len(PIECE)])
    tracemalloc.start()
    try:
        write(tmp_path / "source", tmp_path / "archive")
        extract(tmp_path / "archive", tmp_path / "again")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30 << 20
    assert (tmp_path / "archive").stat().st_size < 1 << 20
    with (tmp_path / "again" / "disk.img").open("rb") as file:
        for place in (0, 500 * GIB, 900 * GIB - len(PIECE)):
            assert os.pread(file.fileno(), len(PIECE), place) == PIECE
        assert os.pread(file.fileno(), 10, 100 * GIB) == bytes(10)
        assert os.fstat(file.fileno()).st_size == 900 * GIB


def test_gnu_tar_and_tarfile_read_the_same(tmp_path: Path) -> None:
    make_tree(tmp_path / "source")
    write(tmp_path / "source", tmp_path / "archive")
    tar = opened(tmp_path / "archive")
    (tmp_path / "by tar").mkdir()
    subprocess.run(["tar", "-x", "-C", tmp_path / "by tar"], input=tar, check=True, capture_output=True)
    extract_naively(tar, tmp_path / "by tarfile")
    contents = {name: (seen.kind, seen.content) for name, seen in picture(tmp_path / "source").items()}
    for unpacked in (tmp_path / "by tar", tmp_path / "by tarfile"):
        assert {name: (seen.kind, seen.content) for name, seen in picture(unpacked).items()} == contents
    assert allocated(tmp_path / "by tar")["at both ends"] < 1 << 20


def tar_sparsely(source: Path, version: str) -> bytes:
    command = ["tar", "-c", "--sparse", "--format=posix", f"--sparse-version={version}", "-C", str(source), "."]
    return subprocess.run(command, check=True, capture_output=True).stdout


def test_what_gnu_tar_stores_sparse_is_restored(tmp_path: Path) -> None:
    make_tree(tmp_path / "source")
    (tmp_path / "archive").write_bytes(sealed(tar_sparsely(tmp_path / "source", "1.0")))
    extract(tmp_path / "archive", tmp_path / "again")
    contents = {name: seen.content for name, seen in picture(tmp_path / "source").items()}
    assert {name: seen.content for name, seen in picture(tmp_path / "again").items()} == contents
    assert allocated(tmp_path / "again")["at both ends"] < 1 << 20


@pytest.mark.parametrize("version", ["0.0", "0.1"])
def test_older_forms_of_sparse_files_are_refused(version: str, tmp_path: Path) -> None:
    make_tree(tmp_path / "source")
    (tmp_path / "archive").write_bytes(sealed(tar_sparsely(tmp_path / "source", version)))
    with pytest.raises(RefusedEntry, match="format that this reader does not know"):
        extract(tmp_path / "archive", tmp_path / "again")


def sparse_tar(map_and_data: bytes, **headers: str) -> bytes:
    info = tarfile.TarInfo("GNUSparseFile.0/x")
    info.size = len(map_and_data)
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "x",
        "GNU.sparse.realsize": "1000",
    } | headers
    info.pax_headers = {name: value for name, value in info.pax_headers.items() if value != "-"}
    padding = bytes(-len(map_and_data) % 512)
    return info.tobuf(format=tarfile.PAX_FORMAT) + map_and_data + padding + bytes(1024)


def map_of(text: str) -> bytes:
    return text.encode() + bytes(-len(text) % 512)


@pytest.mark.parametrize(
    ("stored", "headers"),
    [
        (map_of("1\n0\n10\n") + b"0123456789", {"GNU.sparse.name": "../x"}),
        (map_of("1\n0\n10\n") + b"0123456789", {"GNU.sparse.name": "-"}),
        (map_of("1\n0\n10\n") + b"0123456789", {"GNU.sparse.realsize": "-"}),
        (map_of("1\n0\n10\n") + b"0123456789", {"GNU.sparse.realsize": "5"}),
        (map_of("1\n0\n10\n") + b"0123456789", {"GNU.sparse.realsize": "1e3"}),
        (map_of("1\n0\n10\n") + b"0123456789", {"GNU.sparse.realsize": "9" * 19}),
        (map_of("1\n0\n10\n") + b"0123456789", {"GNU.sparse.minor": "1"}),
        (map_of("1\n0\n10\n") + b"012345678", {}),
        (map_of("1\n0\n10\n") + b"0123456789A", {}),
        (map_of("2\n5\n5\n0\n5\n") + b"0123456789", {}),
        (map_of("2\n0\n6\n5\n4\n") + b"0123456789", {}),
        (map_of("1\n995\n10\n") + b"0123456789", {}),
        (map_of("2\n0\n10\n"), {}),
        (map_of("-1\n"), {}),
        (map_of("1\n-5\n10\n") + b"0123456789", {}),
        (map_of("1\n 0\n10\n") + b"0123456789", {}),
        (map_of(f"{MAX_EXTENTS + 1}\n"), {}),
        (b"1" * 2048, {}),
        (b"1\n0\n10\n", {}),
        (b"", {}),
    ],
)
def test_maps_that_lie_are_refused(stored: bytes, headers: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(sealed(sparse_tar(stored, **headers)))
    with pytest.raises(RefusedEntry):
        verify_archive(archive=tmp_path / "archive", identities=[IDENTITY], progress=None)
    with pytest.raises(ArchiveError):
        extract(tmp_path / "archive", tmp_path / "again")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive"]


def test_control_honest_map_is_taken(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(sealed(sparse_tar(map_of("2\n990\n10\n1000\n0\n") + b"0123456789")))
    extract(tmp_path / "archive", tmp_path / "again")
    assert (tmp_path / "again" / "x").read_bytes() == bytes(990) + b"0123456789"
    [entry] = list_archive(archive=tmp_path / "archive", identities=[IDENTITY], progress=None)
    assert (entry.name, entry.size, entry.stored) == ("x", 1000, 10)


def test_file_of_very_many_pieces_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strongroom_client.archive.sparse.MAX_EXTENTS", 4)
    (tmp_path / "source").mkdir()
    make_sparse(tmp_path / "source" / "x", size=16 << 20, places=[place << 20 for place in range(0, 16, 2)])
    write(tmp_path / "source", tmp_path / "archive")
    [_, entry] = list_archive(archive=tmp_path / "archive", identities=[IDENTITY], progress=None)
    assert entry.extents is not None
    assert len(entry.extents) <= 4
    extract(tmp_path / "archive", tmp_path / "again")
    assert picture(tmp_path / "again") == picture(tmp_path / "source")


def test_map_says_where_a_file_ends(tmp_path: Path) -> None:
    assert encode_map((Extent(512, 10),), size=1000, block_bytes=512).rstrip(b"\0") == b"2\n512\n10\n1000\n0\n"
    assert encode_map((Extent(990, 10),), size=1000, block_bytes=512).rstrip(b"\0") == b"1\n990\n10\n"


def test_sparse_file_that_is_written_to_meanwhile_is_not_archived(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    make_sparse(tmp_path / "source" / "x", size=8 << 20, places=[0])

    class Filling:
        def begin(self, *, task: str, total_bytes: int) -> None:
            assert total_bytes < 1 << 20, "what is shown as to be done has no holes"

        def advance(self, count: int) -> None:
            with (tmp_path / "source" / "x").open("r+b") as file:
                file.seek(4 << 20)
                file.write(b"late")

        def end(self) -> None:
            pass

    with pytest.raises(ArchiveError, match="was written to"):
        write_archive(
            source=tmp_path / "source", target=tmp_path / "archive", recipients=[RECIPIENT], progress=Filling()
        )
    assert not (tmp_path / "archive").exists()
