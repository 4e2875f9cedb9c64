from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.development.sample_tree import make_sample_tree
from deploy.development.stage import remove_tree
from deploy.development.tree_comparison import Kind, Tree, describe_tree


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    folder = tmp_path_factory.mktemp("sample") / "tree"
    make_sample_tree(folder)
    yield describe_tree(folder)
    remove_tree(folder)


def test_sample_is_as_large_as_promised(sample: Tree) -> None:
    assert sample.files >= 200
    assert sample.content_bytes >= 50_000_000


def test_sample_has_the_names_that_break_programs(sample: Tree) -> None:
    names = [name.rpartition(b"/")[2] for name in sample.entries]
    assert any(b" " in name for name in names)
    assert any(b"\n" in name for name in names)
    assert any(name.startswith(b"-") for name in names)
    assert max(map(len, names)) == 255
    assert any(not _is_utf8(name) for name in names)
    assert any("\N{PARTY POPPER}".encode() in name for name in names)


def test_sample_has_each_kind_of_content_link_mode_and_time(sample: Tree) -> None:
    entries = sample.entries.values()
    files = [entry for entry in entries if entry.kind is Kind.FILE]
    names = sample.entries.keys()
    folders = [name for name, entry in sample.entries.items() if entry.kind is Kind.FOLDER]
    assert any(entry.content is not None and entry.content[0] == 0 for entry in files)
    assert any(not any(name.startswith(folder + b"/") for name in names) for folder in folders)
    assert any(entry.link == b"nowhere/at/all" for entry in entries)
    assert {len(entry.names) for entry in files} == {1, 2, 3}
    assert {0o600, 0o755, 0o444} <= {entry.mode for entry in files}
    assert any(entry.mode == 0o555 for entry in entries if entry.kind is Kind.FOLDER)
    assert min(entry.mtime_ns for entry in entries) < 0
    assert any(entry.mtime_ns % 1_000_000_000 for entry in entries)


def test_removal_takes_read_only_folders_and_leaves_what_links_point_to(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o755)
    (outside / "kept").touch(mode=0o444)
    folder = tmp_path / "folder"
    (folder / "read-only").mkdir(parents=True)
    (folder / "read-only" / "file").touch(mode=0o400)
    (folder / "read-only" / "link").symlink_to(outside)
    (folder / "read-only").chmod(0o500)
    remove_tree(folder)
    assert not folder.exists()
    assert os.listdir(outside) == ["kept"]  # noqa: PTH208  as short as can be
    assert stat.S_IMODE(outside.stat().st_mode) == 0o755
    assert stat.S_IMODE((outside / "kept").stat().st_mode) == 0o444


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
