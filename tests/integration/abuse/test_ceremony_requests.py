"""What a client asks for in BeginCeremony, every field of every operation spoilt in every way; and unknown operations.

The request becomes part of what a passkey signs, so nothing in it is ignored: an unknown field is refused too.
"""

from __future__ import annotations

import os

import pytest

from strongroom.v1 import ceremony_pb2, resources_pb2
from strongroom.v1 import vault_service_pb2 as pb
from strongroom_service.domain.fields import hash_fields
from tests.fakes.hand_client import Told
from tests.fakes.hand_owner import POLICY, HandOwner
from tests.integration.abuse.conftest import Abused
from tests.integration.abuse.spoiling import MARK, Abuse, abuses, paths
from tests.integration.abuse.telling import field_of, require_clean

OPERATIONS = [field.name for field in ceremony_pb2.CeremonyRequest.DESCRIPTOR.oneofs_by_name["operation"].fields]
# The RPC whose `ready_for` brings an account to where the operation can begin.
READY_FOR = {
    "register": "CompleteRegistration",
    "remove_credential": "RemoveCredential",
    "reopen": "Reopen",
    "lift_quarantine": "LiftQuarantine",
}
NAMED, GRANTED, UNSUPPORTED = "INVALID_FIELD", "granted", "UNSUPPORTED_OPERATION"
ANY_CONTENT = {"other content": {GRANTED}}
KNOWN_ID = {"other content": {NAMED}}
Outcomes = dict[str, set[str]]

# By path: what is expected of a way to spoil it, where that is not INVALID_FIELD.
FIELDS: dict[str, Outcomes] = {
    "client_random": ANY_CONTENT,
    "opened_archive_version": {way: {GRANTED} for way in ("zero", "one more than known", "largest")},
    **{operation: {"absent": {UNSUPPORTED}} for operation in OPERATIONS},
    "delete": {"absent": {UNSUPPORTED}, "empty": {GRANTED}},
    "register.user_handle": ANY_CONTENT,
    "register.mode": {},
    # Whether 32 bytes are a point of the curve is seen at completion, but for points that are known to be bad.
    "register.recovery_public_key": {"other content": {GRANTED}},
    "store.secret_sha256": ANY_CONTENT,
    "store.mode": {},
    "release.recipient": ANY_CONTENT,
    "release.suite": {},
    "attest.user_handle": ANY_CONTENT,
    "add_credential.credential_id": {way: {GRANTED} for way in ("other content", "a byte less", "a byte more")},
    "add_credential.cose_key_sha256": ANY_CONTENT,
    "add_credential.envelope_sha256": ANY_CONTENT,
    "remove_credential.credential_id": KNOWN_ID,
    "remove_credential.envelope_sha256": ANY_CONTENT,
    "set_recovery.recovery_public_key": {"other content": {GRANTED, NAMED}},
    "set_recovery.envelope_sha256": ANY_CONTENT,
    "reopen.target": {},
    "lift_quarantine.credential_id": KNOWN_ID,
    "set_policy.policy": {},
    "set_policy.policy.budget": {"one more than known": {GRANTED}},
    "set_policy.policy.cool_down_seconds": {"none": {GRANTED}},
    "set_policy.policy.on_exhaustion": {},
    "set_policy.policy.releases_per_day": {"one more than known": {GRANTED}},
    "set_policy.policy.reset_grace_seconds": {},
}


def request_of(owner: HandOwner, operation: str) -> ceremony_pb2.CeremonyRequest:
    """A good one, with every field set."""
    digest = os.urandom(32)
    fields: dict[str, object] = {
        "register": {
            "user_handle": os.urandom(32),
            "mode": resources_pb2.MODE_PRF,
            "recovery_public_key": owner.recovery.public_key().public_bytes_raw(),
        },
        "store": {"secret_sha256": hash_fields("strongroom/v1/store-secret", digest), "mode": resources_pb2.MODE_PRF},
        "release": {"recipient": digest, "suite": resources_pb2.HPKE_SUITE_X25519_SHA256_AES256GCM},
        "delete": {},
        "attest": {"user_handle": os.urandom(32)},
        "add_credential": {"credential_id": digest, "cose_key_sha256": digest, "envelope_sha256": digest},
        "remove_credential": {"credential_id": owner.second.credential_id, "envelope_sha256": digest},
        "set_recovery": {"recovery_public_key": HandOwner.fresh_recovery_key(), "envelope_sha256": digest},
        "reopen": {"target": ceremony_pb2.REOPEN_TARGET_SET_ASIDE},
        "lift_quarantine": {"credential_id": owner.second.credential_id},
        "set_policy": {"policy": POLICY},
    }
    return ceremony_pb2.CeremonyRequest(client_random=os.urandom(32), **{operation: fields[operation]})  # type: ignore[arg-type]  # by name


def own_abuses(operation: str) -> list[Abuse]:
    """Those of what this operation's request holds, not of the other operations."""
    of_all = abuses(ceremony_pb2.CeremonyRequest.DESCRIPTOR)
    return [abuse for abuse in of_all if abuse.path.partition(".")[0] not in {*OPERATIONS} - {operation}]


def test_every_field_of_a_ceremony_request_has_its_expectation() -> None:
    assert set(paths(ceremony_pb2.CeremonyRequest.DESCRIPTOR)) == set(FIELDS)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_spoilt_field_of_an_operation_is_refused_by_its_name(abused: Abused, operation: str) -> None:
    with HandOwner(abused.vault) as owner:
        owner.ready_for(READY_FOR.get(operation, "StoreEnvelope"))
        for abuse in own_abuses(operation):
            request = request_of(owner, operation)
            abuse.spoil(request)
            expected = FIELDS[abuse.path].get(abuse.way, {NAMED}) if abuse.way != "unknown field" else {NAMED}
            reason, told = begin(owner, request.SerializeToString())
            assert reason in expected, (str(abuse), reason)
            if told is not None and reason == NAMED:
                assert_names(field_of(told), abuse)
        assert begin(owner, request_of(owner, operation).SerializeToString())[0] == GRANTED


def begin(owner: HandOwner, request: bytes) -> tuple[str, Told | None]:
    try:
        owner.call("BeginCeremony", pb.BeginCeremonyRequest(request=request))
    except Told as told:
        require_clean(told)
        return told.reason, told
    return GRANTED, None


def assert_names(field: str, abuse: Abuse) -> None:
    """The path itself, or what it is part of (a policy is judged as a whole), or what is missed in it."""
    path = f"request.{abuse.path}" if abuse.path else "request"
    if abuse.way in {"huge", "thousand"} and field == "request":
        return  # the whole is too large
    assert field.startswith(path) or (path.startswith("request.set_policy.policy") and field in path), (field, path)


@pytest.mark.parametrize("operation", [0, 9, 21, 100, 536_870_911])
def test_operation_that_is_unknown_is_unsupported(abused: Abused, operation: int) -> None:
    """An empty message under a number that no release of ours has used."""
    request = ceremony_pb2.CeremonyRequest(client_random=os.urandom(32)).SerializeToString()
    tag = operation << 3 | 2
    encoded = bytearray()
    while tag > 0x7F:
        encoded.append(tag & 0x7F | 0x80)
        tag >>= 7
    with HandOwner(abused.vault) as owner:
        owner.ready_for("StoreEnvelope")
        reason, _ = begin(owner, request + bytes(encoded) + bytes((tag, 0)))
    assert reason == (NAMED if operation == 0 else UNSUPPORTED)


def test_two_operations_are_one_too_many_or_the_last(abused: Abused) -> None:
    """Protobuf keeps the last of a oneof; that one is in the statement that the client compares."""
    with HandOwner(abused.vault) as owner:
        owner.ready_for("StoreEnvelope")
        both = request_of(owner, "release").SerializeToString() + request_of(owner, "delete").SerializeToString()
        response = owner.call("BeginCeremony", pb.BeginCeremonyRequest(request=both))
        statement = ceremony_pb2.Statement.FromString(response.ceremony[:-32])
        assert statement.request == both
        release = pb.ReleaseEnvelopeRequest(ceremony=response.ceremony)
        release.assertion.recovery.public_key, release.assertion.recovery.signature = bytes(32), bytes(64)
        with pytest.raises(Told) as told:
            owner.call("ReleaseEnvelope", release)
        assert told.value.reason == "CEREMONY_REJECTED"


@pytest.mark.parametrize("garbage", [MARK, b"\xff" * 64, b"\x0a\x7f", bytes(64)], ids=repr)
def test_bytes_that_are_no_request_are_refused_by_name(abused: Abused, garbage: bytes) -> None:
    with HandOwner(abused.vault) as owner:
        reason, told = begin(owner, garbage)
    assert reason == NAMED
    assert told is not None
    assert field_of(told) == "request"
