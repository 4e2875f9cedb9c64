from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from strongroom_service.bootstrap.checkpoint_command import hand_over
from strongroom_service.config.checkpoints import Checkpoints
from strongroom_service.domain.errors import Misconfigured


def python(code: str, *arguments: str, seconds: float = 60.0) -> Checkpoints:
    return Checkpoints(command=(sys.executable, "-c", code, *arguments), command_seconds=seconds)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint"
    path.write_bytes(b"the checkpoint\n")
    return path


async def test_command_gets_the_checkpoint_and_its_arguments_as_they_are(checkpoint: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    code = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text(sys.argv[2] + sys.stdin.read())"
    await hand_over(python(code, str(taken), "$HOME; rm *\n"), checkpoint)
    assert taken.read_text(encoding="utf-8") == "$HOME; rm *\nthe checkpoint\n"


async def test_command_sees_little_of_our_environment(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOFTHSM2_CONF", "/somewhere")
    taken = tmp_path / "taken"
    code = "import os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text(repr(sorted(os.environ)))"
    await hand_over(python(code, str(taken)), checkpoint)
    assert "PATH" in taken.read_text(encoding="utf-8")
    assert "SOFTHSM2_CONF" not in taken.read_text(encoding="utf-8")


async def test_command_that_fails_is_named_with_its_code(checkpoint: Path) -> None:
    with pytest.raises(Misconfigured, match=f"ended with 3: {checkpoint} was not handed over"):
        await hand_over(python("raise SystemExit(3)"), checkpoint)


async def test_command_that_does_not_end_is_ended(checkpoint: Path) -> None:
    started = time.monotonic()
    with pytest.raises(Misconfigured, match="took too long"):
        await hand_over(python("import time; time.sleep(100)", seconds=0.2), checkpoint)
    assert time.monotonic() - started < 50


async def test_command_that_is_not_there_is_named(checkpoint: Path) -> None:
    with pytest.raises(Misconfigured, match="/no/such/program cannot be run: No such file"):
        await hand_over(Checkpoints(command=("/no/such/program",)), checkpoint)


async def test_without_a_command_nothing_is_done(checkpoint: Path) -> None:
    await hand_over(Checkpoints(), checkpoint)
