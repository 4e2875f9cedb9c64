from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from strongroom_client.age_keys import generate_identity
from strongroom_client.archive.errors import ArchiveDamaged, ArchiveError, ArchiveLocked
from strongroom_client.archive.reader import extract_archive, verify_archive
from strongroom_client.archive.tar_format import END_OF_ARCHIVE
from strongroom_client.archive.writer import write_archive
from tests.integration.client.archives import IDENTITY, RECIPIENT, member, sealed, tar_of

AGE_CHUNK = 65536 + 16
TAR = tar_of([member("file", content=b"content" * 100)])
ENTRY = TAR[: 512 + 1024]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("sound")
    (folder / "source").mkdir()
    for name in ("a", "b", "c"):
        (folder / "source" / name).write_bytes(os.urandom(150_000))
    write_archive(source=folder / "source", target=folder / "archive", recipients=[RECIPIENT], progress=None)
    return (folder / "archive").read_bytes()


def assert_nothing_comes_out(content: bytes, tmp_path: Path, error: type[ArchiveError] = ArchiveDamaged) -> None:
    (tmp_path / "archive").write_bytes(content)
    with pytest.raises(error):
        extract_archive(archive=tmp_path / "archive", target=tmp_path / "target", identities=[IDENTITY], progress=None)
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]
    with pytest.raises(error):
        verify_archive(archive=tmp_path / "archive", identities=[IDENTITY], progress=None)


def test_control_the_sound_archive_comes_out(archive: bytes, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(archive)
    extract_archive(archive=tmp_path / "archive", target=tmp_path / "target", identities=[IDENTITY], progress=None)
    assert sorted(path.name for path in (tmp_path / "target").iterdir()) == ["a", "b", "c"]


def test_an_archive_cut_short_anywhere_leaves_nothing(archive: bytes, tmp_path: Path) -> None:
    last_chunk = (len(archive) % AGE_CHUNK) or AGE_CHUNK
    between_chunks = [len(archive) - last_chunk - number * AGE_CHUNK for number in range(3)]
    for size in (0, 1, 100, 200, 1000, 100_000, len(archive) - 1, *between_chunks):
        assert_nothing_comes_out(archive[:size], tmp_path)


def test_an_altered_archive_leaves_nothing(archive: bytes, tmp_path: Path) -> None:
    in_stanza = archive.index(b"X25519") + 60
    for position in (0, in_stanza, in_stanza + 40, 300, 1000, 70_000, 300_000, len(archive) - 1):
        altered = bytearray(archive)
        altered[position] ^= 0x01
        # The header is authenticated by a key inside the stanza: one that was altered fits no identity.
        error = ArchiveError if position in {in_stanza, in_stanza + 40} else ArchiveDamaged
        assert_nothing_comes_out(bytes(altered), tmp_path, error)


def test_chunks_cannot_be_swapped_dropped_or_added(archive: bytes, tmp_path: Path) -> None:
    start = len(archive) - (len(archive) % AGE_CHUNK) - 3 * AGE_CHUNK
    one, other = archive[start : start + AGE_CHUNK], archive[start + AGE_CHUNK : start + 2 * AGE_CHUNK]
    before, behind = archive[:start], archive[start + 2 * AGE_CHUNK :]
    for wrong in (other + one, one, other, one + one + other):
        assert_nothing_comes_out(before + wrong + behind, tmp_path)
    assert_nothing_comes_out(archive + b"x", tmp_path)
    assert_nothing_comes_out(archive + archive, tmp_path)


def test_another_identity_is_told_so(archive: bytes, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(archive)
    for identities in ([generate_identity()], []):
        with pytest.raises(ArchiveLocked):
            extract_archive(
                archive=tmp_path / "archive", target=tmp_path / "target", identities=identities, progress=None
            )
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


@pytest.mark.parametrize(
    "content",
    [
        sealed(TAR, compressed=False),
        sealed(b"not zstd" * 1000, compressed=False),
        sealed(b""),
        sealed(b"not tar" * 1000),
        sealed(ENTRY),
        sealed(ENTRY + END_OF_ARCHIVE[:512]),
        sealed(ENTRY + END_OF_ARCHIVE[:512] + ENTRY),
        sealed(ENTRY[:-1]),
        sealed(ENTRY[:512]),
        sealed(ENTRY[:100]),
        sealed(TAR + ENTRY),
        sealed(TAR + b"x"),
        sealed(bytes([TAR[0] ^ 1]) + TAR[1:]),
    ],
)
def test_what_is_sound_age_but_no_whole_archive_leaves_nothing(content: bytes, tmp_path: Path) -> None:
    assert_nothing_comes_out(content, tmp_path)


@pytest.mark.parametrize(
    "records", [b"x", b"5 x\n", b"9 path=a\n x", b"99 path=a\n", b"0 path=a\n", b"3 \n", b"\xff" * 9]
)
def test_malformed_pax_headers_are_refused(records: bytes, tmp_path: Path) -> None:
    info, _ = member("extra", tarfile.XHDTYPE)
    info.size = len(records)
    extra = info.tobuf(tarfile.USTAR_FORMAT) + records.ljust(512, b"\0")
    assert_nothing_comes_out(sealed(extra + TAR), tmp_path)


def test_extra_header_without_an_entry_is_refused(tmp_path: Path) -> None:
    info, _ = member("extra", tarfile.GNUTYPE_LONGNAME)
    assert_nothing_comes_out(sealed(info.tobuf(tarfile.GNU_FORMAT) + END_OF_ARCHIVE), tmp_path)


def test_missing_or_unreadable_archive_is_named(tmp_path: Path) -> None:
    for missing in (tmp_path / "missing", tmp_path):
        with pytest.raises(ArchiveError, match="cannot be"):
            extract_archive(archive=missing, target=tmp_path / "target", identities=[IDENTITY], progress=None)
    assert list(tmp_path.iterdir()) == []
