from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom_service.domain.fields import encode_fields, hash_fields

LABEL = "strongroom/v1/test"
FIELDS = st.lists(st.binary(max_size=12), max_size=4)


def decode(encoded: bytes) -> list[bytes]:
    """Read the format as its description says, independently of the code under test."""
    fields = []
    while encoded:
        length, encoded = int.from_bytes(encoded[:4], "big"), encoded[4:]
        assert len(encoded) >= length
        fields.append(encoded[:length])
        encoded = encoded[length:]
    return fields


@given(fields=FIELDS)
def test_encoding_can_be_read_back(fields: list[bytes]) -> None:
    assert decode(encode_fields(LABEL, *fields)) == [LABEL.encode(), *fields]


@given(one=FIELDS, other=FIELDS)
def test_two_lists_share_an_encoding_only_if_equal(one: list[bytes], other: list[bytes]) -> None:
    assert (encode_fields(LABEL, *one) == encode_fields(LABEL, *other)) == (one == other)


@given(fields=FIELDS, cut=st.integers(min_value=0, max_value=48))
def test_moving_a_boundary_changes_the_encoding(fields: list[bytes], cut: int) -> None:
    whole = b"".join(fields)
    moved = [whole[:cut], whole[cut:]]
    assert (encode_fields(LABEL, *fields) == encode_fields(LABEL, *moved)) == (fields == moved)


def test_known_bytes() -> None:
    assert encode_fields("ab", b"", b"\x01\x02", 258) == bytes.fromhex(
        "00000002 6162 00000000 00000002 0102 00000008 0000000000000102"
    )


def test_hash_is_sha_256_of_the_encoding() -> None:
    assert hash_fields("ab", b"c") == hashlib.sha256(bytes.fromhex("00000002 6162 00000001 63")).digest()


@pytest.mark.parametrize("value", [0, 1, 2**32, 2**64 - 1])
def test_integer_is_eight_bytes_big_endian(value: int) -> None:
    assert decode(encode_fields(LABEL, value))[1] == value.to_bytes(8, "big")


@pytest.mark.parametrize("value", [-1, 2**64])
def test_integer_outside_64_bits_is_refused_without_being_told(value: int) -> None:
    with pytest.raises(ValueError, match="out of u64 range") as caught:
        encode_fields(LABEL, value)
    assert str(2**64) not in str(caught.value)


def test_label_outside_ascii_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        encode_fields("stróngroom/v1/test")
