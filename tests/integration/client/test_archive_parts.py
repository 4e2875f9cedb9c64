"""What a backup leaves out, and what a restore picks."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from strongroom_client.archive.errors import ArchiveDamaged, NothingChosen, PatternError, RefusedEntry
from strongroom_client.archive.reader import ExtractSummary, extract_archive, list_archive
from strongroom_client.archive.selection import Selection
from strongroom_client.archive.tar_format import Entry
from strongroom_client.archive.writer import ArchiveSummary, write_archive
from tests.integration.client.archives import IDENTITY, RECIPIENT, member, picture, sealed, tar_of, write


def backup(root: Path, *exclude: str) -> ArchiveSummary:
    return write_archive(
        source=root / "source", target=root / "archive", recipients=[RECIPIENT], progress=None, exclude=exclude
    )


def pick(root: Path, *only: str, to: str = "again") -> ExtractSummary:
    return extract_archive(archive=root / "archive", target=root / to, identities=[IDENTITY], progress=None, only=only)


def names(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a `source` in it."""
    for name in ("docs/a.txt", "docs/deep/b.txt", "docs/deep/b.tmp", "cache/c", "photos/cache/d.jpg", "notes.tmp"):
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "source" / "link").symlink_to("docs/a.txt")
    (tmp_path / "source" / "docs" / "deep").chmod(0o750)
    os.utime(tmp_path / "source" / "docs" / "deep", ns=(5, 1_234_567_890_000_000_001))
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "left_out"),
    [
        (["*.tmp"], {"notes.tmp", "docs/deep/b.tmp"}),
        (["/*.tmp"], {"notes.tmp"}),
        (["cache/"], {"cache", "cache/c", "photos/cache", "photos/cache/d.jpg"}),
        (["/cache"], {"cache", "cache/c"}),
        (["./cache"], {"cache", "cache/c", "photos/cache", "photos/cache/d.jpg"}),
        (["*.tmp", "!notes.tmp"], {"docs/deep/b.tmp"}),
        (["docs/", "!docs/a.txt"], {"docs", "docs/a.txt", "docs/deep", "docs/deep/b.txt", "docs/deep/b.tmp"}),
        (["docs/*", "!docs/a.txt"], {"docs/deep", "docs/deep/b.txt", "docs/deep/b.tmp"}),
        (["**/deep/**"], {"docs/deep/b.txt", "docs/deep/b.tmp"}),
        (["# *.tmp", ""], set()),
        (["link"], {"link"}),
    ],
)
def test_patterns_leave_out_what_git_would_ignore(patterns: list[str], left_out: set[str], root: Path) -> None:
    before = names(root / "source")
    backup(root, *patterns)
    extract_archive(archive=root / "archive", target=root / "again", identities=[IDENTITY], progress=None)
    assert names(root / "again") == before - left_out


def test_folder_that_is_left_out_is_not_even_looked_into(root: Path) -> None:
    (root / "source" / "cache").chmod(0o000)
    try:
        summary = backup(root, "cache/", "*.typo")
    finally:
        (root / "source" / "cache").chmod(0o700)
    assert summary.excluded == 2
    assert summary.idle_patterns == ("*.typo",)


def test_malformed_pattern_is_refused_before_anything_is_read(root: Path) -> None:
    with pytest.raises(PatternError):
        backup(root, "!")
    assert not (root / "archive").exists()


@pytest.mark.parametrize(
    ("patterns", "restored"),
    [
        (["docs/deep"], {"docs", "docs/deep", "docs/deep/b.txt", "docs/deep/b.tmp"}),
        (["docs/deep/b.txt"], {"docs", "docs/deep", "docs/deep/b.txt"}),
        (["./docs/deep/b.txt"], {"docs", "docs/deep", "docs/deep/b.txt"}),
        (["*.jpg"], {"photos", "photos/cache", "photos/cache/d.jpg"}),
        (["link"], {"link"}),
        (["*.tmp", "!/notes.tmp"], {"docs", "docs/deep", "docs/deep/b.tmp"}),
    ],
)
def test_part_is_restored_with_the_folders_it_is_in(patterns: list[str], restored: set[str], root: Path) -> None:
    write(root / "source", root / "archive")
    pick(root, *patterns)
    assert names(root / "again") == restored
    whole = picture(root / "source")
    for name, seen in picture(root / "again").items():
        assert (seen.mode, seen.content, seen.kind) == (whole[name].mode, whole[name].content, whole[name].kind)
        assert seen.mtime_ns == whole[name].mtime_ns


def test_nothing_that_fits_leaves_nothing(root: Path) -> None:
    write(root / "source", root / "archive")
    with pytest.raises(NothingChosen, match="archive list"):
        pick(root, "absent")
    with pytest.raises(PatternError):
        pick(root, " ")
    with pytest.raises(PatternError):
        pick(root)
    assert not (root / "again").exists()
    assert pick(root, "docs/a.txt", "absent").idle_patterns == ("absent",)


def test_further_name_of_a_file_brings_its_content(root: Path) -> None:
    os.link(root / "source" / "cache" / "c", root / "source" / "docs" / "second")
    os.link(root / "source" / "cache" / "c", root / "source" / "docs" / "third")
    write(root / "source", root / "archive")
    pick(root, "docs/second", "docs/third")
    assert names(root / "again") == {"docs", "docs/second", "docs/third"}
    assert (root / "again" / "docs" / "second").read_text() == "cache/c"
    assert (root / "again" / "docs" / "second").samefile(root / "again" / "docs" / "third")
    pick(root, "docs/third", "cache", to="both")
    assert (root / "both" / "docs" / "third").samefile(root / "both" / "cache" / "c")


def test_link_to_a_link_brings_its_content(root: Path) -> None:
    members = [
        member("first", content=b"content"),
        member("second", tarfile.LNKTYPE, "first"),
        member("third", tarfile.LNKTYPE, "second"),
    ]
    (root / "archive").write_bytes(sealed(tar_of(members)))
    pick(root, "third")
    assert (root / "again" / "third").read_bytes() == b"content"
    assert names(root / "again") == {"third"}


def test_archive_that_becomes_another_between_two_readings_is_restored_or_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read twice; what was learned of the first may not fit the second, and must lead nowhere."""
    first = sealed(tar_of([member("in/file", content=b"x")]))
    second = sealed(
        tar_of([member("other", content=b"y"), member("in/link", tarfile.LNKTYPE, "other"), member("in/file")])
    )
    (root / "archive").write_bytes(first)
    learn = Selection.learn

    def swap(self: Selection, entries: Iterable[Entry]) -> None:
        learn(self, entries)
        (root / "archive").write_bytes(second)

    monkeypatch.setattr(Selection, "learn", swap)
    with pytest.raises(RefusedEntry, match="hard link to nothing"):
        pick(root, "in")
    assert not (root / "again").exists()


def test_archive_that_is_not_whole_gives_no_part(root: Path) -> None:
    write(root / "source", root / "archive")
    whole = (root / "archive").read_bytes()
    (root / "archive").write_bytes(whole[:-1])
    with pytest.raises(ArchiveDamaged):
        pick(root, "cache")
    assert not (root / "again").exists()


def test_part_of_a_hostile_archive_reaches_no_further(root: Path) -> None:
    members = [member("in/file", content=b"x"), member("../out", content=b"x")]
    (root / "archive").write_bytes(sealed(tar_of(members)))
    with pytest.raises(RefusedEntry):
        pick(root, "in")
    assert not (root / "out").exists()
    stranger = [member("in/file", content=b"x"), member("in/link", tarfile.LNKTYPE, "../../etc/passwd")]
    (root / "archive").write_bytes(sealed(tar_of(stranger)))
    with pytest.raises(RefusedEntry):
        pick(root, "in/link")


def test_listing_names_everything_and_writes_nothing(root: Path) -> None:
    write(root / "source", root / "archive")
    before = picture(root)
    listed = list(list_archive(archive=root / "archive", identities=[IDENTITY], progress=None))
    assert {entry.name for entry in listed} == {"."} | names(root / "source")
    assert picture(root) == before
