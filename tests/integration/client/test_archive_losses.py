"""A backup that goes on: what changes or cannot be read is left out whole, named, and harms nothing else."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom_client.archive.errors import SourceChanged
from strongroom_client.archive.reader import list_archive
from strongroom_client.archive.writer import ArchiveSummary, write_archive
from tests.integration.client.archives import IDENTITY, RECIPIENT, extract

MIB = 1 << 20
OS = "strongroom_client.archive.source_tree.os"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a", "b/inner", "c", "z"):
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "source" / "link").symlink_to("a")
    return tmp_path


def backup(root: Path) -> ArchiveSummary:
    return write_archive(
        source=root / "source", target=root / "archive", recipients=[RECIPIENT], progress=None, keep_going=True
    )


def names(root: Path) -> set[str]:
    entries = list_archive(archive=root / "archive", identities=[IDENTITY], progress=None)
    return {entry.name for entry in entries} - {"."}


def before_each(monkeypatch: pytest.MonkeyPatch, call: str, do: Callable[[object], None]) -> None:
    """Have `do` look at the first argument of each such call to the operating system, and perhaps meddle."""
    real = getattr(os, call)

    def meddled(first: object, *arguments: object, **more: object) -> object:
        do(first)
        return real(first, *arguments, **more)

    monkeypatch.setattr(f"{OS}.{call}", meddled)


def test_file_that_changes_once_is_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[object] = []

    def rewrite(_: object) -> None:
        reads.append(None)
        if len(reads) == 1:
            (root / "source" / "a").write_text("changed meanwhile")

    before_each(monkeypatch, "pread", rewrite)
    summary = backup(root)
    assert summary.lost == ()
    extract(root / "archive", root / "again")
    assert (root / "again" / "a").read_text() == "changed meanwhile"
    assert summary.files == 4
    assert summary.bytes_read == len("changed meanwhile") + len("b/inner") + 2


def test_file_that_is_replaced_in_one_step_is_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replaced: list[object] = []

    def swap(path: object) -> None:
        if path == "a" and not replaced:
            replaced.append(path)
            (root / "new").write_text("the new one")
            (root / "new").replace(root / "source" / "a")

    before_each(monkeypatch, "open", swap)
    assert backup(root).lost == ()
    extract(root / "archive", root / "again")
    assert (root / "again" / "a").read_text() == "the new one"


def test_file_that_never_rests_is_left_out_and_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(1, 100))
    inode = (root / "source" / "c").stat().st_ino

    def tick(descriptor: object) -> None:
        assert isinstance(descriptor, int)
        if os.fstat(descriptor).st_ino == inode:
            os.utime(root / "source" / "c", ns=(0, next(ticks)))

    before_each(monkeypatch, "pread", tick)
    summary = backup(root)
    assert [(loss.name, "was written to" in loss.said) for loss in summary.lost] == [("c", True)]
    assert names(root) == {"a", "b", "b/inner", "link", "z"}
    assert (summary.files, summary.bytes_read) == (3, len("ab/innerz"))
    assert next(ticks) == 4, "three tries"


@pytest.mark.parametrize(
    ("call", "gone", "left"),
    [
        ("stat", "z", {"a", "b", "b/inner", "c", "link"}),
        ("open", "z", {"a", "b", "b/inner", "c", "link"}),
        ("readlink", "link", {"a", "b", "b/inner", "c", "z"}),
        ("open", "b", {"a", "b", "c", "link", "z"}),
    ],
)
def test_what_vanishes_is_left_out_and_named(
    call: str, gone: str, left: set[str], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanish(path: object) -> None:
        if path == gone and os.path.lexists(root / "source" / gone):
            (root / "source" / gone).rename(root / "elsewhere")

    before_each(monkeypatch, call, vanish)
    summary = backup(root)
    assert {loss.name for loss in summary.lost} == {gone}
    assert names(root) == left
    extract(root / "archive", root / "again")


def test_what_cannot_be_read_is_left_out_and_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> None:
        if path in {"a", "b"}:
            raise PermissionError(errno.EACCES, "Permission denied")

    before_each(monkeypatch, "open", refuse)
    summary = backup(root)
    assert {loss.name for loss in summary.lost} == {"a", "b"}
    assert names(root) == {"b", "c", "link", "z"}, "a folder that cannot be read is there, and empty"


def test_file_known_by_another_name_is_taken_under_that(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.link(root / "source" / "a", root / "source" / "second")
    os.link(root / "source" / "a", root / "source" / "third")

    def refuse(path: object) -> None:
        if path == "a":
            raise PermissionError(errno.EACCES, "Permission denied")

    before_each(monkeypatch, "open", refuse)
    assert {loss.name for loss in backup(root).lost} == {"a"}
    extract(root / "archive", root / "again")
    assert (root / "again" / "second").read_text() == "a"
    assert (root / "again" / "third").samefile(root / "again" / "second")


def test_large_file_that_changes_under_way_still_ends_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "source" / "large").write_bytes(os.urandom(17 * MIB))
    inode = (root / "source" / "large").stat().st_ino

    def tick(descriptor: object) -> None:
        assert isinstance(descriptor, int)
        if os.fstat(descriptor).st_ino == inode:
            os.utime(root / "source" / "large", ns=(0, 1))

    before_each(monkeypatch, "pread", tick)
    with pytest.raises(SourceChanged):
        backup(root)
    assert not (root / "archive").exists()


def test_large_file_that_rests_is_taken(root: Path) -> None:
    (root / "source" / "large").write_bytes(os.urandom(17 * MIB))
    assert backup(root).lost == ()
    assert "large" in names(root)
