from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from strongroom_client.archive.errors import SourceChanged
from strongroom_client.archive.patterns import nothing
from strongroom_client.archive.source_tree import link_target, opened_file, opened_source, walk_source


def replace_by_another_file(path: Path) -> None:
    (path.parent / "other").write_bytes(b"other")
    (path.parent / "other").replace(path)


def replace_by_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "change", [Path.unlink, replace_by_another_file, replace_by_link, replace_by_pipe, replace_by_folder]
)
def test_file_replaced_between_look_and_open_is_not_read(change: Callable[[Path], None], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with opened_source(tmp_path) as root, closing(walk_source(root, leave_out=nothing)) as walk:
        found = next(walk)
        change(tmp_path / "file")
        with pytest.raises(SourceChanged) as caught, opened_file(found):
            pass
    assert caught.value.name == "file"


def test_folder_replaced_by_a_link_is_not_entered(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with opened_source(tmp_path) as root, closing(walk_source(root, leave_out=nothing)) as walk:
        next(walk)
        (tmp_path / "folder").rmdir()
        (tmp_path / "folder").symlink_to("/etc")
        with pytest.raises(SourceChanged) as caught:
            next(walk)
    assert caught.value.name == "folder"


def test_link_replaced_by_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("there")
    with opened_source(tmp_path) as root, closing(walk_source(root, leave_out=nothing)) as walk:
        found = next(walk)
        assert link_target(found) == "there"
        (tmp_path / "link").unlink()
        (tmp_path / "link").touch()
        with pytest.raises(SourceChanged):
            link_target(found)
