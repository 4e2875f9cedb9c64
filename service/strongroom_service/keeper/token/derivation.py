"""Input of the derivation in the token: NIST SP 800-108r1 section 4.1, KDF in counter mode.

    K = HMAC-SHA256(key, [1]_32 || label || 0x00 || context || [256]_32)

One block of the PRF is the whole output, so one C_Sign with CKM_SHA256_HMAC does it, on every token that has HMAC.
"""

from __future__ import annotations

from typing import Final

from strongroom_service.keeper.token.port import DERIVED_BYTES, DERIVING, KeyPurpose

_COUNTER: Final = (1).to_bytes(4, "big")
_OUTPUT_BITS: Final = (8 * DERIVED_BYTES).to_bytes(4, "big")
_SEPARATOR: Final = b"\x00"


def counter_mode_input(*, label: str, context: bytes) -> bytes:
    """Return the PRF input for 32 bytes of output.

    Raises:
        ValueError: the label is empty, not ASCII, or holds the separator, so that it could run into the context.
    """
    encoded = label.encode("ascii")
    if not encoded or _SEPARATOR in encoded:
        raise ValueError("a derivation label is ASCII text without NUL")
    return _COUNTER + encoded + _SEPARATOR + context + _OUTPUT_BITS


def require_deriving(purpose: KeyPurpose) -> None:
    """Refuse a key that is not for derivation.

    Raises:
        ValueError: KEK and IDENTITY have one use each, and this is not it.
    """
    if purpose not in DERIVING:
        raise ValueError(f"{purpose.value} does not derive")
