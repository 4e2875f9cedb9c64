"""What we seal, an independent HPKE opens, and the other way about; both refuse what belongs to another ceremony."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from strongroom_service.domain.errors import Refusal
from strongroom_service.keeper.formats.hpke import open_from_client, seal_to_client
from tests.fakes.plain_protocol import hpke_info

SCRIPT = Path(__file__).with_name("hpke_peer.py")
SIZES = (0, 1, 33, 16 * 1024 + 32)


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One ceremony's challenge, a key pair, and what is sealed."""

    plaintext: bytes
    challenge: bytes = field(default_factory=lambda: os.urandom(32))
    key: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)

    @property
    def recipient(self) -> bytes:
        return self.key.public_key().public_bytes_raw()


@pytest.fixture
def exchanges() -> list[Exchange]:
    return [Exchange(plaintext=os.urandom(size)) for size in SIZES]


def ask(oracle_python: Path, questions: list[dict[str, bytes]]) -> list[dict[str, str]]:
    given = json.dumps([{name: value.hex() for name, value in question.items()} for question in questions])
    result = subprocess.run([oracle_python, SCRIPT], input=given, check=True, capture_output=True, text=True)
    answers: list[dict[str, str]] = json.loads(result.stdout)
    return answers


def to_open(exchange: Exchange, sealed: bytes, info: bytes) -> dict[str, bytes]:
    return {"key": exchange.key.private_bytes_raw(), "info": info, "sealed": sealed}


def test_the_other_opens_what_the_keeper_seals(oracle_python: Path, exchanges: list[Exchange]) -> None:
    answers = ask(
        oracle_python,
        [
            to_open(
                each,
                seal_to_client(each.plaintext, recipient=each.recipient, challenge=each.challenge),
                hpke_info(direction="to-client", challenge=each.challenge),
            )
            for each in exchanges
        ],
    )
    assert answers == [{"plaintext": each.plaintext.hex()} for each in exchanges]


def test_the_keeper_opens_what_the_other_seals(oracle_python: Path, exchanges: list[Exchange]) -> None:
    questions = [
        {
            "key": each.recipient,
            "info": hpke_info(direction="to-keeper", challenge=each.challenge),
            "plaintext": each.plaintext,
        }
        for each in exchanges
    ]
    for each, answer in zip(exchanges, ask(oracle_python, questions), strict=True):
        sealed = bytes.fromhex(answer["sealed"])
        assert open_from_client(sealed, private_key=each.key, challenge=each.challenge) == each.plaintext
        with pytest.raises(Refusal):
            open_from_client(sealed, private_key=each.key, challenge=os.urandom(32))


def test_the_other_refuses_another_challenge_another_direction_and_a_changed_bit(
    oracle_python: Path, exchanges: list[Exchange]
) -> None:
    questions = []
    for each in exchanges:
        sealed = seal_to_client(each.plaintext, recipient=each.recipient, challenge=each.challenge)
        right = hpke_info(direction="to-client", challenge=each.challenge)
        questions += [
            to_open(each, sealed, hpke_info(direction="to-client", challenge=os.urandom(32))),
            to_open(each, sealed, hpke_info(direction="to-keeper", challenge=each.challenge)),
            to_open(each, sealed[:-1] + bytes([sealed[-1] ^ 1]), right),
        ]
    assert ask(oracle_python, questions) == [{"error": "OpenError"}] * len(questions)
