"""USB security keys from a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from fido2.client import UserInteraction
from fido2.ctap import CtapDevice
from fido2.ctap2.pin import ClientPin
from fido2.hid import ConnectionFailure, CtapHidDevice

from strongroom_client.authenticators.ctap import CtapAuthenticator
from strongroom_client.authenticators.ctap_selection import touched_of
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
        typer.prompt(f"Plug in {self._which}; then press Enter", default="", show_default=False, err=True)
        return at_terminal(find_security_key())


def find_security_key() -> CtapDevice:
    """Return the security key that is plugged in; of several the one that is touched.

    Raises:
        AuthenticatorError: there is none, or none is touched.
    """
    try:
        devices = list(CtapHidDevice.list_devices())
    except (OSError, ConnectionFailure) as error:
        raise AuthenticatorError("security keys cannot be looked for") from error
    if not devices:
        raise AuthenticatorError("no security key is plugged in; `strongroom doctor` says whether one cannot be opened")
    if len(devices) == 1:
        return devices[0]
    typer.echo(f"{len(devices)} security keys are plugged in. Touch the one to use.", err=True)
    return touched_of(devices)


def at_terminal(device: CtapDevice) -> CtapAuthenticator:
    """Return the authenticator of a security key that is used from this terminal."""
    return CtapAuthenticator(device=device, user_interaction=TerminalInteraction(), wrong_pin=_say_wrong_pin)


def _say_wrong_pin(left: int) -> None:
    typer.secho(f"That is not its PIN; {left} tries are left.", err=True, fg=typer.colors.YELLOW)
