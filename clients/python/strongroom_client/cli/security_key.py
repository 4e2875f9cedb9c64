"""USB security keys from a terminal."""

from __future__ import annotations

import typer
from fido2.client import UserInteraction
from fido2.ctap2.pin import ClientPin
from fido2.hid import CtapHidDevice

from strongroom_client.authenticators.port import AuthenticatorError


class TerminalInteraction(UserInteraction):
    """Asks for touch and PIN on the terminal, beside what goes to standard output."""

    def prompt_up(self) -> None:
        """Ask for a touch."""
        typer.echo("Touch your security key.", err=True)

    def request_pin(self, permissions: ClientPin.PERMISSION, rp_id: str | None) -> str | None:
        """Ask for the PIN, unseen."""
        del permissions, rp_id  # what it is for was said before
        pin: str = typer.prompt("PIN of your security key", hide_input=True, err=True)
        return pin

    def request_uv(self, permissions: ClientPin.PERMISSION, rp_id: str | None) -> bool:
        """Say that the key itself will verify its user."""
        del permissions, rp_id
        typer.echo("Confirm on your security key that it is you.", err=True)
        return True


def find_security_key() -> CtapHidDevice:
    """Return the one security key that is plugged in.

    Raises:
        AuthenticatorError: there is none, or several.
    """
    try:
        devices = list(CtapHidDevice.list_devices())
    except OSError as error:
        raise AuthenticatorError("security keys cannot be looked for") from error
    if len(devices) != 1:
        raise AuthenticatorError(f"plug in exactly one security key; {len(devices)} were found")
    return devices[0]
