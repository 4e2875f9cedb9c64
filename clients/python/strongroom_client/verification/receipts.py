"""Receipts: the identity key's signature over what the keeper told whom.

digest = SHA-256 of fields(label of the RPC, challenge or nonce, SHA-256(reply), version, chain head)
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import Enum, unique

from strongroom.v1 import resources_pb2
from strongroom_client.errors import ReceiptInvalid
from strongroom_client.fields import hash_fields
from strongroom_client.verification.positions import HEAD_BYTES, Position
from strongroom_client.verification.signatures import WrongSignature, check_signature


@unique
class ReceiptFor(Enum):
    """The RPC that a receipt belongs to; the value is its label, so that no reply passes for another's."""

    GET_SERVICE_INFO = "strongroom/v1/receipt/get-service-info"
    GET_VAULT = "strongroom/v1/receipt/get-vault"
    REGISTER = "strongroom/v1/receipt/register"
    STORE = "strongroom/v1/receipt/store"
    RELEASE = "strongroom/v1/receipt/release"
    DELETE = "strongroom/v1/receipt/delete"
    ADD_CREDENTIAL = "strongroom/v1/receipt/add-credential"
    REMOVE_CREDENTIAL = "strongroom/v1/receipt/remove-credential"
    SET_RECOVERY = "strongroom/v1/receipt/set-recovery"
    REOPEN = "strongroom/v1/receipt/reopen"
    LIFT_QUARANTINE = "strongroom/v1/receipt/lift-quarantine"
    SET_POLICY = "strongroom/v1/receipt/set-policy"
    RESET = "strongroom/v1/receipt/reset"
    LIST_EVENTS = "strongroom/v1/receipt/list-events"
    LIST_TENANT_EVENTS = "strongroom/v1/receipt/list-tenant-events"
    ERASE_ACCOUNT = "strongroom/v1/receipt/erase-account"
    CANCEL_ERASE_ACCOUNT = "strongroom/v1/receipt/cancel-erase-account"


def receipt_digest(receipt_for: ReceiptFor, *, challenge: bytes, reply_sha256: bytes, position: Position) -> bytes:
    """Return the digest (32 bytes) that a receipt signs; `challenge` is the ceremony's, or the caller's nonce."""
    return hash_fields(receipt_for.value, challenge, reply_sha256, position.version, position.chain_head)


def check_receipt(
    receipt: resources_pb2.Receipt,
    *,
    receipt_for: ReceiptFor,
    challenge: bytes,
    reply: bytes,
    identity_keys: Mapping[bytes, bytes],
) -> Position:
    """Return the position that a receipt speaks of, if one of `identity_keys` (by fingerprint) signed it.

    Raises:
        ReceiptInvalid: signed by a key that does not count, or not signed for exactly this answer.
    """
    public_key = identity_keys.get(receipt.identity_fingerprint)
    if public_key is None:
        raise ReceiptInvalid("the receipt is by an identity key that does not count here")
    if len(receipt.chain_head) != HEAD_BYTES:
        raise ReceiptInvalid("the receipt's chain head is not one")
    position = Position(receipt.version, receipt.chain_head)
    reply_sha256 = hashlib.sha256(reply).digest()
    digest = receipt_digest(receipt_for, challenge=challenge, reply_sha256=reply_sha256, position=position)
    try:
        check_signature(receipt.signature, digest=digest, public_key=public_key)
    except WrongSignature:
        raise ReceiptInvalid("the receipt does not fit this answer to this question") from None
    return position
