"""The runner of `make fuzz`, on targets with a planted bug."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.control import MAGIC

ROOT = Path(__file__).resolve().parents[3]


def fuzz(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz.fuzz", "--table", "tests.fuzz.control", "--out", str(out), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.verify
def test_bug_behind_checks_is_found_and_its_input_kept(tmp_path: Path) -> None:
    ended = fuzz(tmp_path, "--seconds", "30", "crash")
    assert ended.returncode == 1
    assert "crash: FINDING" in ended.stdout
    assert "IndexError: planted" in ended.stdout
    (kept,) = (tmp_path / "crash").glob("crash-*")
    assert kept.read_bytes().startswith(MAGIC)


@pytest.mark.verify
def test_input_that_takes_too_long_is_found(tmp_path: Path) -> None:
    ended = fuzz(tmp_path, "--seconds", "30", "hang")
    assert ended.returncode == 1
    assert "Finding: took" in ended.stdout


@pytest.mark.verify
def test_sound_parser_has_no_finding_and_is_said_to_have_run(tmp_path: Path) -> None:
    ended = fuzz(tmp_path, "--seconds", "2", "sound")
    assert ended.returncode == 0, ended.stdout
    assert "sound: nothing found (" in ended.stdout
    assert "not one run" not in ended.stdout


def test_unknown_target_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    ended = fuzz(tmp_path, "nothing")
    assert ended.returncode == 2
    assert ended.stdout == "no target nothing; there are crash, hang, sound\n"
