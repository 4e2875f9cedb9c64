"""The recovery credential: an Ed25519 key derived from the user's 64-digit key, which no authenticator holds.

It signs (label, challenge) and nothing else: there is no client data, so origin and user verification do not apply.
"""

from __future__ import annotations

from strongroom_service.domain.credentials import RecoveryVerified, WrongSignature
from strongroom_service.domain.errors import RecordRejected, Refusal
from strongroom_service.domain.fields import encode_fields
from strongroom_service.keeper.webauthn.cose import SignatureMismatch, load_ed25519_key
from strongroom_service.keeper.webauthn.refusals import require_size

RECOVERY_ASSERTION_LABEL = "strongroom/v1/recovery-assertion"
_SIGNATURE_BYTES = 64


def check_recovery_signature(
    *, public_key: bytes, challenge: bytes, signature: bytes
) -> RecoveryVerified | WrongSignature:
    """Check an Ed25519 `signature` (64 bytes, RFC 8032) over `encode_fields(label, challenge)`.

    Raises:
        Refusal: NOT_VERIFIED: a signature of another length; not judged.
        RecordRejected: the stored `public_key` is not one that `check_recovery_key` accepts.
    """
    require_size("recovery signature", signature, minimum=_SIGNATURE_BYTES, maximum=_SIGNATURE_BYTES)
    try:
        key = load_ed25519_key(public_key)
    except Refusal as refusal:
        message = f"stored recovery credential: {refusal.detail}"
        raise RecordRejected(message) from None
    try:
        key.verify(message=encode_fields(RECOVERY_ASSERTION_LABEL, challenge), signature=signature)
    except SignatureMismatch:
        return WrongSignature(detail="recovery signature")
    return RecoveryVerified()


def check_recovery_key(public_key: bytes) -> None:
    """Refuse a recovery public key that cannot serve: not 32 bytes, or a point of small order.

    Raises:
        Refusal: NOT_VERIFIED.
    """
    load_ed25519_key(public_key)
