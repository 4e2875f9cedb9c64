"""docs/man/strongroom.1, from the commands themselves; `python -m tests.unit.client.man_page` writes it anew."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from enum import Enum
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import typer

from strongroom_client.cli import configuration
from strongroom_client.cli.exit_codes import MEANINGS
from strongroom_client.cli.main import app

PAGE: Final = Path(__file__).resolve().parents[3] / "docs" / "man" / "strongroom.1"
_HEAD: Final = """
.\\" Generated from the commands: python -m tests.unit.client.man_page
.TH STRONGROOM 1 "" "strongroom {version}" "User Commands"
""".strip()
_DESCRIPTION: Final = """
strongroom backs up folders into archives that any age(1) tool opens. The keys of archives are kept by a vault, which
releases them to a passkey of their owner and to nobody else; or, with no vault at all, the 64-digit recovery key opens
them.

strongroom enroll is the first command on a device, and needs a configuration (below). strongroom backup asks nobody and
can be run by a timer. strongroom restore asks for the passkey. strongroom doctor finds out what is wrong.

Every command takes --output json, and then prints exactly one JSON document, also when it fails. --install-completion
adds the commands to your shell's completion.
"""
_STATE: Final = "~/.local/state/strongroom"
_FILES: Final = (
    (
        f"{_STATE}/strongroom.toml",
        "The configuration; in $XDG_STATE_HOME where that is set. --state names another folder.",
    ),
    (f"{_STATE}/memory/", "What this device remembers of the vault, and every receipt that it was given. No secrets."),
)
_ARCHIVE: Final = "s3://bucket/backups/Documents-20261126T030000Z.tar.zst.age"
_EXAMPLES: Final = (
    ("Enroll with the security key that is plugged in", "strongroom enroll --user-name alice"),
    ("Back up every night, keep two weeks", "strongroom backup ~/Documents s3://bucket/backups/ --keep 14"),
    ("Restore one folder of it", f"strongroom restore {_ARCHIVE} ~/again --only letters/"),
    ("Restore with the recovery key alone", "strongroom restore backup.tar.zst.age ~/again --recovery-key-prompt"),
)
_MEANING: Final = str.maketrans({"\\": "\\e", "-": "\\-", "~": "\\(ti", "^": "\\(ha", "`": "\\(ga"})
_NAMES: Final = {int: "NUMBER", str: "TEXT", Path: "PATH"}


def man_page() -> str:
    """Return the page."""
    command = typer.main.get_command(app)
    lines = [
        _HEAD.format(version=version("strongroom")),
        ".SH NAME",
        "strongroom \\- encrypted backups whose keys a vault releases to a passkey",
        ".SH SYNOPSIS",
        ".B strongroom",
        ".I COMMAND",
        ".RI [ OPTION... ]",
        ".SH DESCRIPTION",
        *_paragraphs(_DESCRIPTION),
        ".SH COMMANDS",
    ]
    for path, inner in _commands(command, ""):
        lines += [
            f".SS {_shown(f'strongroom {path}')} {' '.join(_arguments(inner))}".rstrip(),
            *_paragraphs(inner.help or ""),
        ]
        for parameter in inner.params:
            lines += _parameter(parameter)
    lines += [".SH CONFIGURATION", *_configuration()]
    lines += [".SH EXIT STATUS"]
    for code, meaning in MEANINGS.items():
        lines += [".TP", f".B {code.value}", _shown(meaning)]
    lines += [".SH FILES"]
    for name, said in _FILES:
        lines += [".TP", f".I {_shown(name)}", _shown(said)]
    lines += [".SH EXAMPLES"]
    for said, typed in _EXAMPLES:
        lines += [".TP", _shown(said), f".B {_shown(typed)}"]
    lines += [".SH SEE ALSO", ".BR age (1),", ".BR zstd (1),", ".BR tar (1),", ".BR systemd.timer (5)"]
    return "\n".join(lines) + "\n"


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  typer keeps its classes to itself
    for name, inner in sorted(command.commands.items()):
        if hasattr(inner, "commands"):
            yield from _commands(inner, f"{path}{name} ")
        else:
            yield f"{path}{name}", inner


def _arguments(command: Any) -> Iterator[str]:  # noqa: ANN401  as above
    for parameter in command.params:
        if parameter.opts == [parameter.name]:
            yield _shown(parameter.metavar or parameter.name.upper())


def _parameter(parameter: Any) -> Iterator[str]:  # noqa: ANN401  as above
    if parameter.opts == [parameter.name]:
        if parameter.help:
            yield from (".TP", f".I {_shown(parameter.metavar or parameter.name.upper())}", _shown(parameter.help))
        return
    names = ", ".join(f"\\fB{_shown(name)}\\fR" for name in (*parameter.opts, *parameter.secondary_opts))
    value = "" if parameter.is_flag else f" \\fI{_shown(_value_of(parameter))}\\fR"
    more = " It may be given several times." if parameter.multiple else ""
    needed = " Required." if parameter.required else ""
    yield from (".TP", f"{names}{value}", _shown(f"{parameter.help}{more}{needed}"))


def _value_of(parameter: Any) -> str:  # noqa: ANN401  as above
    annotation = parameter.type_descriptor.annotation
    kind = typing.get_args(annotation)[0] if typing.get_origin(annotation) is list else annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(member.value) for member in kind)
    return _NAMES[kind]


def _configuration() -> Iterator[str]:
    """Yield what the module that reads the configuration says of it, its table as it stands."""
    table = False
    for line in (configuration.__doc__ or "").strip().splitlines():
        if line.startswith("    ") != table:
            table = not table
            yield ".nf" if table else ".fi"
        yield _shown(line) if line.strip() else ".PP"
    if table:
        yield ".fi"


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        yield from (".PP", _shown(" ".join(paragraph.split())))


def _shown(text: str) -> str:
    """Return text as roff shows it: no character of it means anything there."""
    escaped = (
        text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha").replace("`", "\\(ga")
    )
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    PAGE.write_text(man_page(), encoding="utf-8")
