"""A passkey that somebody watches: prompts are counted, and signatures spoilt on demand before the vault sees them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from strongroom_client.authenticators.port import Assertion, Attestation, Authenticator

_LOWEST_BIT: Final = 1


class WatchedAuthenticator:
    """Hands everything to `inner`. Implements the client's `Authenticator` port.

    Attributes:
        prompts: how often somebody had to touch the passkey.
    """

    def __init__(self, inner: Authenticator) -> None:
        self._inner = inner
        self._spoils = False
        self.prompts = 0

    @contextmanager
    def spoiling(self) -> Iterator[None]:
        """Make signatures wrong meanwhile: one bit is turned, the rest of the assertion is honest."""
        self._spoils = True
        try:
            yield
        finally:
            self._spoils = False

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
        """Create a credential; see the port."""
        self.prompts += 1
        return self._inner.make_credential(
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
        """Sign a challenge, well or badly; see the port."""
        self.prompts += 1
        honest = self._inner.get_assertion(
            rp_id=rp_id, origin=origin, challenge=challenge, allow=allow, prf_input=prf_input
        )
        return replace(honest, signature=_spoilt(honest.signature)) if self._spoils else honest


def _spoilt(signature: bytes) -> bytes:
    """Turn the lowest bit: the signature stays well formed (DER too, whose last byte is of a number), and is wrong."""
    return signature[:-1] + bytes([signature[-1] ^ _LOWEST_BIT])
