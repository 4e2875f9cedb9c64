"""Receipts: the identity key's signature over what the keeper told whom.

    digest = SHA-256 of fields(label of the RPC, challenge or nonce, SHA-256(reply), version, chain head)

signed with ECDSA P-256, r || s. `reply` is the serialized reply message, the whole answer but the receipt.
"""

from __future__ import annotations

import hashlib
from enum import Enum, unique
from typing import TYPE_CHECKING

from strongroom.v1 import resources_pb2
from strongroom_service.domain.fields import hash_fields

if TYPE_CHECKING:
    from strongroom_service.keeper.token.port import Token

_IDENTITY_LABEL = "strongroom/v1/identity-key"


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


def identity_fingerprint(public_key: bytes) -> bytes:
    """Return what clients pin (32 bytes) of an identity key (uncompressed point, 65 bytes)."""
    return hash_fields(_IDENTITY_LABEL, public_key)


def receipt_digest(
    receipt_for: ReceiptFor, *, challenge: bytes, reply: bytes, version: int, chain_head: bytes
) -> bytes:
    """Return the digest (32 bytes) that a receipt signs."""
    return hash_fields(receipt_for.value, challenge, hashlib.sha256(reply).digest(), version, chain_head)


def sign_receipt(
    token: Token,
    receipt_for: ReceiptFor,
    *,
    epoch: int,
    fingerprint: bytes,
    challenge: bytes,
    reply: bytes,
    version: int,
    chain_head: bytes,
) -> resources_pb2.Receipt:
    """Sign `reply` with the identity key of `epoch`."""
    digest = receipt_digest(receipt_for, challenge=challenge, reply=reply, version=version, chain_head=chain_head)
    return resources_pb2.Receipt(
        signature=token.sign(epoch=epoch, digest=digest),
        identity_fingerprint=fingerprint,
        version=version,
        chain_head=chain_head,
    )
