"""Locking an envelope: for exactly the passkeys that the vault will know, and so that who is there does open it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field

from strongroom_client.age_keys import ArchiveIdentity
from strongroom_client.authenticators.port import Assertion
from strongroom_client.envelope import encode_vault_held_envelope, open_envelope, passkey_identity, seal_envelope
from strongroom_client.envelope_content import EnvelopeContent
from strongroom_client.errors import PrfUnavailable, ReplyMismatch
from strongroom_client.memory import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """Content, and the envelope that it is locked in."""

    content: EnvelopeContent
    envelope: bytes = field(repr=False)
    mode: Mode

    @property
    def sha256(self) -> bytes:
        """What a request names."""
        return hashlib.sha256(self.envelope).digest()


def lock(
    content: EnvelopeContent, *, mode: Mode, passkeys: Collection[bytes], opens: tuple[ArchiveIdentity | None, ...]
) -> Locked:
    """Lock `content`, in mode PRF for exactly `passkeys` (ids), and so that all identities in `opens` do open it.

    Raises:
        ReplyMismatch: it would lock a passkey out, or let one in that the vault does not know.
        WrongPrf: one of the identities does not open it.
    """
    if mode is Mode.VAULT_HELD:
        return Locked(content=content, envelope=encode_vault_held_envelope(content), mode=mode)
    if {one.credential_id for one in content.passkey_recipients} != set(passkeys):
        raise ReplyMismatch("the envelope is not for exactly the passkeys that the vault knows")
    envelope = seal_envelope(content)
    for identity in opens:
        if identity is not None:
            open_envelope(envelope, identity=identity)
    return Locked(content=content, envelope=envelope, mode=mode)


def prf_identity(assertion: Assertion) -> ArchiveIdentity:
    """Return the age identity of the passkey that made `assertion`.

    Raises:
        PrfUnavailable: it gave no PRF output.
    """
    if assertion.prf_output is None:
        raise PrfUnavailable("this passkey gives no PRF output, which the default mode needs")
    return passkey_identity(prf_output=assertion.prf_output, credential_id=assertion.credential_id)
