"""USB security keys from a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from fido2.client import UserInteraction
from fido2.ctap2.pin import ClientPin
from fido2.hid import CtapHidDevice

from strongroom_client.authenticators.ctap import CtapAuthenticator
from strongroom_client.authenticators.port import Assertion, Attestation, AuthenticatorError


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


class SecurityKeyInTurn:
    """One of two security keys: asks for it before each use, since only one is plugged in at a time.

    Args:
        which: what to call it.
    """

    def __init__(self, which: str) -> None:
        self._which = which

    def make_credential(
        self,
        *,
        rp_id: str,
        origin: str,
        challenge: bytes,
        user_handle: bytes,
        user_name: str,
        algorithms: Sequence[int],
        exclude: Sequence[bytes],
        prf_input: bytes,
    ) -> Attestation:
        """See the port."""
        return self._plugged_in().make_credential(
            rp_id=rp_id,
            origin=origin,
            challenge=challenge,
            user_handle=user_handle,
            user_name=user_name,
            algorithms=algorithms,
            exclude=exclude,
            prf_input=prf_input,
        )

    def get_assertion(
        self, *, rp_id: str, origin: str, challenge: bytes, allow: Sequence[bytes], prf_input: bytes
    ) -> Assertion:
        """See the port."""
        return self._plugged_in().get_assertion(
            rp_id=rp_id, origin=origin, challenge=challenge, allow=allow, prf_input=prf_input
        )

    def _plugged_in(self) -> CtapAuthenticator:
        typer.prompt(f"Plug in {self._which}, and no other; then press Enter", default="", show_default=False, err=True)
        return CtapAuthenticator(device=find_security_key(), user_interaction=TerminalInteraction())


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
