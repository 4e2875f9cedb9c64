"""The identity key's signature over a checkpoint's digest; what a digest is of is in `domain.checkpoints`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from strongroom_service.domain.checkpoints import BrokenCheckpoint, CheckpointHead, SignedCheckpoint
from strongroom_service.keeper.formats.receipt import identity_fingerprint

if TYPE_CHECKING:
    from collections.abc import Collection

    from strongroom_service.keeper.token.port import Token

_HALF_BYTES = 32


def sign_checkpoint(token: Token, head: CheckpointHead, *, epoch: int) -> SignedCheckpoint:
    """Sign `head` with the identity key of `epoch`."""
    return SignedCheckpoint(
        head=head,
        identity_public_key=token.identity_public_key(epoch=epoch),
        signature=token.sign(epoch=epoch, digest=head.digest),
    )


def check_signature(signed: SignedCheckpoint, *, pins: Collection[bytes]) -> None:
    """Check that a pinned identity key signed the head; `pins` are fingerprints of 32 bytes.

    Raises:
        BrokenCheckpoint: it did not.
    """
    fingerprint = identity_fingerprint(signed.identity_public_key)
    if fingerprint not in pins:
        raise BrokenCheckpoint(
            f"it is signed by identity key {fingerprint.hex()}, which is not pinned: if `keys list` shows that as one"
            " of before a rotation, name it with --pin beside the one in use, or make a new checkpoint"
        )
    r, s = signed.signature[:_HALF_BYTES], signed.signature[_HALF_BYTES:]
    encoded = utils.encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), signed.identity_public_key)
        key.verify(encoded, signed.head.digest, ec.ECDSA(utils.Prehashed(SHA256())))
    except (InvalidSignature, ValueError):
        raise BrokenCheckpoint("its signature does not fit") from None
