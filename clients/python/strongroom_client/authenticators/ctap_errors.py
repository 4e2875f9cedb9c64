"""What goes wrong with CTAP devices, in words for their user; the library's own errors end here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from fido2.client import ClientError
from fido2.ctap import CtapDevice, CtapError
from fido2.ctap2.base import Ctap2
from fido2.ctap2.pin import ClientPin
from fido2.hid import ConnectionFailure

from strongroom_client.authenticators.port import AuthenticatorError

_E = CtapError.ERR
_CLIENT = ClientError.ERR
_GONE: Final = "the security key was taken out, or does not answer"
_SAID: Final = {
    _E.PIN_BLOCKED: "the security key is blocked after too many wrong PINs; only a reset helps, which erases it",
    _E.PIN_AUTH_BLOCKED: "too many wrong PINs in a row: take the security key out, and plug it in again",
    _E.PIN_NOT_SET: "the security key has no PIN yet: set one first, for instance by `ykman fido access change-pin`",
    _E.PIN_POLICY_VIOLATION: "the security key wants another PIN first: change it",
    _E.UV_BLOCKED: "the security key does not take fingerprints any more: use its PIN once",
    _E.KEY_STORE_FULL: "the security key is full: remove a passkey from it",
    _E.OPERATION_DENIED: "it was declined at the security key",
    _E.UNSUPPORTED_ALGORITHM: "the security key has none of the algorithms that the vault takes",
}
_SAID_BY_CLIENT: Final = {
    _CLIENT.TIMEOUT: "the security key was not touched in time",
    _CLIENT.CONFIGURATION_UNSUPPORTED: "the security key cannot verify its user: it has no PIN yet, or is too old",
}


class WrongPin(AuthenticatorError):
    """The PIN was wrong, and the few tries that are left are not spent here."""

    def __init__(self, left: int) -> None:
        super().__init__(f"the PIN was wrong; {left} tries are left before the security key is blocked")
        self.left = left


@contextmanager
def translated(*, ineligible: AuthenticatorError) -> Iterator[None]:
    """Turn the library's errors into the port's; `ineligible` is what "not this device" means in this call."""
    try:
        yield
    except ClientError as error:
        if error.code is _CLIENT.DEVICE_INELIGIBLE:
            raise ineligible from error
        raise AuthenticatorError(_words(error)) from error
    except (CtapError, ValueError, OSError, ConnectionFailure) as error:
        said = _SAID.get(error.code, _GONE) if isinstance(error, CtapError) else _GONE
        raise AuthenticatorError(said) from error


def is_wrong_pin(error: ClientError) -> bool:
    """Tell whether a device said that the PIN was wrong, and would take another."""
    return isinstance(error.cause, CtapError) and error.cause.code is _E.PIN_INVALID


def pin_tries_left(device: CtapDevice) -> int:
    """Ask a device how many wrong PINs it still takes.

    Raises:
        CtapError, OSError, ConnectionFailure: it does not say.
    """
    tries: int
    tries, _ = ClientPin(Ctap2(device)).get_pin_retries()
    return tries


def _words(error: ClientError) -> str:
    cause = error.cause
    if isinstance(cause, CtapError) and cause.code in _SAID:
        return _SAID[cause.code]
    if isinstance(cause, OSError | ConnectionFailure):
        return _GONE
    return _SAID_BY_CLIENT.get(error.code, f"the authenticator answered {error.code.name}")
