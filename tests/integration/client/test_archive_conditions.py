"""What an archive may replace, what it may be made of, and what is said when that does not hold."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from strongroom_client.archive.errors import ArchiveError, RefusedEntry, SourceChanged, SourceUnfit, TargetUnfit
from strongroom_client.archive.reader import verify_archive
from strongroom_client.archive.writer import write_archive
from tests.integration.client.archives import IDENTITY, RECIPIENT, extract, member, picture, sealed, tar_of, write


def test_archive_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    write(tmp_path / "source", tmp_path / "archive")
    assert stat.S_IMODE((tmp_path / "archive").stat().st_mode) == 0o600


def test_archive_replaces_a_file_but_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "old").write_bytes(b"old")
    write(tmp_path / "source", tmp_path / "old")
    verify_archive(archive=tmp_path / "old", identities=[IDENTITY], progress=None)
    (tmp_path / "link").symlink_to("old")
    (tmp_path / "folder").mkdir()
    before = picture(tmp_path)
    for target in (tmp_path / "link", tmp_path / "folder", tmp_path / "missing" / "archive"):
        with pytest.raises(TargetUnfit):
            write(tmp_path / "source", target)
    assert picture(tmp_path) == before


def test_source_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "file").touch()
    for source in (tmp_path / "link", tmp_path / "file", tmp_path / "missing"):
        with pytest.raises(SourceUnfit):
            write(source, tmp_path / "archive")
    assert not (tmp_path / "archive").exists()


@pytest.mark.parametrize("recipients", [[], ["age1nonsense"], [RECIPIENT, ""]])
def test_recipients_are_checked(recipients: list[str], tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    with pytest.raises(ArchiveError):
        write_archive(source=tmp_path / "source", target=tmp_path / "archive", recipients=recipients, progress=None)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_target_of_a_restore_may_be_an_empty_folder_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").touch()
    write(tmp_path / "source", tmp_path / "archive")
    (tmp_path / "empty").mkdir()
    extract(tmp_path / "archive", tmp_path / "empty")
    assert (tmp_path / "empty" / "file").exists()
    (tmp_path / "hollow").mkdir()
    (tmp_path / "link").symlink_to("hollow")
    before = picture(tmp_path)
    for target in ("empty", "archive", "link", "missing/folder"):
        with pytest.raises(TargetUnfit):
            extract(tmp_path / "archive", tmp_path / target)
    assert picture(tmp_path) == before


class Meddling:
    """A progress that changes the source at the first byte read from it."""

    def __init__(self, meddle: object) -> None:
        assert callable(meddle)
        self._meddle = meddle
        self._done = False

    def begin(self, *, task: str, total_bytes: int) -> None:
        pass

    def advance(self, count: int) -> None:
        if not self._done:
            self._done = True
            self._meddle()

    def end(self) -> None:
        pass


def test_source_that_changes_while_read_is_reported_by_name_and_leaves_no_archive(tmp_path: Path) -> None:
    def append(source: Path) -> None:
        with (source / "a").open("ab") as file:
            file.write(b"more")

    changes = {
        "shortened": (lambda source: os.truncate(source / "a", 10), "a"),
        "grown": (append, "a"),
        "rewritten": (lambda source: os.utime(source / "a", ns=(1, 1)), "a"),
        "vanished": (lambda source: (source / "z").unlink(), "z"),
    }
    for name, (change, culprit) in changes.items():
        source = tmp_path / name
        source.mkdir()
        (source / "a").write_bytes(os.urandom(2 << 20))
        (source / "z").write_bytes(b"later")
        before = sorted(tmp_path.iterdir())
        with pytest.raises(SourceChanged) as caught:
            write_archive(
                source=source,
                target=tmp_path / "archive",
                recipients=[RECIPIENT],
                progress=Meddling(lambda change=change, source=source: change(source)),
            )
        assert caught.value.name == culprit
        assert repr(culprit) in str(caught.value)
        assert sorted(tmp_path.iterdir()) == before


def test_names_in_errors_cannot_command_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(sealed(tar_of([member("../\x1b]0;owned\x07\N{RIGHT-TO-LEFT OVERRIDE}")])))
    with pytest.raises(RefusedEntry) as caught:
        extract(tmp_path / "archive", tmp_path / "restored")
    assert str(caught.value).isprintable()
    assert str(caught.value).isascii()
