"""What a change will mean, shown before anything is asked of a passkey, and agreed to or not."""

from __future__ import annotations

import typer

from strongroom_client.client import VaultClient
from strongroom_client.consequences import Change, Outlook


def agree(client: VaultClient, change: Change, *, yes: bool = False, passkey: bytes = b"") -> None:
    """Show what `change` will mean, on standard error, and ask where it takes something away, unless `yes`.

    Raises:
        typer.Abort: the user does not want it.
    """
    outlook = client.outlook(change, passkey)
    for line in outlook_lines(outlook):
        typer.echo(line, err=True)
    if outlook.loses and not yes:
        typer.confirm("Go on?", abort=True, err=True)


def outlook_lines(outlook: Outlook) -> tuple[str, ...]:
    """Return an outlook in words."""
    opens = ", ".join(outlook.opens) or "nobody"
    return ("What this means:", *(f"  - {said}" for said in outlook.said), f"  - Opens the vault then: {opens}.")
