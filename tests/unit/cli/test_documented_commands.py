"""Every `strongroomd` command that a page shows is one that the program takes, with each option and in its order."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer.main
from typer import TyperException

from strongroom_service.cli.main import app

ROOT: Final = Path(__file__).resolve().parents[3]
PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PROGRAM: Final = "strongroomd"
_SHOWN: Final = re.compile(r"^ {4}(?:[^\n#]*[ /])?strongroomd (?P<arguments>[^\n]+)$", re.MULTILINE)
_INLINE: Final = re.compile(r"`(?P<words>[a-z][^`\n]*)`")
# What stands for something else on the pages: `[--keeper]` may be left out, and a path's end may be an ellipsis.
_OPTIONAL: Final = re.compile(r"\[([^\]]+)\]")


def shown() -> Iterator[tuple[str, str]]:
    """Yield page and arguments of each command in a block of its own line, as somebody would copy it."""
    for page in PAGES:
        for found in _SHOWN.finditer(page.read_text(encoding="utf-8")):
            yield page.name, found["arguments"]


def mentioned() -> Iterator[tuple[str, str]]:
    """Yield page and words of each command, or piece of one, that a sentence names, with the program or without."""
    groups = {name for name, command in root().commands.items() if hasattr(command, "commands")}
    for page in PAGES:
        for found in _INLINE.finditer(page.read_text(encoding="utf-8")):
            words = found["words"].split()
            if words[0] == PROGRAM and words[1:]:
                yield page.name, " ".join(words[1:])
            elif words[0] in groups and len(words) > 1 and "=" not in found["words"]:
                yield page.name, found["words"]


@functools.cache
def root() -> Any:  # noqa: ANN401  typer's own kind
    return typer.main.get_command(app)


def resolved(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command that the first words name, and what is left of them."""
    command = root()
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def demand_known(text: str) -> None:
    """Fail unless command and options that a sentence names are there; it need not name all of them."""
    command, rest = resolved(shlex.split(text))
    inner = getattr(command, "commands", {})
    options = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    for word in rest:
        if word.startswith("--"):
            assert word.partition("=")[0] in options | {"--help", "--install-completion"}, f"{word} in `{text}`"
    unknown = [word for word in rest if not word.startswith("-") and not word.isupper()]
    assert not (inner and not command.invoke_without_command and unknown), f"`{text}`: no command {unknown}"


def demand_parsed(text: str) -> None:
    """Fail unless the whole command line is taken as it stands, `--config` besides where a page leaves it out."""
    words = shlex.split(_OPTIONAL.sub(r"\1", text.replace("...", "x").replace("DAYS", "400")), comments=True)
    command, rest = resolved(words)
    assert command is not root() or rest[:1] in (["--install-completion"], ["--help"]), f"no command: {text}"
    required = [each.opts[0] for each in command.params if each.required and each.opts[0].startswith("--")]
    rest += [word for name in required if name == "--config" and name not in rest for word in (name, "strongroom.toml")]
    # What follows a group's own options may be a command of it.
    context = command.make_context(PROGRAM, [*rest, "--help"] if hasattr(command, "commands") and not rest else rest)
    assert not getattr(context, "_protected_args", []), f"no command: {text}"


@pytest.mark.parametrize(("page", "text"), tuple(shown()))
def test_command_in_a_block_is_taken_whole(page: str, text: str) -> None:
    try:
        demand_parsed(text)
    except TyperException as error:
        pytest.fail(f"{page}: strongroomd {text}: {error.format_message()}")


@pytest.mark.parametrize(("page", "text"), tuple(mentioned()))
def test_command_in_a_sentence_is_there(page: str, text: str) -> None:
    demand_known(text)


def test_commands_are_found_on_the_pages() -> None:
    """Control: the patterns above see something, and most commands have a place on some page."""
    commands = {resolved(shlex.split(text, comments=True))[0].name for _, text in shown()}
    assert len(commands) > 20
    assert len(list(mentioned())) > 40


@pytest.mark.parametrize(
    "wrong",
    [
        "keys rotates kek --config strongroom.toml",
        "keys rotate kek --config strongroom.toml --fast",
        "keys rotate --config strongroom.toml",
        "keys rotate kok --config strongroom.toml",
        "keys rewrap --rate quick",
        "unseal --config strongroom.toml",
    ],
)
def test_command_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises((TyperException, AssertionError)):
        demand_parsed(wrong)


@pytest.mark.parametrize("wrong", ["keys rotates kek", "unseal", "keys retire --dry", "checkpoint mend"])
def test_piece_of_a_command_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(AssertionError):
        demand_known(wrong)
