"""strongroom: encrypted backups whose keys a vault releases to a passkey.

Exit codes: 0 done; 1 refused or failed, with the reason on standard error; 2 wrong usage.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from strongroom_client.age_keys import ArchiveIdentity, recipient_of
from strongroom_client.archive.errors import shown
from strongroom_client.archive.reader import extract_archive
from strongroom_client.archive.writer import write_archive
from strongroom_client.cli import lives, passkeys, receipts
from strongroom_client.cli.configuration import Configuration
from strongroom_client.cli.explanations import EXPLAINED, explain
from strongroom_client.cli.opening import chosen_authenticator, opened_client, warn
from strongroom_client.cli.options import FAILED, ChosenMode, KeyFile, KeyOut, KeyPrompt, State, load
from strongroom_client.cli.recovery_keys import (
    given_recovery_key,
    hand_over,
    prompt_recovery_key,
    read_recovery_key,
    recovery_key_to_hand_over,
)
from strongroom_client.cli.showing import Output, as_json, history_lines, status_lines
from strongroom_client.errors import DeviceError
from strongroom_client.memory import Mode
from strongroom_client.memory_folder import MemoryFolder
from strongroom_client.notices import pending_notices
from strongroom_client.progress import progress_on
from strongroom_client.verification.evidence import examine_evidence

app = typer.Typer(
    help="Strongroom: encrypted backups, opened with a passkey.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they show local variables
)

app.add_typer(receipts.app, name="receipts")
app.add_typer(passkeys.app, name="passkey")
lives.add_to(app)

Shown = Annotated[Output, typer.Option("--output", help="How to show it.")]


def main() -> None:
    """Run the command line: the entry point."""
    try:
        app()
    except EXPLAINED as error:
        typer.secho(explain(error), err=True, fg=typer.colors.RED)
        sys.exit(FAILED)


@app.command()
def enroll(
    user_name: Annotated[str, typer.Option(help="What the authenticator calls this passkey's account.")],
    state: State = None,
    mode: Annotated[Mode, typer.Option(help="How the envelope is locked.")] = Mode.PRF,
    recovery_key_out: KeyOut = None,
) -> None:
    """Enroll a passkey with the vault, and get a recovery key."""
    configuration = load(state)
    key = recovery_key_to_hand_over(recovery_key_out)
    with opened_client(configuration) as client:
        client.vault()
        # Before anything depends on it: who is interrupted below has the key, and not a vault without one.
        hand_over(key, recovery_key_out)
        enrolled = client.enroll(
            chosen_authenticator(configuration.authenticator), user_name=user_name, mode=mode, recovery_key=key
        )
    typer.echo(f"Enrolled. Archive keys are stored as version {enrolled.archive_version} and were opened once.")


@app.command()
def backup(folder: Path, archive: Path, state: State = None) -> None:
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
    typer.echo(f"Backed up {summary.files} files, {summary.bytes_written} bytes.")


@app.command()
def restore(
    archive: Path,
    folder: Path,
    *,
    state: State = None,
    mode: ChosenMode = None,
    recovery_key_file: KeyFile = None,
    recovery_key_prompt: KeyPrompt = False,
) -> None:
    """Restore the file ARCHIVE to the new FOLDER, with the passkey; or with the recovery key alone, off line."""
    key = given_recovery_key(recovery_key_file, prompt=recovery_key_prompt)
    identities = (key.age_identity(),) if key is not None else _released_identities(load(state), mode)
    with closing(progress_on(sys.stderr)) as progress:
        summary = extract_archive(archive=archive, target=folder, identities=identities, progress=progress)
    for name in summary.outward_links:
        typer.echo(f"Note: this link points outside of the folder: {shown(name)}", err=True)
    typer.echo(f"Restored {summary.files} files, {summary.bytes_written} bytes.")


@app.command()
def status(state: State = None, output: Shown = Output.TEXT) -> None:
    """Show the vault's record of this account, verified."""
    with opened_client(load(state)) as client:
        vault = client.vault()
        memory = client.memory
    if output is Output.JSON:
        typer.echo(as_json(vault))
        return
    for line in status_lines(vault, memory):
        typer.echo(line)


@app.command()
def history(
    *,
    state: State = None,
    output: Shown = Output.TEXT,
    verify: Annotated[bool, typer.Option("--verify", help="Check who signed for each event, too.")] = False,
) -> None:
    """Show all that ever happened to the vault, verified to be whole.

    With --verify every signature is checked again with the keys that the account's own registrations brought; exit code
    1 names the events whose evidence does not hold.
    """
    configuration = load(state)
    owner = configuration.settings.owner
    with opened_client(configuration) as client:
        events = client.history()
    messages = [event.message for event in events] if verify else []
    flaws = examine_evidence(messages, tenant=owner.tenant, account=owner.account)
    if output is Output.JSON:
        typer.echo(as_json({"events": events, "flaws": flaws} if verify else events))
    else:
        for line in history_lines(events):
            typer.echo(line)
        for flaw in flaws:
            typer.echo(f"Version {flaw.version} is NOT PROVEN: {flaw.said}.")
    if verify and not flaws and output is Output.TEXT:
        typer.echo(f"{len(events)} events, and every signature holds.")
    if flaws:
        sys.exit(FAILED)


@app.command()
def recovery_key(recovery_key_file: KeyFile = None) -> None:
    """Check a recovery key that you wrote down, without showing it again. Needs no network."""
    key = prompt_recovery_key() if recovery_key_file is None else read_recovery_key(recovery_key_file)
    typer.echo("No mistake in it. Archives for this key are encrypted to")
    typer.echo(recipient_of(key.age_identity()))


@app.command()
def delete(
    *,
    state: State = None,
    mode: ChosenMode = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete the vault. Archives then open with the recovery key only."""
    configuration = load(state)
    if not yes:
        typer.confirm("Delete the vault? Archives will open with the recovery key only.", abort=True, err=True)
    with opened_client(configuration) as client:
        client.delete(chosen_authenticator(configuration.authenticator), mode=mode)
    typer.echo("Deleted.")


@app.command()
def accept_older_vault(
    *,
    state: State = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Go on with a vault that went back, because its operator says that a backup was restored."""
    configuration = load(state)
    if not yes:
        typer.confirm("Has the vault's operator told you that it was restored from a backup?", abort=True, err=True)
    with opened_client(configuration) as client:
        memory = client.accept_older_vault()
    typer.echo(f"This device now goes on from version {memory.position.version}.")


def _released_identities(configuration: Configuration, mode: Mode | None) -> tuple[ArchiveIdentity, ...]:
    with opened_client(configuration) as client:
        released = client.release(chosen_authenticator(configuration.authenticator), mode=mode)
    for version, error in released.unopened:
        typer.echo(f"Archive keys of version {version} did not open: {error}", err=True)
    return released.identities()
