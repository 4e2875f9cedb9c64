"""The credentials that may sign for a record, and the digest of them that statements carry.

    digest = SHA-256 of fields("strongroom/v1/credential-set", id, COSE key, id, COSE key, ..., recovery public key)

sorted by credential id; the recovery key is the last field, empty where none is effective.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from strongroom.v1 import resources_pb2
from strongroom_client.errors import ReplyMismatch
from strongroom_client.fields import hash_fields

_LABEL = "strongroom/v1/credential-set"


@dataclass(frozen=True, slots=True, order=True)
class PublicCredential:
    """Credential id (1 to 1023 bytes) and COSE key (canonical CBOR) of a passkey."""

    credential_id: bytes
    cose_key: bytes


@dataclass(frozen=True, slots=True)
class CredentialSet:
    """Passkeys in rising order of id; `recovery_public_key` is Ed25519, 32 bytes, or empty where none is effective."""

    passkeys: tuple[PublicCredential, ...] = ()
    recovery_public_key: bytes = b""

    @property
    def digest(self) -> bytes:
        """The digest (32 bytes) of this set."""
        parts = [part for passkey in self.passkeys for part in (passkey.credential_id, passkey.cose_key)]
        return hash_fields(_LABEL, *parts, self.recovery_public_key)

    @property
    def ids(self) -> tuple[bytes, ...]:
        """The credential ids, for the authenticator's list of allowed credentials."""
        return tuple(passkey.credential_id for passkey in self.passkeys)


def credential_set(listed: Iterable[resources_pb2.Credential], *, recovery_public_key: bytes) -> CredentialSet:
    """Return the set that a vault lists.

    Raises:
        ReplyMismatch: an id is listed twice.
    """
    passkeys = tuple(sorted(PublicCredential(passkey.credential_id, passkey.cose_key) for passkey in listed))
    if len({passkey.credential_id for passkey in passkeys}) != len(passkeys):
        raise ReplyMismatch("the vault lists a credential twice")
    return CredentialSet(passkeys=passkeys, recovery_public_key=recovery_public_key)
