"""Evidence in a history is checked again by whoever has the history, and every lie in it is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom.v1 import ceremony_pb2, event_pb2
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.verification.evidence import examine_evidence
from tests.fakes.client import CountingAuthenticator, FakeMemory, client_of
from tests.fakes.vault import ACCOUNT, TENANT, FakeVault

Events = list[event_pb2.Event]


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Events:
    """A whole life: register (1), store (2), releases by passkey (3) and recovery key (4), delete (5), and another."""
    folder = tmp_path_factory.mktemp("evidence")
    vault, memory = FakeVault(), FakeMemory()
    passkeys = CountingAuthenticator(InsecureSoftwareAuthenticator(state_path=folder / "passkeys"))
    client = client_of(vault, memory=memory)
    enrolled = client.enroll(passkeys, user_name=ACCOUNT)
    client.release_with_recovery_key(enrolled.recovery_key)
    client.delete(passkeys)
    client.enroll(CountingAuthenticator(InsecureSoftwareAuthenticator(state_path=folder / "others")), user_name=ACCOUNT)
    return [event.message for event in client.history()]


def copied(events: Events) -> dict[int, event_pb2.Event]:
    return {event.version: event_pb2.Event.FromString(event.SerializeToString()) for event in events}


def found(events: Events) -> dict[int, str]:
    return {flaw.version: flaw.said for flaw in examine_evidence(events, tenant=TENANT, account=ACCOUNT)}


def test_honest_history_holds_in_whichever_order_it_is_listed(honest: Events) -> None:
    assert len(honest) == 8
    assert found(honest) == {}
    assert found(honest[::-1]) == {}


def spoil_signature(event: event_pb2.Event) -> None:
    made = event.assertion.webauthn
    made.signature = made.signature[:-1] + bytes([made.signature[-1] ^ 1])


def spoil_authenticator_data(event: event_pb2.Event) -> None:
    data = event.assertion.webauthn.authenticator_data
    event.assertion.webauthn.authenticator_data = data[:32] + bytes([data[32] ^ 0x40]) + data[33:]


def swap_recovery_signature(event: event_pb2.Event) -> None:
    event.assertion.recovery.signature = bytes(64)


def swap_recovery_key(event: event_pb2.Event) -> None:
    event.assertion.recovery.public_key = bytes(32)


def swap_cose_key(event: event_pb2.Event) -> None:
    event.cose_key += b"\x00"


def claim_other_passkey(event: event_pb2.Event) -> None:
    event.assertion.webauthn.credential_id = b"another passkey's id"


def claim_other_kind(event: event_pb2.Event) -> None:
    event.kind = event_pb2.EVENT_KIND_DELETE


def claim_failure(event: event_pb2.Event) -> None:
    event.outcome = event_pb2.EVENT_OUTCOME_FAILED


def no_ceremony(event: event_pb2.Event) -> None:
    event.ceremony = b""


def no_assertion(event: event_pb2.Event) -> None:
    event.ClearField("assertion")


def spoil_ceremony(event: event_pb2.Event) -> None:
    statement = ceremony_pb2.Statement.FromString(event.ceremony[:-32])
    request = ceremony_pb2.CeremonyRequest.FromString(statement.request)
    request.release.recipient = b"f" * 32
    statement.request = request.SerializeToString()
    event.ceremony = statement.SerializeToString() + event.ceremony[-32:]


def spoil_client_data(event: event_pb2.Event) -> None:
    event.attestation.client_data_json = event.attestation.client_data_json.replace(b"create", b"get")


def spoil_attestation(event: event_pb2.Event) -> None:
    event.attestation.attestation_object = b"\xa0"


@pytest.mark.parametrize(
    ("version", "lie", "said"),
    [
        (3, spoil_signature, "the signature is not the passkey's"),
        (3, spoil_authenticator_data, ""),
        (3, swap_cose_key, "not one that the history brought"),
        (3, claim_other_passkey, "not one that the history brought"),
        (3, claim_other_kind, "another operation"),
        (3, claim_failure, "although the signature is right"),
        (3, no_ceremony, "another operation"),
        (3, no_assertion, "not one that the history brought"),
        (3, spoil_ceremony, "another ceremony"),
        (4, swap_recovery_signature, "not the recovery key's"),
        (4, swap_recovery_key, "not the account's"),
        (1, spoil_client_data, "another ceremony"),
        (1, spoil_attestation, "does not parse"),
    ],
)
def test_lie_in_an_event_is_named(
    honest: Events, version: int, lie: Callable[[event_pb2.Event], None], said: str
) -> None:
    events = copied(honest)
    lie(events[version])
    flaws = found(list(events.values()))
    assert version in flaws
    assert said in flaws[version]


def test_failure_whose_signature_is_wrong_is_taken(honest: Events) -> None:
    """Control for the failure that was counted although the signature is right."""
    events = copied(honest)
    claim_failure(events[3])
    spoil_signature(events[3])
    assert found(list(events.values())) == {}


def test_event_that_is_missing_or_put_elsewhere_is_named(honest: Events) -> None:
    events = copied(honest)
    assert 4 in found([event for event in events.values() if event.version != 3])
    events[3].version, events[4].version = 4, 3
    assert {3, 4} <= set(found(list(events.values())))


def test_history_of_another_account_is_named(honest: Events) -> None:
    flaws = examine_evidence(honest, tenant=TENANT, account="mallory")
    assert {flaw.version for flaw in flaws} == {event.version for event in honest}


def test_passkey_that_nobody_registered_is_named(honest: Events, tmp_path: Path) -> None:
    """A vault that slipped a credential in: no registration brought it, and no statement's digest fits."""
    events = copied(honest)
    other = copied(honest)[7]
    events[2].assertion.CopyFrom(other.assertion)
    events[2].cose_key = other.cose_key
    assert "not one that the history brought" in found(list(events.values()))[2]
