from __future__ import annotations

import io
import os
import socket
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom_client.age_keys import generate_identity, recipient_of
from strongroom_client.archive.errors import ArchiveError, RefusedEntry, SourceChanged, SourceUnfit, TargetUnfit
from strongroom_client.archive.reader import extract_archive, verify_archive
from strongroom_client.archive.writer import ArchiveSummary, write_archive
from tests.integration.client.archives import (
    IDENTITY,
    RECIPIENT,
    extract_naively,
    member,
    opened,
    picture,
    sealed,
    tar_of,
)

ODD_NAMES = [
    b"plain",
    b" leading and trailing ",
    b"new\nline",
    b"-rf",
    b"back\\slash",
    b"tab\tquote'\"$(x)`",
    b"\xff\xfe not utf-8",
    "ünïcödé \N{SNOWMAN}".encode(),
    "u\N{COMBINING DIAERESIS} decomposed".encode(),
    b"lone surrogate \xed\xa0\x80",
    b"..hidden",
    b"...",
    b"n" * 255,
]
NAMES = st.binary(min_size=1, max_size=20).filter(lambda name: name not in {b".", b".."} and not {0, 0x2F} & set(name))
TREES = st.recursive(
    st.binary(max_size=2000), lambda children: st.dictionaries(NAMES, children, max_size=4), max_leaves=12
).filter(lambda tree: isinstance(tree, dict))


def write(source: Path, target: Path) -> ArchiveSummary:
    return write_archive(source=source, target=target, recipients=[RECIPIENT], progress=None)


def extract(archive: Path, target: Path) -> None:
    extract_archive(archive=archive, target=target, identities=[IDENTITY], progress=None)


def make_odd_tree(root: Path) -> None:
    root.mkdir()
    base = os.fsencode(root)
    for number, name in enumerate(ODD_NAMES):
        with open(base + b"/" + name, "wb") as file:  # noqa: PTH123  a Path holds no bytes
            file.write(name * number * 100)
    (root / "empty file").touch()
    (root / "empty folder").mkdir()
    (root / "block").write_bytes(b"x" * 512)
    (root / "large").write_bytes(os.urandom(3_000_001))
    folder = root / "deep"
    for depth in range(30):
        folder /= f"{depth}-{'d' * 100}"
    folder.mkdir(parents=True)
    (folder / "bottom").write_bytes(b"found")
    (root / "first name").write_bytes(b"one file, three names")
    os.link(root / "first name", root / "second name")
    os.link(root / "first name", root / "empty folder" / "third name")
    (root / "to a file").symlink_to("plain")
    (root / "to a folder").symlink_to("deep")
    (root / "to nothing").symlink_to("no/such/thing")
    (root / "long link").symlink_to("x/" * 200)
    (root / "outward").symlink_to("/nowhere/at/all")
    os.symlink(b"\xff\xfe", base + b"/odd link")  # noqa: PTH211  a Path holds no bytes
    for text, mode in (("plain", 0o400), ("block", 0o777), ("empty file", 0o642), ("empty folder", 0o555)):
        (root / text).chmod(mode)
    times = [1, 999_999_999, 1_700_000_000_123_456_789, -1, -1_500_000_001, 2**33 * 10**9 + 7]
    for path, mtime_ns in zip(sorted(root.iterdir()), times * 9, strict=False):
        os.utime(path, ns=(mtime_ns, mtime_ns), follow_symlinks=False)
    os.utime(root, ns=(5, 1_234_567_890_000_000_001))


def test_odd_tree_comes_back_as_it_was(tmp_path: Path) -> None:
    make_odd_tree(tmp_path / "source")
    before = picture(tmp_path / "source")
    summary = write(tmp_path / "source", tmp_path / "archive")
    restored = extract_archive(
        archive=tmp_path / "archive", target=tmp_path / "restored", identities=[IDENTITY], progress=None
    )
    assert picture(tmp_path / "restored") == before
    assert picture(tmp_path / "source") == before
    assert summary.bytes_written == (tmp_path / "archive").stat().st_size
    assert (restored.files, restored.directories, restored.links) == (
        summary.files,
        summary.directories,
        summary.links,
    )
    assert restored.bytes_written == summary.bytes_read
    assert restored.outward_links == ("outward",)
    assert verify_archive(archive=tmp_path / "archive", identities=[IDENTITY], progress=None) == restored


@given(tree=TREES)
@settings(max_examples=40)
def test_any_tree_comes_back_as_it_was(tree: dict[bytes, object], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("tree")
    _build(os.fsencode(folder / "source"), tree)
    write(folder / "source", folder / "archive")
    extract(folder / "archive", folder / "restored")
    assert picture(folder / "restored") == picture(folder / "source")


def _build(path: bytes, tree: object) -> None:
    if isinstance(tree, dict):
        os.mkdir(path)  # noqa: PTH102  a Path holds no bytes
        for name, child in tree.items():
            _build(path + b"/" + name, child)
    else:
        assert isinstance(tree, bytes)
        with open(path, "wb") as file:  # noqa: PTH123  as above
            file.write(tree)


def test_archive_is_tar_in_zstd_in_age_for_other_tools(tmp_path: Path) -> None:
    make_odd_tree(tmp_path / "source")
    write(tmp_path / "source", tmp_path / "archive")
    tar = opened(tmp_path / "archive")
    with tarfile.open(fileobj=io.BytesIO(tar), encoding="utf-8", errors="surrogateescape") as archive:
        names = {os.fsencode(name) for name in archive.getnames()}
    assert names == set(picture(tmp_path / "source"))
    extract_naively(tar, tmp_path / "by tarfile")
    (tmp_path / "by tar").mkdir()
    subprocess.run(["tar", "-x", "-C", tmp_path / "by tar"], input=tar, check=True, capture_output=True)
    contents = {name: (seen.kind, seen.content) for name, seen in picture(tmp_path / "source").items()}
    for unpacked in (tmp_path / "by tarfile", tmp_path / "by tar"):
        assert {name: (seen.kind, seen.content) for name, seen in picture(unpacked).items()} == contents


@pytest.mark.parametrize("tar_format", ["gnu", "posix", "ustar"])
def test_archive_made_by_gnu_tar_opens(tar_format: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "folder").mkdir(parents=True)
    (source / "folder" / "file").write_bytes(b"content" * 1000)
    if tar_format != "ustar":
        (source / ("n" * 200)).symlink_to("t" * 200)
    os.link(source / "folder" / "file", source / "second")
    command = ["tar", "-c", f"--format={tar_format}", "-C", str(source), "."]
    made = subprocess.run(command, check=True, capture_output=True).stdout
    (tmp_path / "archive").write_bytes(sealed(made))
    extract(tmp_path / "archive", tmp_path / "restored")
    contents = {name: (seen.kind, seen.mode, seen.content) for name, seen in picture(source).items()}
    assert {n: (s.kind, s.mode, s.content) for n, s in picture(tmp_path / "restored").items()} == contents


def test_folders_that_no_entry_names_are_made_and_private(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(sealed(tar_of([member("a/b/file"), member("a", tarfile.DIRTYPE, mode=0o750)])))
    extract(tmp_path / "archive", tmp_path / "restored")
    restored = picture(tmp_path / "restored")
    assert (restored[b"a"].mode, restored[b"a/b"].mode, restored[b"."].mode) == (0o750, 0o700, 0o700)


def test_what_no_archive_can_hold_is_skipped_and_listed(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    os.mkfifo(source / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(source / "socket"))
        summary = write(source, tmp_path / "archive")
    assert summary.skipped == ("pipe", "socket")
    extract(tmp_path / "archive", tmp_path / "restored")
    assert list((tmp_path / "restored").iterdir()) == []


def test_archive_inside_its_own_source_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    target = tmp_path / "backup.tar.zst.age"
    assert write(tmp_path, target).skipped == ()
    assert write(tmp_path, target).skipped == (target.name,)
    summary = verify_archive(archive=target, identities=[IDENTITY], progress=None)
    assert (summary.files, summary.bytes_written) == (1, len(b"content"))


def test_every_recipient_opens_the_archive(tmp_path: Path) -> None:
    recovery = generate_identity()
    (tmp_path / "source").mkdir()
    recipients = [RECIPIENT, recipient_of(recovery)]
    write_archive(source=tmp_path / "source", target=tmp_path / "archive", recipients=recipients, progress=None)
    for identities in ([IDENTITY], [recovery], [generate_identity(), recovery]):
        verify_archive(archive=tmp_path / "archive", identities=identities, progress=None)


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
