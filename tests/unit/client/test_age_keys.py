from __future__ import annotations

import pyrage  # type: ignore[import-untyped]  # ships no types
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from strongroom_client.age_keys import (
    AgeKeyError,
    ArchiveIdentity,
    decode_recipient,
    encode_recipient,
    generate_identity,
    identity_from_seed,
    parse_identity,
    recipient_of,
)

SEED = bytes(range(32))


@given(seed=st.binary(min_size=32, max_size=32))
def test_identity_and_recipient_are_those_of_the_age_library(seed: bytes) -> None:
    identity = identity_from_seed(seed)
    theirs = pyrage.x25519.Identity.from_str(identity.reveal())
    assert str(theirs) == identity.reveal()
    assert str(theirs.to_public()) == recipient_of(identity)


@given(seed=st.binary(min_size=32, max_size=32))
def test_text_forms_can_be_read_back(seed: bytes) -> None:
    identity = identity_from_seed(seed)
    assert parse_identity(f" {identity.reveal()}\n") == identity
    public_key = X25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert decode_recipient(recipient_of(identity)) == public_key
    assert encode_recipient(public_key) == recipient_of(identity)


def test_generated_identities_differ() -> None:
    assert generate_identity() != generate_identity()


def test_secret_is_in_neither_repr_nor_str() -> None:
    identity = identity_from_seed(SEED)
    for text in (repr(identity), str(identity), f"{identity}", repr([identity])):
        assert identity.reveal() not in text
        assert SEED.hex() not in text
        assert repr(SEED) not in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "age1",
        recipient_of(identity_from_seed(SEED)),
        identity_from_seed(SEED).reveal()[:-1],
        identity_from_seed(SEED).reveal().replace("Q", "P", 1),
        "AGE-SECRET-KEY-1" + identity_from_seed(SEED).reveal()[16:].lower(),
    ],
)
def test_text_that_is_no_identity_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(AgeKeyError) as caught:
        parse_identity(text)
    assert not text or text not in str(caught.value)


def test_identity_text_is_no_recipient() -> None:
    with pytest.raises(AgeKeyError) as caught:
        decode_recipient(identity_from_seed(SEED).reveal())
    assert identity_from_seed(SEED).reveal() not in str(caught.value)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_keys_of_another_length_are_refused(size: int) -> None:
    with pytest.raises(AgeKeyError):
        ArchiveIdentity(bytes(size))
    with pytest.raises(AgeKeyError):
        encode_recipient(bytes(size))
