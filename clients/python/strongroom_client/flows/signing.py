"""Who signs for an operation: a passkey of the vault's, or the recovery key, which has a say in few."""

from __future__ import annotations

from dataclasses import dataclass, field

from strongroom.v1 import resources_pb2
from strongroom_client.age_keys import ArchiveIdentity
from strongroom_client.errors import ReplyMismatch
from strongroom_client.flows.ceremonies import Begun, sign
from strongroom_client.flows.locking import prf_identity
from strongroom_client.flows.messages import assertion_message, recovery_message
from strongroom_client.memory import Mode
from strongroom_client.recovery_key import RecoveryKey
from strongroom_client.steps import Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who is to sign.

    Attributes:
        recovery_key: signs in place of a passkey, and nobody is prompted.
        allow: ids of the passkeys that may; None for all of the vault's.
        further: ask the authenticator of a further passkey, not that of those that were there before.
    """

    recovery_key: RecoveryKey | None = field(default=None, repr=False)
    allow: tuple[bytes, ...] | None = None
    further: bool = False


ANY_PASSKEY = By()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signature, and what the signer opens.

    Attributes:
        message: what to send.
        credential_id: the passkey; empty for the recovery key.
        identity: opens envelopes of mode PRF; None where the passkey gives no PRF output.
    """

    message: resources_pb2.Assertion
    credential_id: bytes
    identity: ArchiveIdentity | None = field(repr=False)


def authorize(begun: Begun, by: By, *, opens: Mode | None = None) -> Flow[Signed]:
    """Have `by` sign a ceremony; in mode `opens`, PRF, also say what opens the envelope.

    Raises:
        ReplyMismatch: the recovery key is not the one that the vault knows.
        PrfUnavailable: the passkey gives no PRF output, which `opens` needs. Nothing is sent then: a release that
            could not be opened would only use up the day's quota.
    """
    if by.recovery_key is not None:
        credential = by.recovery_key.credential()
        if credential.public_key != begun.credentials.recovery_public_key:
            raise ReplyMismatch("this recovery key is not the one that the vault knows")
        message = recovery_message(credential, challenge=begun.checked.challenge)
        return Signed(message=message, credential_id=b"", identity=by.recovery_key.age_identity())
    assertion = yield from sign(begun, allow=by.allow, further=by.further)
    has_prf = opens is Mode.PRF or assertion.prf_output is not None
    identity = prf_identity(assertion) if has_prf else None
    return Signed(message=assertion_message(assertion), credential_id=assertion.credential_id, identity=identity)
