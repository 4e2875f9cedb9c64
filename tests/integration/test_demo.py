"""`make demo` on a small folder: what it says, and that it leaves nothing behind however it ends."""

from __future__ import annotations

import os
import re
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from deploy.development.stage import remove_tree
from deploy.development.tree_comparison import describe_tree, require_same_trees
from tests.integration.program import PATIENCE_SECONDS, Program, is_listening

_FILE_LIMIT_BYTES: Final = 4_000_000
pytestmark = pytest.mark.timeout(PATIENCE_SECONDS + 30)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "a folder"
    (root / "within" / "empty").mkdir(parents=True)
    (root / "file").write_bytes(os.urandom(300_000))
    (root / "twin").hardlink_to(root / "file")
    (root / "dangling").symlink_to("nowhere")
    (root / "within" / os.fsdecode(b"-odd \xff\n")).write_text("odd")
    (root / "within" / "private").touch(mode=0o400)
    (root / "within").chmod(0o555)
    yield root
    remove_tree(root)


@pytest.fixture
def temporary() -> Iterator[Path]:
    # Not pytest's, whose long paths leave no room for the name of a Unix socket.
    root = Path(tempfile.mkdtemp(prefix="demo-test-")).resolve()
    yield root
    remove_tree(root)


def _demo(folder: Path, temporary: Path, *, prefix: tuple[str, ...] = ()) -> Program:
    return Program(
        "deploy.development.demo",
        str(folder),
        place=temporary,
        environment={"TMPDIR": str(temporary)},
        prefix=prefix,
    )


def _port(demo: Program) -> int:
    matched = re.search(r" at localhost:(\d+): ", "\n".join(demo.lines))
    assert matched is not None, demo.lines
    return int(matched[1])


def _assert_nothing_left(demo: Program, temporary: Path) -> None:
    assert demo.processes() == []
    assert list(temporary.iterdir()) == []


def test_demo_holds_on_a_folder_given_and_leaves_nothing(folder: Path, temporary: Path) -> None:
    before = describe_tree(folder)
    with _demo(folder, temporary) as demo:
        code, errors = demo.end()
        assert (code, errors) == (0, ""), demo.lines
        assert len(demo.lines) <= 40
        _assert_nothing_left(demo, temporary)
        assert not is_listening(_port(demo))
        require_same_trees(expected=before, found=describe_tree(folder))
        told = "\n".join(demo.lines)
        assert re.search(r"^ +[0-9a-f]{4} [0-9a-f]{4}-[0-9a-f]   [0-9a-f]{4} [0-9a-f]{4}-[0-9a-f]$", told, re.MULTILINE)
        assert told.count("compared: 8 entries, every byte, name, mode, link and time is the same") == 2
        assert "9, 8, 7 attempts left" in told
        assert "cool-down of 60 s" in told
        assert "5, 4, 3, 2, 1, 0 left; exhausted, erased" in told
        assert "after a restart" in told
        assert "the passkey takes it back" in told
        assert "0 findings." in told


@pytest.mark.parametrize(
    ("number", "send"),
    [
        # As a terminal does on Ctrl-C: to the service as well.
        pytest.param(signal.SIGINT, os.killpg, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, os.kill, id="told to stop"),
    ],
)
def test_interrupted_demo_leaves_nothing(
    folder: Path, temporary: Path, number: signal.Signals, send: Callable[[int, int], None]
) -> None:
    (folder / "large").write_bytes(bytes(50_000_000))  # so that a backup is under way
    with _demo(folder, temporary) as demo:
        demo.read_until("2 ")
        assert is_listening(_port(demo))
        assert len(demo.processes()) >= 5, "demo, parent, front, two keepers"  # else the search below proves nothing
        send(demo.pid, number)
        code, errors = demo.end()
        assert (code, errors) == (128 + number, "")
        assert not is_listening(_port(demo))
        _assert_nothing_left(demo, temporary)


def test_failed_demo_says_why_and_leaves_nothing(folder: Path, temporary: Path) -> None:
    (folder / "large").write_bytes(os.urandom(_FILE_LIMIT_BYTES + 1_000_000))
    with _demo(folder, temporary, prefix=("prlimit", f"--fsize={_FILE_LIMIT_BYTES}")) as demo:
        code, errors = demo.end()
        assert code == 1
        assert errors.startswith("The demo failed. TargetUnfit: ")
        assert "cannot be written" in errors
        assert not any(line.startswith(("3", "All")) for line in demo.lines)
        _assert_nothing_left(demo, temporary)


@pytest.mark.parametrize("unfit", ["missing", "file", ".."])
def test_unfit_folder_is_refused_at_once(folder: Path, temporary: Path, unfit: str) -> None:
    # The last one holds the temporary folder: an archive there would be to hold itself.
    given = temporary.parent if unfit == ".." else folder / unfit
    with _demo(given, temporary) as demo:
        code, errors = demo.end()
        assert code == 1
        assert errors.startswith("The demo failed. UnfitFolder: ")
        assert demo.lines == []
        _assert_nothing_left(demo, temporary)
