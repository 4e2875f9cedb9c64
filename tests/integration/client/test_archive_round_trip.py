from __future__ import annotations

import io
import os
import socket
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom_client.age_keys import generate_identity, recipient_of
from strongroom_client.archive.reader import extract_archive, verify_archive
from strongroom_client.archive.writer import write_archive
from tests.integration.client.archives import (
    IDENTITY,
    RECIPIENT,
    extract,
    extract_naively,
    member,
    opened,
    picture,
    sealed,
    tar_of,
    write,
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
