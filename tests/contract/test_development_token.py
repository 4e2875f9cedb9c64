"""The development token is made without its PIN on a command line or in an environment."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.development.token import create_development_token

ROOT = Path(__file__).resolve().parents[2]
# The audit hook sees every program that is started, with its arguments and environment.
WATCHED = """
import sys
from pathlib import Path
seen = []
sys.addaudithook(lambda event, args: seen.append(repr(args)) if event in {"subprocess.Popen", "os.putenv"} else None)
from deploy.development.token import create_development_token
token = create_development_token(directory=Path(sys.argv[1]), label="watched")
pin = token.pin_file.read_text().strip()
print(len(seen), any(pin in started for started in seen), "softhsm" in Path("/proc/self/maps").read_text())
"""


def test_pin_file_is_for_its_owner_and_pins_are_drawn(tmp_path: Path) -> None:
    tokens = [create_development_token(directory=tmp_path, label=label) for label in ("one", "two")]
    pins = {token.pin_file.read_text(encoding="ascii") for token in tokens}
    assert {stat.S_IMODE(token.pin_file.stat().st_mode) for token in tokens} == {0o400}
    assert len(pins) == 2
    assert {len(pin.strip()) for pin in pins} == {32}
    assert tokens[0].conf_path == tokens[1].conf_path


def test_label_is_taken_once(tmp_path: Path) -> None:
    create_development_token(directory=tmp_path, label="one")
    with pytest.raises(FileExistsError):
        create_development_token(directory=tmp_path, label="one")


def test_neither_argv_nor_environment_carries_the_pin_and_the_caller_loads_no_module(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, tmp_path], check=True, capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert done.stdout.split() == ["1", "False", "False"]
