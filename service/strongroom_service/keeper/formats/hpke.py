"""HPKE (RFC 9180), base mode, both ways: envelopes to the keeper, replies to the requester.

Suite 1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. Sealed bytes are enc (32) || ciphertext.

    info = fields("strongroom/v1/hpke", direction, suite, challenge)

Each sealed message thus belongs to one ceremony and one direction.
"""

from __future__ import annotations

from enum import Enum, unique

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from strongroom_service.domain.errors import InvalidField, Reason, Refusal
from strongroom_service.domain.fields import encode_fields

SUITE_ID = 1
PUBLIC_KEY_BYTES = 32
_LABEL = "strongroom/v1/hpke"
# Of no use but to see whether an exchange gives zeros, so one for the whole process will do.
_PROBE_KEY = X25519PrivateKey.generate()
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


@unique
class Direction(Enum):
    """Who seals to whom."""

    TO_KEEPER = b"to-keeper"
    TO_CLIENT = b"to-client"


def require_recipient(public_key: bytes) -> None:
    """Refuse, before anybody signs for it, a recipient that nothing can be sealed to.

    RFC 9180 section 7.1.4: a shared secret of zeros, which a point of small order makes with any key, is an error.
    Found only when the answer is sealed, it would cost the account an attempt that cannot be fulfilled.

    Raises:
        InvalidField: `public_key` (32 bytes) is such a point.
    """
    try:
        _PROBE_KEY.exchange(X25519PublicKey.from_public_bytes(public_key))
    except ValueError:
        raise InvalidField(
            field="request.release.recipient", rule="must be an X25519 public key that is not of small order"
        ) from None


def seal_to_client(plaintext: bytes, *, recipient: bytes, challenge: bytes) -> bytes:
    """Seal `plaintext` to the requester's X25519 key (32 bytes)."""
    public_key = X25519PublicKey.from_public_bytes(recipient)
    return _SUITE.encrypt(plaintext, public_key, info=_info(Direction.TO_CLIENT, challenge))


def open_from_client(sealed: bytes, *, private_key: X25519PrivateKey, challenge: bytes) -> bytes:
    """Open what a client sealed to the keeper's transport key for this ceremony.

    Raises:
        Refusal: NOT_VERIFIED, unjudged: it does not open.
    """
    try:
        return _SUITE.decrypt(sealed, private_key, info=_info(Direction.TO_KEEPER, challenge))
    except (InvalidTag, ValueError) as error:
        raise Refusal(Reason.NOT_VERIFIED, detail="the sealed envelope does not open") from error


def _info(direction: Direction, challenge: bytes) -> bytes:
    return encode_fields(_LABEL, direction.value, SUITE_ID, challenge)
