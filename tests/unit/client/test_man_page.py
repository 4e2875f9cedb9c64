"""docs/man/strongroom.1 says what the commands take, and the shell completes them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.unit.client.man_page import PAGE, man_page


def test_man_page_is_what_the_commands_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == man_page(), "python -m tests.unit.client.man_page"


def test_man_page_is_read_without_a_warning() -> None:
    command = ["groff", "-man", "-Tutf8", "-ww", "-z", str(PAGE)]
    read = subprocess.run(command, capture_output=True, text=True, check=True)
    assert read.stderr == ""


def test_man_page_shows_every_sign_as_it_is() -> None:
    command = ["groff", "-man", "-Tascii", "-P-c", "-P-b", "-P-u", str(PAGE)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    words = re.sub(r"\s+", " ", shown)
    for said in (
        "strongroom backup FOLDER ARCHIVE",
        "--recovery-key-prompt",
        "--output text|json",
        "~/.local/state/strongroom/strongroom.toml",
        'browser_page = "https://..."',
        "another backup to the same place is under way",
    ):
        assert said in words


def test_shell_completes_options_of_inner_commands() -> None:
    program = Path(sys.executable).with_name("strongroom")
    typed = "strongroom archive verify --recovery-key-f"
    asked = {"_STRONGROOM_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    completed = subprocess.run(
        [program], env={**os.environ, **asked}, capture_output=True, text=True, check=False, timeout=60
    )
    assert completed.stdout.split() == ["--recovery-key-file"]
