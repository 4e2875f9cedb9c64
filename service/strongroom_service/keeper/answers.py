"""What answers over a nonce have in common: the identity key signs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom.v1 import resources_pb2
from strongroom_service.domain.errors import InvalidField
from strongroom_service.domain.records import head_of, version_of
from strongroom_service.keeper.formats.receipt import ReceiptFor, sign_receipt

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from strongroom_service.domain.records import Record
    from strongroom_service.keeper.vault_keys import VaultKeys

NONCE_BYTES = 32

SignedAnswer = tuple[bytes, resources_pb2.Receipt]


def sign_answer(
    keys: VaultKeys, receipt_for: ReceiptFor, nonce: bytes, reply: Message, *, record: Record | None
) -> SignedAnswer:
    """Return `reply` serialized, with its receipt over the caller's nonce and the record that it speaks of.

    Raises:
        InvalidField: the nonce is not 32 bytes.
    """
    if len(nonce) != NONCE_BYTES:
        raise InvalidField(field="nonce", rule=f"must be {NONCE_BYTES} bytes")
    serialized = reply.SerializeToString()
    receipt = sign_receipt(
        keys.token,
        receipt_for,
        epoch=keys.identity_epoch,
        fingerprint=keys.identity_fingerprint,
        challenge=nonce,
        reply=serialized,
        version=version_of(record),
        chain_head=head_of(record),
    )
    return serialized, receipt
