"""`make demo` on a small folder: what it says, and that it leaves nothing behind however it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil
import pytest

from deploy.development.stage import remove_tree
from deploy.development.tree_comparison import describe_tree, require_same_trees

_ROOT: Final = Path(__file__).resolve().parents[2]
_PATIENCE_SECONDS: Final = 240
_FILE_LIMIT_BYTES: Final = 4_000_000
pytestmark = pytest.mark.timeout(_PATIENCE_SECONDS + 30)


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


class Demo:
    """The demo as a process in a session of its own, with everything that it starts."""

    def __init__(self, folder: Path, temporary: Path, *, prefix: tuple[str, ...] = ()) -> None:
        self._temporary = temporary
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "deploy.development.demo", str(folder)],
            cwd=_ROOT,
            env={**os.environ, "TMPDIR": str(temporary)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []

    @property
    def pid(self) -> int:
        return self._process.pid

    def read_until(self, beginning: str) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith(beginning):
                return
        raise AssertionError(f"it never said {beginning!r}: {self.lines} {self._process.communicate()}")

    def end(self) -> tuple[int, str]:
        """Wait; return exit code and standard error."""
        try:
            output, errors = self._process.communicate(timeout=_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            for process in self.processes():
                process.kill()
            raise
        self.lines.extend(output.splitlines())
        return self._process.returncode, errors

    def processes(self) -> list[psutil.Process]:
        """Return what runs of it: its session, and whatever else has its temporary folder on the command line."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, ProcessLookupError):
                ours = os.getsid(process.pid) == self.pid or any(str(self._temporary) in a for a in process.cmdline())
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def port(self) -> int:
        matched = re.search(r" at localhost:(\d+) ", "\n".join(self.lines))
        assert matched is not None, self.lines
        return int(matched[1])

    def assert_nothing_left(self) -> None:
        assert self.processes() == []
        assert list(self._temporary.iterdir()) == []


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_demo_holds_on_a_folder_given_and_leaves_nothing(folder: Path, temporary: Path) -> None:
    before = describe_tree(folder)
    demo = Demo(folder, temporary)
    code, errors = demo.end()
    assert (code, errors) == (0, ""), demo.lines
    assert len(demo.lines) <= 40
    demo.assert_nothing_left()
    assert not _is_listening(demo.port())
    require_same_trees(expected=before, found=describe_tree(folder))
    told = "\n".join(demo.lines)
    assert re.search(r"^ +[0-9a-f]{4} [0-9a-f]{4}-[0-9a-f]   [0-9a-f]{4} [0-9a-f]{4}-[0-9a-f]$", told, re.MULTILINE)
    assert told.count("compared: 8 entries, every byte, name, mode, link and time is the same") == 2
    assert "9, 8, 7 attempts left" in told
    assert "cool-down of 60 s" in told
    assert "5, 4, 3, 2, 1, 0 left; exhausted" in told
    assert "after a restart of the service" in told


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
    demo = Demo(folder, temporary)
    demo.read_until("2 ")
    assert _is_listening(demo.port())
    assert len(demo.processes()) >= 5, "demo, parent, front, two keepers"  # else the search below proves nothing
    send(demo.pid, number)
    code, errors = demo.end()
    assert (code, errors) == (128 + number, "")
    assert not _is_listening(demo.port())
    demo.assert_nothing_left()


def test_failed_demo_says_why_and_leaves_nothing(folder: Path, temporary: Path) -> None:
    (folder / "large").write_bytes(os.urandom(_FILE_LIMIT_BYTES + 1_000_000))
    demo = Demo(folder, temporary, prefix=("prlimit", f"--fsize={_FILE_LIMIT_BYTES}"))
    code, errors = demo.end()
    assert code == 1
    assert errors.startswith("The demo failed. TargetUnfit: ")
    assert "cannot be written" in errors
    assert not any(line.startswith(("3", "All")) for line in demo.lines)
    demo.assert_nothing_left()


@pytest.mark.parametrize("unfit", ["missing", "file", ".."])
def test_unfit_folder_is_refused_at_once(folder: Path, temporary: Path, unfit: str) -> None:
    # The last one holds the temporary folder: an archive there would be to hold itself.
    given = temporary.parent if unfit == ".." else folder / unfit
    demo = Demo(given, temporary)
    code, errors = demo.end()
    assert code == 1
    assert errors.startswith("The demo failed. UnfitFolder: ")
    assert demo.lines == []
    demo.assert_nothing_left()
