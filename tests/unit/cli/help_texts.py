"""The help of every command as it is printed, kept in `help/`; `python -m tests.unit.cli.help_texts` writes it anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer.main
from typer.testing import CliRunner

from strongroom_service.cli.main import app

FOLDER: Final = Path(__file__).with_name("help")
_WIDTH: Final = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "FORCE_COLOR": "", "GITHUB_ACTIONS": ""}


def command_paths() -> list[tuple[str, ...]]:
    """Return every command that is shown, and every group of them."""

    def below(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:  # noqa: ANN401  typer's own kind
        yield path
        for name, inner in sorted(getattr(command, "commands", {}).items()):
            if not inner.hidden:
                yield from below(inner, (*path, name))

    return list(below(typer.main.get_command(app), ()))


def file_of(path: tuple[str, ...]) -> Path:
    return FOLDER / f"{'-'.join(('strongroomd', *path))}.txt"


def help_of(path: tuple[str, ...]) -> str:
    """Return what `strongroomd PATH --help` prints, without the blanks at the ends of lines."""
    done = CliRunner().invoke(app, [*path, "--help"], prog_name="strongroomd", env=_WIDTH)
    assert done.exit_code == 0, done.output
    return "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines()).strip("\n") + "\n"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.txt"):
        old.unlink()
    for path in command_paths():
        file_of(path).write_text(help_of(path), encoding="utf-8")


if __name__ == "__main__":
    main()
