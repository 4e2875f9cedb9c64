"""`strongroom passkey`: which passkeys open the vault."""

from __future__ import annotations

from typing import Annotated

import typer

from strongroom_client.authenticators.port import Authenticator
from strongroom_client.cli.opening import chosen_authenticator, opened_client, two_authenticators
from strongroom_client.cli.options import Browser, ChosenMode, KeyFile, KeyPrompt, State, Yes, load
from strongroom_client.cli.output import Output, Shown, tell
from strongroom_client.cli.recovery_keys import given_recovery_key
from strongroom_client.client import VaultClient
from strongroom_client.recovery_key import RecoveryKey

app = typer.Typer(help="The passkeys that open the vault.", no_args_is_help=True)

Named = Annotated[str, typer.Argument(metavar="PASSKEY", help="Its id as `status` shows it, or the beginning of it.")]


@app.command()
def add(
    user_name: Annotated[str, typer.Option(help="What the authenticator calls this passkey's account.")],
    *,
    state: State = None,
    mode: ChosenMode = None,
    recovery_key_file: KeyFile = None,
    recovery_key_prompt: KeyPrompt = False,
    browser: Browser = False,
    output: Shown = Output.TEXT,
) -> None:
    """Add a passkey on another authenticator, let in by one that the vault knows or by the recovery key."""
    configuration = load(state, browser=browser)
    key = given_recovery_key(recovery_key_file, prompt=recovery_key_prompt)
    by: Authenticator | RecoveryKey
    if key is None:
        by, further = two_authenticators(configuration)
    else:
        by, further = key, chosen_authenticator(configuration.further_authenticator)
    with opened_client(configuration) as client:
        added = client.add_passkey(further, user_name=user_name, by=by, mode=mode)
    said = f"Added {added.credential_id.hex()[:16]}..., and opened the vault with it once."
    tell(output, said, credential_id=added.credential_id)


@app.command()
def remove(
    passkey: Named,
    *,
    state: State = None,
    mode: ChosenMode = None,
    yes: Yes = False,
    browser: Browser = False,
    output: Shown = Output.TEXT,
) -> None:
    """Remove a passkey. Backups from here then use a fresh key; on other devices once they have restored."""
    configuration = load(state, browser=browser)
    with opened_client(configuration) as client:
        credential_id = _find(client, passkey)
        if not yes:
            typer.confirm(f"Remove the passkey {credential_id.hex()[:16]}...?", abort=True, err=True)
        client.remove_passkey(chosen_authenticator(configuration.authenticator), credential_id, mode=mode)
    tell(output, "Removed. What is backed up from now on does not open with it.", removed=credential_id)


@app.command()
def trust(
    passkey: Named,
    *,
    state: State = None,
    mode: ChosenMode = None,
    browser: Browser = False,
    output: Shown = Output.TEXT,
) -> None:
    """Trust a passkey again that was quarantined because its counter went back; another passkey signs."""
    configuration = load(state, browser=browser)
    with opened_client(configuration) as client:
        credential_id = _find(client, passkey)
        client.lift_quarantine(chosen_authenticator(configuration.authenticator), credential_id, mode=mode)
    tell(output, "Trusted again.", trusted=credential_id)


def _find(client: VaultClient, beginning: str) -> bytes:
    """Return the id of the one passkey that begins so."""
    ids = [
        one.credential_id for one in client.vault().passkeys if one.credential_id.hex().startswith(beginning.lower())
    ]
    if len(ids) != 1 or not beginning:
        raise typer.BadParameter(f"{len(ids)} passkeys of the vault begin so; see `strongroom status`")
    return ids[0]
