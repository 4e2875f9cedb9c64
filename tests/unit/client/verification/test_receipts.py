from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from strongroom.v1 import resources_pb2
from strongroom_client.errors import ReceiptInvalid
from strongroom_client.verification.positions import Position
from strongroom_client.verification.receipts import ReceiptFor, check_receipt
from tests.fakes.vault import FakeVault

VAULT = FakeVault()
STRANGER = FakeVault()
NONCE = b"n" * 32
HEAD = b"h" * 32


@dataclass
class Question:
    receipt: resources_pb2.Receipt
    receipt_for: ReceiptFor = ReceiptFor.GET_VAULT
    challenge: bytes = NONCE
    reply: bytes = b"reply"

    def check(self) -> Position:
        return check_receipt(
            self.receipt,
            receipt_for=self.receipt_for,
            challenge=self.challenge,
            reply=self.reply,
            identity_keys={VAULT.keys.fingerprint: VAULT.keys.identity_public_key},
        )


def question() -> Question:
    return Question(VAULT.keys.receipt("get-vault", challenge=NONCE, reply=b"reply", version=5, head=HEAD))


def test_receipt_of_the_pinned_key_gives_the_position() -> None:
    assert question().check() == Position(5, HEAD)


def by_a_stranger(asked: Question) -> None:
    asked.receipt = STRANGER.keys.receipt("get-vault", challenge=NONCE, reply=b"reply", version=5, head=HEAD)


def by_a_stranger_under_the_pinned_name(asked: Question) -> None:
    by_a_stranger(asked)
    asked.receipt.identity_fingerprint = VAULT.keys.fingerprint


def swapped_reply(asked: Question) -> None:
    asked.reply = b"another reply"


def of_another_rpc(asked: Question) -> None:
    asked.receipt_for = ReceiptFor.LIST_EVENTS


def of_another_question(asked: Question) -> None:
    asked.challenge = b"m" * 32


def older_version(asked: Question) -> None:
    asked.receipt.version -= 1


def newer_version(asked: Question) -> None:
    asked.receipt.version += 1


def other_head(asked: Question) -> None:
    asked.receipt.chain_head = b"x" * 32


def short_head(asked: Question) -> None:
    asked.receipt.chain_head = b"x" * 31


def short_signature(asked: Question) -> None:
    asked.receipt.signature = asked.receipt.signature[:-1]


def zero_signature(asked: Question) -> None:
    asked.receipt.signature = bytes(64)


@pytest.mark.parametrize(
    "cheat",
    [
        by_a_stranger,
        by_a_stranger_under_the_pinned_name,
        swapped_reply,
        of_another_rpc,
        of_another_question,
        older_version,
        newer_version,
        other_head,
        short_head,
        short_signature,
        zero_signature,
    ],
)
def test_receipt_is_refused(cheat: Callable[[Question], None]) -> None:
    asked = question()
    cheat(asked)
    with pytest.raises(ReceiptInvalid):
        asked.check()
