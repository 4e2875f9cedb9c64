"""Every field of every request, spoilt in every way: a clean refusal that names what it can, or it did not matter.

Fields are found by walking the protos' descriptors, so that a new one cannot be forgotten. The tables say what is
expected where "refused, by the field's own name" does not hold.
"""

from __future__ import annotations

import pytest
from google.protobuf.message import Message

from strongroom.v1 import tenant_service_pb2
from strongroom.v1 import vault_service_pb2 as pb
from tests.fakes.connect_stub import Wire
from tests.fakes.hand_client import Begun, Told
from tests.fakes.hand_owner import HandOwner
from tests.integration.abuse.conftest import Abused
from tests.integration.abuse.spoiling import Abuse, abuses, paths
from tests.integration.abuse.telling import field_of, require_clean

SERVICES = (
    pb.DESCRIPTOR.services_by_name["VaultService"],
    tenant_service_pb2.DESCRIPTOR.services_by_name["TenantService"],
)
RPCS = {method.name: method.input_type for service in SERVICES for method in service.methods}

# Whatever a browser says it in, and the tests of one format in the long tier.
BROWSERS_RPCS = [
    pytest.param(method.name, wire, marks=[pytest.mark.verify] if wire is not Wire.CONNECT_JSON else [])
    for method in SERVICES[0].methods
    for wire in Wire
]

NAMED, GRANTED = "INVALID_FIELD", "granted"
SIZES = ("empty", "huge", "one byte", "a byte less", "a byte more")
EXACT = {"other content": {GRANTED}}
MAY_RECOVER = {"ReleaseEnvelope", "AddCredential", "Reopen"}

Outcomes = dict[str, set[str]]


def ranged(reason: str, *, least: int = 1) -> Outcomes:
    """Of a field whose size may vary: what any other content is refused for."""
    sized = {way: {reason} for way in ("other content", "a byte less", "a byte more")}
    return {**sized, **({"one byte": {reason}} if least <= 1 else {})}


# By path: what is expected of a way to spoil it, where that is not INVALID_FIELD.
FIELDS: dict[str, Outcomes] = {
    "nonce": EXACT,
    "request": {},
    "page_token": {"empty": {GRANTED}, "other content": {GRANTED}, "a byte less": {GRANTED}},
    "cursor": {"empty": {GRANTED}},
    "account": {"strange": {"NO_VAULT", "NO_ERASURE_PENDING"}},
    "ceremony": ranged("CEREMONY_REJECTED", least=33),
    "attest_ceremony": ranged("CEREMONY_REJECTED", least=33),
    "sealed_envelope": ranged("NOT_VERIFIED", least=49),
    "transport_key_id": {},
    "attestation": {},
    "attestation.credential_id": ranged("NOT_VERIFIED"),
    "attestation.client_data_json": ranged("NOT_VERIFIED"),
    "attestation.attestation_object": ranged("NOT_VERIFIED"),
    "attestation.transports": {"none": {GRANTED}, "strange": {GRANTED}},
    "assertion": {},
    "assertion.webauthn": {},
    "assertion.webauthn.credential_id": ranged("NOT_VERIFIED"),
    "assertion.webauthn.authenticator_data": ranged("NOT_VERIFIED"),
    "assertion.webauthn.client_data_json": ranged("NOT_VERIFIED"),
    "assertion.webauthn.signature": ranged("NOT_VERIFIED"),
    "assertion.webauthn.user_handle": {**ranged("NOT_VERIFIED"), "empty": {GRANTED}},
    "assertion.recovery": {},
    "assertion.recovery.public_key": {"other content": {"NOT_VERIFIED"}},
    "assertion.recovery.signature": {"other content": {"NOT_VERIFIED"}},
}
# Where another path is named than the one that was spoilt: a message without its fields, by the field that is missed.
NAMED_INSTEAD = {
    ("attestation", "empty"): "attestation.credential_id",
    ("assertion", "absent"): "assertion.kind",
    ("assertion", "empty"): "assertion.kind",
    ("assertion.webauthn", "absent"): "assertion.kind",
    ("assertion.webauthn", "empty"): "assertion.webauthn.credential_id",
    ("assertion.recovery", "absent"): "assertion.kind",
    ("assertion.recovery", "empty"): "assertion.recovery.public_key",
}


def test_every_field_of_every_request_has_its_expectation() -> None:
    walked = {path for descriptor in RPCS.values() for path in paths(descriptor)}
    assert walked == set(FIELDS)


@pytest.mark.parametrize(("rpc", "wire"), [*((rpc, None) for rpc in RPCS), *BROWSERS_RPCS])
def test_spoilt_field_is_refused_by_its_name(abused: Abused, rpc: str, wire: Wire | None) -> None:
    tried = 0
    with HandOwner(abused.vault, wire=wire) as owner:
        owner.ready_for(rpc)
        for abuse in abuses(RPCS[rpc]):
            expected = expected_of(rpc, abuse)
            if GRANTED not in expected:
                require_refused(owner, rpc, abuse, expected)
                tried += 1
        owner.call(rpc, owner.good_request(rpc))  # control: it was the spoilt field each time
    assert tried >= 2


@pytest.mark.parametrize("rpc", RPCS)
def test_field_that_means_nothing_changes_nothing(abused: Abused, rpc: str) -> None:
    """An unknown field of a request itself is ignored, as protobuf has it: what is signed is checked more strictly."""
    for abuse in abuses(RPCS[rpc]):
        if expected_of(rpc, abuse) == {GRANTED}:
            with HandOwner(abused.vault) as owner:
                owner.ready_for(rpc)
                owner.call(rpc, spoilt(owner, rpc, abuse))


def expected_of(rpc: str, abuse: Abuse) -> set[str]:
    if abuse.way == "unknown field":
        recovering = abuse.path.startswith("assertion.recovery")
        return {"NOT_VERIFIED"} if recovering and rpc not in MAY_RECOVER else {GRANTED}
    return FIELDS[abuse.path].get(abuse.way, {NAMED})


def require_refused(owner: HandOwner, rpc: str, abuse: Abuse, expected: set[str]) -> None:
    with pytest.raises(Told) as caught:
        owner.call(rpc, spoilt(owner, rpc, abuse))
    told = caught.value
    require_clean(told)
    assert told.reason in expected, (str(abuse), told.reason, told.text)
    if told.reason == NAMED:
        assert field_of(told) == NAMED_INSTEAD.get((abuse.path, abuse.way), abuse.path)


def spoilt(owner: HandOwner, rpc: str, abuse: Abuse) -> Message:
    request = owner.good_request(rpc)
    if abuse.path.startswith("assertion.recovery"):
        ceremony: bytes = request.ceremony  # type: ignore[attr-defined]  # a request with an assertion has one
        request.assertion.CopyFrom(owner.signed_by_recovery(Begun(ceremony)))  # type: ignore[attr-defined]  # likewise
    abuse.spoil(request)
    return request
