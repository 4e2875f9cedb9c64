"""Client and service have implementations of their own of every byte format; here they are held side by side."""

from __future__ import annotations

import hashlib
import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from strongroom_client import hpke as client_hpke
from strongroom_client.verification import bundles, receipts, signatures, statements
from strongroom_client.verification.credential_sets import CredentialSet, PublicCredential
from strongroom_client.verification.positions import Position
from strongroom_service.domain.fields import hash_fields
from strongroom_service.keeper.formats import bundle as service_bundle
from strongroom_service.keeper.formats import hpke as service_hpke
from strongroom_service.keeper.formats import receipt as service_receipt
from strongroom_service.keeper.formats import statement as service_statement

BYTES = secrets.token_bytes(77)


def test_challenge_of_a_ceremony() -> None:
    assert statements.challenge_of(BYTES) == service_statement.challenge_of(BYTES)


@pytest.mark.parametrize("name", [member.name for member in service_receipt.ReceiptFor])
def test_receipt_digest(name: str) -> None:
    ours = receipts.receipt_digest(
        receipts.ReceiptFor[name],
        challenge=BYTES,
        reply_sha256=hashlib.sha256(b"reply").digest(),
        position=Position(7, bytes(32)),
    )
    theirs = service_receipt.receipt_digest(
        service_receipt.ReceiptFor[name], challenge=BYTES, reply=b"reply", version=7, chain_head=bytes(32)
    )
    assert ours == theirs


def test_receipts_of_no_further_rpc() -> None:
    assert {one.value for one in receipts.ReceiptFor} == {one.value for one in service_receipt.ReceiptFor}


def test_fingerprint_bundle_digest_and_transport_key_id() -> None:
    assert signatures.identity_fingerprint(BYTES) == service_receipt.identity_fingerprint(BYTES)
    assert bundles.bundle_digest(BYTES) == service_bundle.bundle_digest(BYTES)
    assert bundles.transport_key_id(BYTES) == service_bundle.transport_key_id(BYTES)


def test_credential_set_digest() -> None:
    ours = CredentialSet((PublicCredential(b"a", b"key-a"), PublicCredential(b"b", b"key-b")), b"recovery")
    label = "strongroom/v1/credential-set"
    assert ours.digest == hash_fields(label, b"a", b"key-a", b"b", b"key-b", b"recovery")
    assert CredentialSet().digest == hash_fields(label, b"")


def test_sealed_messages_open_on_the_other_side() -> None:
    private_key = X25519PrivateKey.generate()
    public_key = private_key.public_key().public_bytes_raw()
    to_vault = client_hpke.seal_to_vault(b"envelope", transport_key=public_key, challenge=BYTES)
    to_client = service_hpke.seal_to_client(b"keys", recipient=public_key, challenge=BYTES)
    assert service_hpke.open_from_client(to_vault, private_key=private_key, challenge=BYTES) == b"envelope"
    assert client_hpke.open_from_vault(to_client, private_key=private_key, challenge=BYTES) == b"keys"
