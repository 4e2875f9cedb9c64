"""Known answers by which a key is recognised again, and the inputs that give them.

HMAC keys: a derivation under a label of its own; nothing else derives under that label.

KEK of profile `derived`: as the HMAC keys, which it is one of.

KEK of profile `gcm`: the tag of an empty AES-256-GCM encryption under the all-zero IV and an AAD of its own. The tag is
GHASH_H(AAD) xor E_K(J0), so it reveals nothing as long as J0 meets no other message: `fresh_iv` refuses the all-zero
IV, hence no wrap can ever share it, and asking again repeats the same AAD and the same answer.

Identity key: a hash over the public point. That the private key belongs to that point is for the self-test to show.
"""

from __future__ import annotations

from typing import Final

from strongroom_service.domain.errors import TokenFault
from strongroom_service.domain.fields import encode_fields, hash_fields
from strongroom_service.keeper.token.port import CHECK_VALUE_BYTES, IV_BYTES, KeyPurpose

KEY_CHECK_LABEL: Final = "strongroom/v1/key-check"
PROBE_LABEL: Final = "strongroom/v1/token-probe"
CHECK_IV: Final = bytes(IV_BYTES)


def check_input(*, purpose: KeyPurpose, epoch: int) -> bytes:
    """Return the derivation context of an HMAC key's check value, and the AAD of a KEK's."""
    return encode_fields(KEY_CHECK_LABEL, purpose.label(epoch).encode("ascii"))


def check_value_of_point(*, epoch: int, point: bytes) -> bytes:
    """Return the check value (16 bytes) of the identity key with this public point (65 bytes)."""
    return hash_fields(KEY_CHECK_LABEL, KeyPurpose.IDENTITY.label(epoch).encode("ascii"), point)[:CHECK_VALUE_BYTES]


def fresh_iv(*, of_token: bytes, of_host: bytes) -> bytes:
    """Mix two draws of one length, 12 bytes for an IV and 32 for a salt: fresh if either source is sound.

    A repeated GCM IV gives away the authentication key (SP 800-38D appendix A), hence two sources.

    Raises:
        TokenFault: a draw has the wrong length, or the result is all zero, which no sound source gives.
    """
    if len(of_token) != len(of_host):
        raise TokenFault("the token's random generator gave a wrong number of bytes")
    mixed = bytes(a ^ b for a, b in zip(of_token, of_host, strict=True))
    if not any(mixed):
        raise TokenFault("the random generator gave the all-zero IV")
    return mixed
