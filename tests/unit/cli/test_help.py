"""Help is an interface: a change of it is seen in review, as a change of a file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.help_texts import FOLDER, command_paths, file_of, help_of

MEND = "look at it, then: python -m tests.unit.cli.help_texts"


@pytest.mark.parametrize("path", command_paths(), ids=lambda path: " ".join(path) or "strongroomd")
def test_help_is_as_it_was_agreed(path: tuple[str, ...]) -> None:
    assert file_of(path).exists(), MEND
    assert help_of(path) == file_of(path).read_text(encoding="utf-8"), MEND


def test_no_help_is_kept_of_a_command_that_is_gone() -> None:
    assert {each.name for each in FOLDER.iterdir()} == {file_of(path).name for path in command_paths()}, MEND


def test_every_command_for_operators_has_a_help_of_its_own() -> None:
    for path in command_paths():
        assert len(help_of(path).splitlines()) > 4, path


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("st", "status"), ("tenants ", "check"), ("doctor --o", "--output"), ("version --output ", "json")],
)
def test_shell_completes_commands_options_and_values(typed: str, offered: str) -> None:
    words = f"strongroomd {typed}"
    done = subprocess.run(
        [Path(sys.executable).with_name("strongroomd")],  # the name is part of how a shell asks
        env={
            **os.environ,
            "_STRONGROOMD_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, offered in done.stdout.split()) == (0, True), done
