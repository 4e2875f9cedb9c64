"""Receipts: what the keeper told, to whom, about which version; and nothing else passes for it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from strongroom.keeper.v1 import frames_pb2
from strongroom_service.keeper.formats.receipt import ReceiptFor
from tests.fakes.desk import Desk, refused_for
from tests.fakes.person import Ceremony, Person


def fields(label: str, *parts: bytes) -> bytes:
    """As docs/protocol.md says, written once more."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in (label.encode(), *parts))


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a client knows when it looks at a receipt."""

    kind: str
    challenge: bytes
    reply: bytes
    version: int
    chain_head: bytes
    signature: bytes
    public_key: bytes

    def check(self) -> None:
        """Raise InvalidSignature unless the identity key signed exactly this."""
        digest = hashlib.sha256(
            fields(
                f"strongroom/v1/receipt/{self.kind}",
                self.challenge,
                hashlib.sha256(self.reply).digest(),
                self.version.to_bytes(8, "big"),
                self.chain_head,
            )
        ).digest()
        r, s = (int.from_bytes(half, "big") for half in (self.signature[:32], self.signature[32:]))
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), self.public_key)
        key.verify(utils.encode_dss_signature(r, s), digest, ec.ECDSA(utils.Prehashed(SHA256())))


def told(person: Person, kind: str, challenge: bytes, signed: frames_pb2.SignedReply) -> Told:
    (identity,) = person.bundle().identity_keys
    assert signed.receipt.identity_fingerprint == identity.fingerprint
    return Told(
        kind=kind,
        challenge=challenge,
        reply=signed.reply,
        version=signed.receipt.version,
        chain_head=signed.receipt.chain_head,
        signature=signed.receipt.signature,
        public_key=identity.public_key,
    )


@pytest.fixture
def release(alice: Person) -> Told:
    ceremony = alice.begin_release()
    return told(alice, "release", ceremony.challenge, alice.complete(ceremony))


def test_receipt_of_each_completed_operation_verifies(desk: Desk) -> None:
    alice = Person(desk)
    steps: list[tuple[str, Callable[[], Ceremony], bytes]] = [
        ("register", alice.begin_registration, b""),
        ("store", alice.begin_store, b"an envelope"),
        ("release", alice.begin_release, b""),
        ("delete", alice.begin_delete, b""),
    ]
    for version, (kind, begin, envelope) in enumerate(steps, start=1):
        ceremony = begin()
        receipt = told(alice, kind, ceremony.challenge, alice.complete(ceremony, envelope=envelope))
        receipt.check()
        assert receipt.version == version
        assert receipt.chain_head == desk.list_events("alice").events[0].chain_head


@pytest.mark.parametrize(
    "changes",
    [
        {"reply": b"another reply"},
        {"reply": b""},
        {"challenge": bytes(32)},
        {"version": 2},
        {"chain_head": bytes(32)},
        {"signature": bytes(63) + b"\1"},
        *({"kind": kind.value.rsplit("/", 1)[1]} for kind in ReceiptFor if kind is not ReceiptFor.RELEASE),
    ],
    ids=str,
)
def test_receipt_is_for_nothing_else(release: Told, changes: dict[str, object]) -> None:
    release.check()
    with pytest.raises(InvalidSignature):
        replace(release, **changes).check()  # type: ignore[arg-type]  # names and types are the class's


def test_receipt_of_another_vault_does_not_verify(release: Told, tmp_path_factory: pytest.TempPathFactory) -> None:
    (identity,) = Person(Desk(tmp_path_factory.mktemp("elsewhere"))).bundle().identity_keys
    with pytest.raises(InvalidSignature):
        replace(release, public_key=identity.public_key).check()


def test_receipts_without_a_ceremony_cover_the_callers_nonce(alice: Person) -> None:
    desk, nonce = alice.desk, os.urandom(32)
    token, row = desk.account_token("alice"), desk.row("alice")
    calls = {
        "get-vault": frames_pb2.KeeperCall(
            describe_record=frames_pb2.DescribeRecordCall(account_token=token, nonce=nonce, row=row)
        ),
        "get-service-info": frames_pb2.KeeperCall(
            describe_service=frames_pb2.DescribeServiceCall(account_token=token, nonce=nonce)
        ),
        "list-events": frames_pb2.KeeperCall(
            list_events=frames_pb2.ListEventsCall(
                account_token=token, nonce=nonce, row=row, events=desk.store.events[desk.record_id("alice")]
            )
        ),
    }
    for kind, call in calls.items():
        receipt = told(alice, kind, nonce, desk.call(call).signed)
        receipt.check()
        with pytest.raises(InvalidSignature):
            replace(receipt, challenge=os.urandom(32)).check()
        assert receipt.version == (0 if kind == "get-service-info" else 2)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_nonce_of_another_size_is_refused(desk: Desk, size: int) -> None:
    call = frames_pb2.DescribeServiceCall(account_token=desk.account_token("alice"), nonce=bytes(size))
    with refused_for("INVALID_FIELD"):
        desk.call(frames_pb2.KeeperCall(describe_service=call))


def test_account_without_a_record_is_told_so_under_a_receipt_of_version_zero(desk: Desk) -> None:
    call = frames_pb2.DescribeRecordCall(account_token=desk.account_token("alice"), nonce=bytes(32))
    signed = desk.call(frames_pb2.KeeperCall(describe_record=call)).signed
    receipt = told(Person(desk), "get-vault", bytes(32), signed)
    receipt.check()
    assert (receipt.version, receipt.chain_head) == (0, bytes(32))


def test_every_kind_of_receipt_has_a_label_of_its_own() -> None:
    assert len({kind.value for kind in ReceiptFor}) == len(ReceiptFor) == 17
