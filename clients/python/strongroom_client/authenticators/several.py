"""Several authenticators taken as one, where all passkeys of a vault are to be asked for in turn."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from strongroom_client.authenticators.port import Assertion, Attestation, Authenticator, NoMatchingCredential


class SeveralAuthenticators:
    """Signs with the first of them that holds what is allowed; creates on the first.

    Args:
        first: asked first, and the one that creates.
        others: asked one after the other where it holds none of the credentials.
    """

    def __init__(self, first: Authenticator, *others: Authenticator) -> None:
        self._first = first
        self._others = others

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
        return self._first.make_credential(
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
        for authenticator in (self._first, *self._others):
            with suppress(NoMatchingCredential):
                return authenticator.get_assertion(
                    rp_id=rp_id, origin=origin, challenge=challenge, allow=allow, prf_input=prf_input
                )
        raise NoMatchingCredential("no authenticator at hand holds it")
