"""`strongroom passkey`: which passkeys open the vault."""

from __future__ import annotations

from typing import Annotated

import typer

from strongroom_client.authenticators.port import Authenticator
from strongroom_client.cli.agreeing import agree
from strongroom_client.cli.opening import chosen_authenticator, opened_client, two_authenticators
from strongroom_client.cli.options import Browser, ChosenMode, KeyFile, KeyPrompt, Naming, State, Yes, load
from strongroom_client.cli.output import Output, Shown, tell
from strongroom_client.cli.recovery_keys import given_recovery_key
from strongroom_client.cli.showing import as_json, passkey_document, passkey_lines
from strongroom_client.client import VaultClient
from strongroom_client.consequences import Change
from strongroom_client.passkey_names import called
from strongroom_client.recovery_key import RecoveryKey

app = typer.Typer(help="The passkeys that open the vault.", no_args_is_help=True)

Named = Annotated[
    str,
    typer.Argument(metavar="PASSKEY", help="Its name, or its id as `passkey list` shows it, or the beginning of it."),
]


@app.command("list")
def list_passkeys(*, state: State = None, output: Shown = Output.TEXT) -> None:
    """Show the passkeys that open the vault: names, models, when they were made and last used.

    Names are known here once this device has opened the vault. A model is what the passkey claims.
    """
    with opened_client(load(state)) as client:
        vault, names = client.vault(), client.memory.names
    if output is Output.JSON:
        typer.echo(as_json(tuple(passkey_document(one, names) for one in vault.passkeys)))
        return
    for line in passkey_lines(vault.passkeys, names):
        typer.echo(line)


@app.command()
def add(
    user_name: Annotated[str, typer.Option(help="What the authenticator calls this passkey's account.")],
    *,
    name: Naming = "",
    state: State = None,
    mode: ChosenMode = None,
    recovery_key_file: KeyFile = None,
    recovery_key_prompt: KeyPrompt = False,
    browser: Browser = False,
    output: Shown = Output.TEXT,
) -> None:
    """Add a passkey on another authenticator, let in by one that the vault knows or by the recovery key.

    With the recovery key it is the way back for who lost every passkey; remove the lost ones then.
    """
    configuration = load(state, browser=browser)
    key = given_recovery_key(recovery_key_file, prompt=recovery_key_prompt)
    by: Authenticator | RecoveryKey
    if key is None:
        by, further = two_authenticators(configuration)
    else:
        by, further = key, chosen_authenticator(configuration.further_authenticator)
    with opened_client(configuration) as client:
        agree(client, Change.ADD_PASSKEY if key is None else Change.RECOVER)
        added = client.add_passkey(further, user_name=user_name, name=name, by=by, mode=mode)
        names, known = client.memory.names, client.memory.credentials
    said = f"Added {called(added.credential_id, names)}, and opened the vault with it once."
    lost = () if key is None or known is None else tuple(one for one in known.ids if one != added.credential_id)
    if lost:
        still = ", ".join(called(one, names) for one in lost)
        said += f"\nThese still open the vault: {still}. Remove what you lost with `strongroom passkey remove`."
    tell(output, said, credential_id=added.credential_id, others=lost)


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
        agree(client, Change.REMOVE_PASSKEY, yes=yes, passkey=credential_id)
        client.remove_passkey(chosen_authenticator(configuration.authenticator), credential_id, mode=mode)
    tell(output, "Removed. What is backed up from now on does not open with it.", removed=credential_id)


@app.command()
def rename(
    passkey: Named,
    name: Annotated[str, typer.Argument(help="What to call it; empty takes its name away.")],
    *,
    state: State = None,
    mode: ChosenMode = None,
    browser: Browser = False,
    output: Shown = Output.TEXT,
) -> None:
    """Give a passkey a name. Only who opens the vault sees it; other devices do once they have restored."""
    configuration = load(state, browser=browser)
    with opened_client(configuration) as client:
        credential_id = _find(client, passkey)
        client.rename_passkey(chosen_authenticator(configuration.authenticator), credential_id, name, mode=mode)
        said = f"Now called {called(credential_id, client.memory.names)}."
    tell(output, said, credential_id=credential_id, name=name)


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


def _find(client: VaultClient, named: str) -> bytes:
    """Return the id of the one passkey of that name, or whose id begins so."""
    passkeys, names = client.vault().passkeys, client.memory.names
    ids = [one.credential_id for one in passkeys if named and names.get(one.credential_id) == named]
    ids = ids or [one.credential_id for one in passkeys if one.credential_id.hex().startswith(named.lower())]
    if len(ids) != 1 or not named:
        raise typer.BadParameter(
            f"{len(ids)} passkeys of the vault have that name, or begin so; see `strongroom passkey list`"
        )
    return ids[0]
