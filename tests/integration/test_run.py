"""`make run`: a vault that stays, and commands that work as they are printed."""

from __future__ import annotations

import os
import re
import shlex
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.development.stage import remove_tree
from deploy.development.tree_comparison import describe_tree, require_same_trees
from tests.integration.program import PATIENCE_SECONDS, ROOT, Program, is_listening

pytestmark = pytest.mark.timeout(PATIENCE_SECONDS + 30)
_LAST_LINE = "For a new device"


@pytest.fixture
def place() -> Iterator[Path]:
    # Not pytest's, whose long paths leave no room for the name of a Unix socket.
    root = Path(tempfile.mkdtemp(prefix="run-test-")).resolve()
    yield root
    remove_tree(root)


class Running:
    """`make run` in a folder, up until told to stop."""

    def __init__(self, folder: Path) -> None:
        self.program = Program("deploy.development.run", str(folder), place=folder)
        try:
            self.program.read_until(_LAST_LINE)
        except BaseException:
            self.program.kill()
            raise
        self.told = "\n".join(self.program.lines)
        matched = re.search(r"gRPC +localhost:(\d+),", self.told)
        assert matched is not None, self.told
        self.port = int(matched[1])

    def command(self, name: str, **given: str) -> str:
        """Run the printed command of that name, with what is `given` in place of its capital words."""
        lines = [shlex.split(line) for line in self.told.splitlines() if f"strongroom {name} " in line]
        words = [given.get(word, word) for word in lines[0]]
        extra = ["--recovery-key-out", given["KEY"]] if name == "enroll" else []
        done = subprocess.run([*words, *extra], cwd=ROOT, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done
        return done.stdout

    def interrupt(self) -> tuple[int, str]:
        """Press Ctrl-C, which the terminal sends to the service as well."""
        os.killpg(self.program.pid, signal.SIGINT)
        return self.program.end()


def test_printed_commands_work_and_the_vault_is_there_the_next_time(place: Path) -> None:
    source = place / "source"
    source.mkdir()
    (source / "file").write_bytes(b"content")
    files = {"FOLDER": str(source), "backup.tar.zst.age": str(place / "backup"), "KEY": str(place / "key")}
    first = Running(place / "vault")
    try:
        first.command("enroll", **files)
        first.command("backup", **files)
        first.command("restore", **files, RESTORED=str(place / "restored"))
        assert "live" in first.command("status")
        assert "release" in first.command("history")
        assert stat.S_IMODE((place / "vault" / "client" / "token.jwt").stat().st_mode) == 0o600
    finally:
        code, errors = first.interrupt()
    assert (code, errors) == (0, "")
    assert first.program.processes() == []
    assert not is_listening(first.port)
    require_same_trees(expected=describe_tree(source), found=describe_tree(place / "restored"))

    second = Running(place / "vault")
    try:
        second.command("restore", **files, RESTORED=str(place / "restored again"))
    finally:
        code, errors = second.interrupt()
    assert (code, errors) == (0, "")
    require_same_trees(expected=describe_tree(source), found=describe_tree(place / "restored again"))


def test_end_of_the_service_is_told(place: Path) -> None:
    running = Running(place / "vault")
    with running.program:
        [service] = psutil.Process(running.program.pid).children()
        service.terminate()
        code, errors = running.program.end()
    assert code == 1
    assert "has ended by itself" in errors
    assert running.program.processes() == []


def test_folder_of_somebody_else_is_left_alone(place: Path) -> None:
    (place / "theirs").touch()
    with Program("deploy.development.run", str(place), place=place) as program:
        code, errors = program.end()
    assert code == 1
    assert "remove it, or name another" in errors
    assert [path.name for path in place.iterdir()] == ["theirs"]
