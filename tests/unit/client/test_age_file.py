from __future__ import annotations

import io
from dataclasses import dataclass

import pytest

from strongroom_client.age_file import (
    AgeError,
    AgeFileDamaged,
    NoMatchingIdentity,
    decrypt_bytes,
    decrypt_stream,
    encrypt_bytes,
    encrypt_stream,
)
from strongroom_client.age_keys import generate_identity, recipient_of

CHUNK = 65536
CHUNK_TAG = 16


class Cancelled(BaseException):
    """Stands for KeyboardInterrupt, which pytest would take for its own."""


@dataclass
class Failing:
    error: BaseException

    def read(self, size: int) -> bytes:
        raise self.error

    def write(self, chunk: bytes) -> int:
        raise self.error


def test_every_recipient_can_open_it() -> None:
    identities = [generate_identity(), generate_identity()]
    sealed = encrypt_bytes(b"content", recipients=[recipient_of(identity) for identity in identities])
    for identity in identities:
        assert decrypt_bytes(sealed, identities=[identity]) == b"content"


def test_a_stranger_is_told_apart_from_damage() -> None:
    identity = generate_identity()
    sealed = encrypt_bytes(b"content", recipients=[recipient_of(identity)])
    with pytest.raises(NoMatchingIdentity):
        decrypt_bytes(sealed, identities=[generate_identity()])
    for damaged in (sealed[:-1], sealed[:50], b"", b"not an age file", sealed + b"x"):
        with pytest.raises(AgeFileDamaged):
            decrypt_bytes(damaged, identities=[identity])


@pytest.mark.parametrize("whole_chunks", [0, 1, 2])
def test_a_cut_between_two_chunks_is_noticed(whole_chunks: int) -> None:
    identity = generate_identity()
    sealed = encrypt_bytes(bytes(3 * CHUNK), recipients=[recipient_of(identity)])
    header = len(sealed) - 3 * (CHUNK + CHUNK_TAG)
    with pytest.raises(AgeFileDamaged):
        decrypt_bytes(sealed[: header + whole_chunks * (CHUNK + CHUNK_TAG)], identities=[identity])


@pytest.mark.parametrize("error", [OSError(28, "No space left"), ValueError("own"), Cancelled()])
def test_what_source_or_sink_raises_arrives_unchanged(error: BaseException) -> None:
    identity = generate_identity()
    recipients = [recipient_of(identity)]
    sealed = encrypt_bytes(b"content", recipients=recipients)
    with pytest.raises(type(error)) as caught:
        encrypt_stream(source=Failing(error), sink=io.BytesIO(), recipients=recipients)
    assert caught.value is error
    with pytest.raises(type(error)) as caught:
        encrypt_stream(source=io.BytesIO(b"x"), sink=Failing(error), recipients=recipients)
    assert caught.value is error
    with pytest.raises(type(error)) as caught:
        decrypt_stream(source=io.BytesIO(sealed), sink=Failing(error), identities=[identity])
    assert caught.value is error
    with pytest.raises(type(error)) as caught:
        decrypt_stream(source=Failing(error), sink=io.BytesIO(), identities=[identity])
    assert caught.value is error


@pytest.mark.parametrize("recipients", [[], ["age1nonsense"]])
def test_no_or_malformed_recipients_are_refused(recipients: list[str]) -> None:
    with pytest.raises(AgeError):
        encrypt_bytes(b"content", recipients=recipients)
