"""What the client asks of whatever holds the user's passkeys. Names are those of W3C Web Authentication Level 3.

AuthenticatorError            the ceremony did not happen; says why in words for the user
├── CredentialExcluded        it already holds one of the credentials that were to be excluded
└── NoMatchingCredential      it holds none of the credentials that were allowed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


class AuthenticatorError(Exception):
    """The authenticator, its user or the way to it refused; nothing was created and nothing signed."""


class CredentialExcluded(AuthenticatorError):
    """The authenticator already holds a credential of `exclude`."""


class NoMatchingCredential(AuthenticatorError):
    """The authenticator holds no credential of `allow`, or none for this relying party."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """A new credential.

    Attributes:
        credential_id: 16 to 1023 bytes.
        client_data_json: what was asked, as the client wrote it.
        attestation_object: CBOR, with the new public key.
        transports: how this authenticator is reached, as a hint for later.
        prf_output: 32 bytes, the PRF at the input that was given; None where the authenticator has no PRF or evaluates
            it for assertions only. Secret: it never goes to the vault.
    """

    credential_id: bytes
    client_data_json: bytes
    attestation_object: bytes
    transports: tuple[str, ...]
    prf_output: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """A signature by one credential.

    Attributes:
        credential_id: which one signed.
        authenticator_data: flags, counter and extensions, signed.
        client_data_json: what was asked, signed by its hash.
        signature: in the form of the credential's algorithm.
        user_handle: `user.id` of the creation, where the authenticator gives it back.
        prf_output: 32 bytes, or None where the authenticator has no PRF. Secret: it never goes to the vault.
    """

    credential_id: bytes
    authenticator_data: bytes
    client_data_json: bytes
    signature: bytes
    user_handle: bytes | None
    prf_output: bytes | None = field(repr=False)


class Authenticator(Protocol):
    """Holds passkeys. Both calls verify the user, so both may wait for a person."""

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
        """Create a credential for `rp_id` with the first of the COSE `algorithms` that the authenticator has.

        Raises:
            CredentialExcluded: it holds one of the ids in `exclude`.
            AuthenticatorError: no such algorithm, the user declined, or no way to the authenticator.
        """

    def get_assertion(
        self, *, rp_id: str, origin: str, challenge: bytes, allow: Sequence[bytes], prf_input: bytes
    ) -> Assertion:
        """Sign `challenge` with one of the credentials in `allow`, or with any for `rp_id` when that is empty.

        Raises:
            NoMatchingCredential: it holds none of them.
            AuthenticatorError: the user declined, or no way to the authenticator.
        """
