"""A client's request is decoded strictly: what this release does not know is refused, never ignored."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message

from strongroom.v1 import ceremony_pb2, resources_pb2
from strongroom_service.domain.ceremonies import Delete, Mode, Register, Release, Store
from strongroom_service.domain.errors import InvalidField, Reason, Refusal
from strongroom_service.keeper.formats.request import MAX_REQUEST_BYTES, parse_request

RANDOM, KEY = b"r" * 32, b"k" * 32
UNKNOWN = bytes.fromhex("f87f01")
"""Field 2047, number 1."""


def request(**operation: Message | None) -> ceremony_pb2.CeremonyRequest:
    made = ceremony_pb2.CeremonyRequest(client_random=RANDOM, opened_archive_version=3)
    for name, content in operation.items():
        getattr(made, name).SetInParent()
        if content is not None:
            getattr(made, name).CopyFrom(content)
    return made


REGISTER = ceremony_pb2.RegisterOperation(
    user_handle=KEY, mode=resources_pb2.MODE_VAULT_HELD, recovery_public_key=RANDOM
)
STORE = ceremony_pb2.StoreOperation(secret_sha256=KEY, mode=resources_pb2.MODE_PRF)
RELEASE = ceremony_pb2.ReleaseOperation(recipient=KEY, suite=resources_pb2.HPKE_SUITE_X25519_SHA256_AES256GCM)


def test_each_operation_is_read_as_it_was_written() -> None:
    register = parse_request(request(register=REGISTER).SerializeToString())
    assert register.parameters == Register(user_handle=KEY, mode=Mode.VAULT_HELD, recovery_public_key=RANDOM)
    assert (register.client_random, register.opened_archive_version) == (RANDOM, 3)
    store = parse_request(request(store=STORE).SerializeToString())
    assert store.parameters == Store(secret_sha256=KEY, mode=Mode.PRF)
    assert parse_request(request(release=RELEASE).SerializeToString()).parameters == Release(recipient=KEY)
    assert parse_request(request(delete=None).SerializeToString()).parameters == Delete()


@pytest.mark.parametrize("serialized", [b"", bytes(MAX_REQUEST_BYTES + 1), b"\xff"], ids=len)
def test_bytes_that_are_no_request_are_refused(serialized: bytes) -> None:
    with pytest.raises(InvalidField) as caught:
        parse_request(serialized)
    assert caught.value.field == "request"


@pytest.mark.parametrize("later", [b"", bytes.fromhex("aa0100")], ids=["none", "21"])
def test_operation_of_another_release_is_unsupported(later: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        parse_request(request().SerializeToString() + later)
    assert caught.value.reason is Reason.UNSUPPORTED_OPERATION


def test_field_that_this_release_does_not_know_is_refused_at_every_level() -> None:
    whole = request(release=RELEASE).SerializeToString() + UNKNOWN
    operations: dict[str, Message] = {
        "register": REGISTER,
        "store": STORE,
        "release": RELEASE,
        "delete": ceremony_pb2.DeleteOperation(),
    }
    for name, content in operations.items():
        extended = type(content).FromString(content.SerializeToString() + UNKNOWN)
        with pytest.raises(InvalidField) as caught:
            parse_request(request(**{name: extended}).SerializeToString())
        assert caught.value.field == f"request.{name}"
    with pytest.raises(InvalidField) as caught:
        parse_request(whole)
    assert caught.value.field == "request"


@pytest.mark.parametrize(
    ("operation", "field", "value"),
    [
        ("register", "user_handle", b"short"),
        ("register", "recovery_public_key", b""),
        ("register", "mode", 0),
        ("register", "mode", 3),
        ("store", "secret_sha256", b"s" * 33),
        ("store", "mode", 0),
        ("release", "recipient", b"k" * 31),
        ("release", "suite", 0),
        ("release", "suite", 2),
    ],
)
def test_field_that_breaks_its_rule_is_named(operation: str, field: str, value: object) -> None:
    content = {"register": REGISTER, "store": STORE, "release": RELEASE}[operation]
    changed = type(content).FromString(content.SerializeToString())
    setattr(changed, field, value)
    with pytest.raises(InvalidField) as caught:
        parse_request(request(**{operation: changed}).SerializeToString())
    assert caught.value.field == f"request.{operation}.{field}"


@pytest.mark.parametrize("size", [0, 31, 33])
def test_client_random_of_another_size_is_refused(size: int) -> None:
    made = request(delete=None)
    made.client_random = bytes(size)
    with pytest.raises(InvalidField) as caught:
        parse_request(made.SerializeToString())
    assert caught.value.field == "request.client_random"
