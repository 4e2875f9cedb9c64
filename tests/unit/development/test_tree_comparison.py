from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.development.tree_comparison import TreesDiffer, describe_tree, require_same_trees

_TIME_NS = 1_000_000_000_123_456_789


@pytest.fixture
def original(tmp_path: Path) -> Path:
    root = tmp_path / "original"
    (root / "folder" / "empty").mkdir(parents=True)
    (root / "folder" / "file").write_bytes(b"content")
    (root / "twin").hardlink_to(root / "folder" / "file")
    (root / "alone").write_bytes(b"content")
    (root / "link").symlink_to("folder/file")
    (root / os.fsdecode(b"odd \xff\n")).touch(mode=0o600)
    for path in [*root.rglob("*"), root]:
        os.utime(path, ns=(_TIME_NS, _TIME_NS), follow_symlinks=False)
    return root


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    root = tmp_path / "copy"
    shutil.copytree(original, root, symlinks=True)
    (root / "twin").unlink()
    (root / "twin").hardlink_to(root / "folder" / "file")
    for path in [*root.rglob("*"), root]:
        os.utime(path, ns=(_TIME_NS, _TIME_NS), follow_symlinks=False)
    return root


def _compare(original: Path, copy: Path) -> None:
    require_same_trees(expected=describe_tree(original), found=describe_tree(copy))


def _with_old_times(change: Callable[[Path], object], root: Path) -> None:
    """Make a change that times do not tell."""
    change(root)
    for path in [*root.rglob("*"), root]:
        os.utime(path, ns=(_TIME_NS, _TIME_NS), follow_symlinks=False)


def _replace(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


def test_honest_copy_is_the_same(original: Path, copy: Path) -> None:
    _compare(original, copy)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param(lambda root: (root / "alone").write_bytes(b"c0ntent"), "alone", id="changed byte"),
        pytest.param(lambda root: (root / "alone").write_bytes(b"content\0"), "alone", id="one byte more"),
        pytest.param(lambda root: (root / "alone").chmod(0o640), "alone", id="mode of a file"),
        pytest.param(lambda root: (root / "folder").chmod(0o700), "folder", id="mode of a folder"),
        pytest.param(lambda root: root.chmod(0o711), ".", id="mode of the root"),
        pytest.param(lambda root: (root / "alone").rename(root / "Alone"), "Alone", id="name"),
        pytest.param(lambda root: (root / "alone").unlink(), "alone", id="missing file"),
        pytest.param(lambda root: (root / "folder" / "empty").rmdir(), "folder/empty", id="missing folder"),
        pytest.param(lambda root: (root / "extra").touch(), "extra", id="extra file"),
        pytest.param(lambda root: (root / "folder" / "extra").mkdir(), "folder/extra", id="extra folder"),
        pytest.param(
            lambda root: _replace(root / "link", lambda path: path.symlink_to("folder/empty")), "link", id="link target"
        ),
        pytest.param(
            lambda root: _replace(root / "link", lambda path: path.write_bytes(b"content")), "link", id="link followed"
        ),
        pytest.param(
            lambda root: _replace(root / "twin", lambda path: path.write_bytes(b"content")),
            "twin",
            id="hard link split",
        ),
        pytest.param(
            lambda root: _replace(root / "alone", lambda path: path.hardlink_to(root / "twin")),
            "alone",
            id="files joined",
        ),
        pytest.param(lambda root: _replace(root / "alone", Path.mkdir), "alone", id="folder in place of a file"),
    ],
)
def test_difference_is_noticed_and_named(
    original: Path, copy: Path, change: Callable[[Path], object], named: str
) -> None:
    _with_old_times(change, copy)
    with pytest.raises(TreesDiffer) as differ:
        _compare(original, copy)
    assert any(difference.startswith(f"b'{named}'") for difference in differ.value.differences), differ.value


@pytest.mark.parametrize("name", ["alone", "folder/empty", "link", "."])
def test_nanosecond_of_difference_is_noticed(original: Path, copy: Path, name: str) -> None:
    os.utime(copy / name, ns=(_TIME_NS, _TIME_NS + 1), follow_symlinks=False)
    with pytest.raises(TreesDiffer) as differ:
        _compare(original, copy)
    assert differ.value.differences == (f"b'{name}': mtime_ns was {_TIME_NS} and is {_TIME_NS + 1}",)


def test_missing_and_extra_are_told_apart(original: Path, copy: Path) -> None:
    _with_old_times(lambda root: (root / "alone").rename(root / "other"), copy)
    with pytest.raises(TreesDiffer) as differ:
        _compare(original, copy)
    assert differ.value.differences == ("b'alone' is missing", "b'other' is extra")


def test_message_names_the_first_few_differences_only(original: Path, copy: Path) -> None:
    for number in range(20):
        (copy / f"{number:02}").touch()
    os.utime(copy, ns=(_TIME_NS, _TIME_NS))
    with pytest.raises(TreesDiffer, match=r"b'04' is extra; and 15 more$"):
        _compare(original, copy)


def test_what_no_archive_can_hold_is_passed_over(original: Path, copy: Path) -> None:
    os.mkfifo(copy / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(copy / "socket"))
    os.utime(copy, ns=(_TIME_NS, _TIME_NS))
    _compare(original, copy)


def test_entries_are_counted_as_archives_count_them(original: Path) -> None:
    tree = describe_tree(original)
    assert (tree.files, tree.folders, tree.links, tree.content_bytes) == (3, 2, 2, 14)
