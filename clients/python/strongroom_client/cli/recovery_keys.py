"""The recovery key at the terminal: read from a file or unseen, shown once, never an argument."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from strongroom_client.cli.output import Output
from strongroom_client.errors import DeviceError
from strongroom_client.recovery_key import (
    ROWS,
    RecoveryKey,
    RecoveryKeyTypo,
    check_row,
    generate_recovery_key,
    parse_recovery_key,
)

_MAX_FILE_BYTES = 4096
_ROW_TRIES = 3


def read_recovery_key(path: Path) -> RecoveryKey:
    """Return the key in a file.

    Raises:
        DeviceError: the file cannot be read.
        RecoveryKeyTypo: it holds a mistake.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise DeviceError(f"the recovery key file cannot be read: {error.strerror}") from error
    return parse_recovery_key(content.decode("ascii", errors="replace"))


def prompt_recovery_key() -> RecoveryKey:
    """Ask for the key row by row, unseen; a row with a mistake is said to have one, and asked for again.

    Raises:
        RecoveryKeyTypo: the same row was typed with a mistake several times.
    """
    return parse_recovery_key("\n".join(_prompt_row(row) for row in range(1, ROWS + 1)))


def _prompt_row(row: int) -> str:
    for _ in range(_ROW_TRIES - 1):
        typed: str = typer.prompt(f"Row {row} of {ROWS}", hide_input=True, err=True)
        try:
            check_row(typed, row_number=row)
        except RecoveryKeyTypo as mistake:
            typer.secho(f"Mistake in {mistake}. Type this row again.", err=True, fg=typer.colors.YELLOW)
        else:
            return typed
    typed = typer.prompt(f"Row {row} of {ROWS}", hide_input=True, err=True)
    check_row(typed, row_number=row)
    return typed


def write_recovery_key(key: RecoveryKey, path: Path) -> None:
    """Write the key to a new file of mode 0600.

    Raises:
        DeviceError: the file is there already, or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.reveal().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise DeviceError(f"the recovery key cannot be written to {path}: {error.strerror}") from error


def recovery_key_to_hand_over(target: Path | None, *, output: Output) -> RecoveryKey:
    """Return a fresh key, where there is a way to hand it over.

    Raises:
        typer.BadParameter: neither a file nor a terminal that a person reads.
    """
    if target is None and (output is Output.JSON or not sys.stdout.isatty()):
        raise typer.BadParameter("nobody reads standard output: say where to write it", param_hint="recovery-key-out")
    return generate_recovery_key()


def hand_over(key: RecoveryKey, target: Path | None) -> None:
    """Write a key to a new file, or show it and have that confirmed: before anything depends on it."""
    if target is not None:
        write_recovery_key(key, target)
        typer.echo(f"The recovery key is in {target}. It counts once this is done.", err=True)
        return
    typer.echo("Your recovery key. Write it down; it is not shown again, and counts once this is done:\n")
    typer.echo(key.reveal() + "\n")
    typer.confirm("Have you written it down?", abort=True, err=True)


def given_recovery_key(path: Path | None, *, prompt: bool) -> RecoveryKey | None:
    """Return the key that the options give, or None."""
    if path is not None and prompt:
        raise typer.BadParameter("choose one way to give the recovery key", param_hint="--recovery-key-prompt")
    if path is not None:
        return read_recovery_key(path)
    return prompt_recovery_key() if prompt else None
