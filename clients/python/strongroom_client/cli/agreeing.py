"""What a change will mean, shown before anything is asked of a passkey, and agreed to or not."""

from __future__ import annotations

from typing import Final

import typer

from strongroom_client.client import VaultClient
from strongroom_client.consequences import Change, Outlook

_NOTHING_LOST: Final = frozenset({Change.ADD_PASSKEY, Change.RECOVER, Change.RENEW})


def agree(client: VaultClient, change: Change, *, yes: bool = False, passkey: bytes = b"") -> None:
    """Show what `change` will mean, on standard error, and ask where it takes something away, unless `yes`.

    Raises:
        typer.Abort: the user does not want it.
    """
    for line in outlook_lines(client.outlook(change, passkey)):
        typer.echo(line, err=True)
    if not yes and change not in _NOTHING_LOST:
        typer.confirm("Go on?", abort=True, err=True)


def outlook_lines(outlook: Outlook) -> tuple[str, ...]:
    """Return an outlook in words."""
    opens = ", ".join(outlook.opens) or "nobody"
    return ("What this means:", *(f"  - {said}" for said in outlook.said), f"  - Opens the vault then: {opens}.")
