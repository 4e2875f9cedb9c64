"""strongroom: encrypted backups whose keys a vault releases to a passkey. Exit codes: exit_codes.py."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from typing import Annotated

import typer

from strongroom_client.age_keys import recipient_of
from strongroom_client.cli import archives, lives, passkeys, receipts
from strongroom_client.cli.agreeing import agree
from strongroom_client.cli.diagnosis import doctor
from strongroom_client.cli.exit_codes import MEANINGS, ExitCode
from strongroom_client.cli.explanations import EXPLAINED, explain
from strongroom_client.cli.opening import chosen_authenticator, opened_client
from strongroom_client.cli.options import (
    KEYS,
    VAULT,
    WRONG,
    Browser,
    ChosenMode,
    KeyFile,
    KeyOut,
    Naming,
    State,
    Yes,
    load,
)
from strongroom_client.cli.output import Chosen, Output, Shown, tell, tell_failure
from strongroom_client.cli.recovery_keys import (
    hand_over,
    prompt_recovery_key,
    read_recovery_key,
    recovery_key_to_hand_over,
)
from strongroom_client.cli.showing import as_json, history_lines, status_lines
from strongroom_client.consequences import Change
from strongroom_client.memory import Mode
from strongroom_client.verification.evidence import examine_evidence

app = typer.Typer(
    epilog="Exit codes: " + "; ".join(f"{code.value} {said}" for code, said in MEANINGS.items()) + ".",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they show local variables
)

archives.add_to(app)
app.add_typer(receipts.app, name="receipts", rich_help_panel=VAULT)
app.add_typer(passkeys.app, name="passkey", rich_help_panel=KEYS)
lives.add_to(app)
app.command(rich_help_panel=WRONG)(doctor)


def _say_version(value: bool) -> None:  # noqa: FBT001  typer gives it so
    if value:
        typer.echo(f"strongroom {version_of('strongroom')}")
        raise typer.Exit


@app.callback()
def about(
    *, version: Annotated[bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Say it.")] = False
) -> None:
    """Strongroom: encrypted backups, opened with a passkey."""
    del version  # said and done


def main() -> None:
    """Run the command line: the entry point."""
    chosen = Chosen()
    try:
        app(obj=chosen)
    except EXPLAINED as error:
        explanation = explain(error)
        tell_failure(chosen.output, explanation)
        sys.exit(explanation.exit_code)


@app.command(rich_help_panel=KEYS)
def enroll(
    *,
    user_name: Annotated[str, typer.Option(help="What the authenticator calls this passkey's account.")],
    name: Naming = "",
    state: State = None,
    mode: Annotated[Mode, typer.Option(help="How the envelope is locked.")] = Mode.PRF,
    recovery_key_out: KeyOut = None,
    browser: Browser = False,
    output: Shown = Output.TEXT,
) -> None:
    """Enroll a passkey with the vault, and get a recovery key."""
    configuration = load(state, browser=browser)
    key = recovery_key_to_hand_over(recovery_key_out, output=output)
    with opened_client(configuration) as client:
        client.vault()
        # Before anything depends on it: who is interrupted below has the key, and not a vault without one.
        hand_over(key, recovery_key_out)
        enrolled = client.enroll(
            chosen_authenticator(configuration.authenticator),
            user_name=user_name,
            name=name,
            mode=mode,
            recovery_key=key,
        )
    said = f"Enrolled. Archive keys are stored as version {enrolled.archive_version} and were opened once."
    tell(output, said, archive_version=enrolled.archive_version, recovery_key_file=recovery_key_out)


@app.command(rich_help_panel=VAULT)
def status(*, state: State = None, output: Shown = Output.TEXT) -> None:
    """Show the vault's record of this account, verified."""
    with opened_client(load(state)) as client:
        vault = client.vault()
        memory = client.memory
    if output is Output.JSON:
        typer.echo(as_json(vault))
        return
    for line in status_lines(vault, memory):
        typer.echo(line)


@app.command(rich_help_panel=VAULT)
def history(
    *,
    state: State = None,
    output: Shown = Output.TEXT,
    verify: Annotated[bool, typer.Option("--verify", help="Check who signed for each event, too.")] = False,
) -> None:
    """Show all that ever happened to the vault, verified to be whole.

    With --verify every signature is checked again with the keys that the account's own registrations brought; exit code
    9 names the events whose evidence does not hold.
    """
    configuration = load(state)
    owner = configuration.settings.owner
    with opened_client(configuration) as client:
        events, names = client.history(), client.memory.names
    messages = [event.message for event in events] if verify else []
    flaws = examine_evidence(messages, tenant=owner.tenant, account=owner.account)
    if output is Output.JSON:
        typer.echo(as_json({"events": events, "flaws": flaws} if verify else events))
    else:
        for line in history_lines(events, names):
            typer.echo(line)
        for flaw in flaws:
            typer.echo(f"Version {flaw.version} is NOT PROVEN: {flaw.said}.")
    if verify and not flaws and output is Output.TEXT:
        typer.echo(f"{len(events)} events, and every signature holds.")
    if flaws:
        sys.exit(ExitCode.FOUND_WRONG)


@app.command(rich_help_panel=KEYS)
def recovery_key(*, recovery_key_file: KeyFile = None, output: Shown = Output.TEXT) -> None:
    """Check a recovery key that you wrote down, without showing it again. Needs no network."""
    key = prompt_recovery_key() if recovery_key_file is None else read_recovery_key(recovery_key_file)
    recipient = recipient_of(key.age_identity())
    tell(output, f"No mistake in it. Archives for this key are encrypted to\n{recipient}", recipient=recipient)


@app.command(rich_help_panel=VAULT)
def delete(
    *,
    state: State = None,
    mode: ChosenMode = None,
    yes: Yes = False,
    browser: Browser = False,
    output: Shown = Output.TEXT,
) -> None:
    """Turn the protection off: delete the vault. Archives then open with the recovery key only."""
    configuration = load(state, browser=browser)
    with opened_client(configuration) as client:
        agree(client, Change.TURN_OFF, yes=yes)
        client.delete(chosen_authenticator(configuration.authenticator), mode=mode)
    tell(output, "Deleted.", deleted=True)


@app.command(rich_help_panel=WRONG)
def accept_older_vault(
    *,
    state: State = None,
    yes: Yes = False,
    output: Shown = Output.TEXT,
) -> None:
    """Go on with a vault that went back, because its operator says that a backup was restored."""
    configuration = load(state)
    if not yes:
        typer.confirm("Has the vault's operator told you that it was restored from a backup?", abort=True, err=True)
    with opened_client(configuration) as client:
        memory = client.accept_older_vault()
    version = memory.position.version
    tell(output, f"This device now goes on from version {version}.", version=version)
