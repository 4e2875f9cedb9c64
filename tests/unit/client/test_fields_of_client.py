from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom_client import fields as client
from strongroom_service.domain import fields as service

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "fields.json").read_text(encoding="utf-8"))
FIELDS = st.lists(st.one_of(st.binary(max_size=12), st.integers(min_value=0, max_value=2**64 - 1)), max_size=4)


@pytest.mark.parametrize("encode", [client.encode_fields, service.encode_fields])
@pytest.mark.parametrize("vector", VECTORS)
def test_vectors(vector: dict[str, object], encode: object) -> None:
    assert callable(encode)
    given_fields = vector["fields"]
    assert isinstance(given_fields, list)
    values = [int(field["integer"]) if "integer" in field else bytes.fromhex(field["bytes"]) for field in given_fields]
    assert encode(vector["label"], *values).hex() == vector["encoded"]
    assert client.hash_fields(str(vector["label"]), *values).hex() == vector["sha256"]
    assert service.hash_fields(str(vector["label"]), *values).hex() == vector["sha256"]


@given(fields=FIELDS)
def test_client_and_service_encode_alike(fields: list[bytes | int]) -> None:
    assert client.encode_fields("strongroom/v1/test", *fields) == service.encode_fields("strongroom/v1/test", *fields)


@given(fields=st.lists(st.binary(max_size=12), max_size=4))
def test_encoding_can_be_read_back(fields: list[bytes]) -> None:
    assert client.decode_fields(client.encode_fields("ab", *fields)) == (b"ab", *fields)


@pytest.mark.parametrize("wrong", ["00", "00000001", "0000000261", "00000000ff", "ffffffff61"])
def test_lengths_that_do_not_fit_are_refused(wrong: str) -> None:
    with pytest.raises(client.FieldsError):
        client.decode_fields(bytes.fromhex(wrong))


@pytest.mark.parametrize("value", [-1, 2**64])
def test_integer_outside_64_bits_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="out of u64 range"):
        client.encode_fields("ab", value)
