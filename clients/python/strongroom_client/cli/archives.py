"""Commands about archives: back up, restore."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import typer

from strongroom_client.age_keys import ArchiveIdentity
from strongroom_client.archive.errors import shown
from strongroom_client.archive.reader import extract_archive
from strongroom_client.archive.writer import write_archive
from strongroom_client.cli.configuration import Configuration
from strongroom_client.cli.opening import chosen_authenticator, opened_client, warn
from strongroom_client.cli.options import Browser, ChosenMode, KeyFile, KeyPrompt, State, load
from strongroom_client.cli.output import Output, Shown, tell
from strongroom_client.cli.recovery_keys import given_recovery_key
from strongroom_client.errors import DeviceError
from strongroom_client.memory import Mode
from strongroom_client.memory_folder import MemoryFolder
from strongroom_client.notices import pending_notices
from strongroom_client.progress import progress_on


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (backup, restore):
        app.command()(command)


def backup(folder: Path, archive: Path, *, state: State = None, output: Shown = Output.TEXT) -> None:
    """Back up FOLDER to the file ARCHIVE. Needs no network and no passkey."""
    configuration = load(state)
    with MemoryFolder(configuration.memory_root, owner=configuration.settings.owner) as remembered:
        memory = remembered.load()
    for notice in pending_notices(memory.pending):
        warn(notice)
    if memory.archive_recipient is None or memory.recovery_recipient is None:
        raise DeviceError("this device knows no keys to back up to: enroll or restore first")
    recipients = (memory.archive_recipient, memory.recovery_recipient)
    with closing(progress_on(sys.stderr)) as progress:
        summary = write_archive(source=folder, target=archive, recipients=recipients, progress=progress)
    for name in summary.skipped:
        typer.echo(f"Left out, since no archive can hold it: {shown(name)}", err=True)
    tell(output, f"Backed up {summary.files} files, {summary.bytes_written} bytes.", archive=archive, summary=summary)


def restore(
    archive: Path,
    folder: Path,
    *,
    state: State = None,
    mode: ChosenMode = None,
    recovery_key_file: KeyFile = None,
    recovery_key_prompt: KeyPrompt = False,
    browser: Browser = False,
    output: Shown = Output.TEXT,
) -> None:
    """Restore the file ARCHIVE to the new FOLDER, with the passkey; or with the recovery key alone, off line."""
    key = given_recovery_key(recovery_key_file, prompt=recovery_key_prompt)
    identities = (key.age_identity(),) if key is not None else _released_identities(load(state, browser=browser), mode)
    with closing(progress_on(sys.stderr)) as progress:
        summary = extract_archive(archive=archive, target=folder, identities=identities, progress=progress)
    for name in summary.outward_links:
        typer.echo(f"Note: this link points outside of the folder: {shown(name)}", err=True)
    tell(output, f"Restored {summary.files} files, {summary.bytes_written} bytes.", folder=folder, summary=summary)


def _released_identities(configuration: Configuration, mode: Mode | None) -> tuple[ArchiveIdentity, ...]:
    with opened_client(configuration) as client:
        released = client.release(chosen_authenticator(configuration.authenticator), mode=mode)
    for version, error in released.unopened:
        typer.echo(f"Archive keys of version {version} did not open: {error}", err=True)
    return released.identities()
