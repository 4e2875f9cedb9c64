"""Evidence in a history is checked again by whoever has the history, and every lie in it is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom.v1 import ceremony_pb2, event_pb2
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.recovery_key import RecoveryKey
from strongroom_client.verification.evidence import examine_evidence
from strongroom_client.verification.statements import challenge_of
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


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[Events, RecoveryKey]:
    """Enrolled (1 to 3), a passkey added (4 opens, 5, 6 tries), the first removed (7, 8), another recovery key (9, 10),
    a reset (11), a thief's life (12 to 14), and the earlier one reopened (15) and opened (16)."""
    folder = tmp_path_factory.mktemp("eventful")
    first, second, thief = (
        InsecureSoftwareAuthenticator(state_path=folder / name) for name in ("first", "second", "thief")
    )
    vault = FakeVault(events_per_page=5)
    client = client_of(vault)
    enrolled = client.enroll(first, user_name=ACCOUNT)
    client.add_passkey(second, user_name=ACCOUNT, by=enrolled.recovery_key)
    client.remove_passkey(second, enrolled.credential_id)
    client.set_recovery(second)
    client.reset()
    client.enroll(thief, user_name=ACCOUNT)
    client.reopen_set_aside(second)
    client.release(second)
    return [event.message for event in client.history()], enrolled.recovery_key


@pytest.fixture(scope="module")
def eventful(story: tuple[Events, RecoveryKey]) -> Events:
    return story[0]


def test_evidence_of_an_eventful_life_holds(eventful: Events) -> None:
    assert len(eventful) == 16
    assert found(eventful) == {}


def deny_set_aside(event: event_pb2.Event) -> None:
    event.about_set_aside = False


def no_attest_ceremony(event: event_pb2.Event) -> None:
    event.attest_ceremony = event.ceremony


def attest_of_another_state(event: event_pb2.Event) -> None:
    statement = ceremony_pb2.Statement.FromString(event.attest_ceremony[:-32])
    statement.version -= 1
    event.attest_ceremony = statement.SerializeToString() + bytes(32)


@pytest.mark.parametrize(
    ("version", "lie", "said"),
    [
        (5, swap_recovery_signature, "not the recovery key's"),
        (5, no_attest_ceremony, "for something else"),
        (5, attest_of_another_state, "another state"),
        (5, spoil_client_data, "another ceremony"),
        (8, spoil_signature, "the signature is not the passkey's"),
        (10, spoil_signature, "the signature is not the passkey's"),
        (15, deny_set_aside, "about another life"),
        (15, spoil_signature, "the signature is not the passkey's"),
    ],
)
def test_lie_about_a_change_of_credentials_is_named(
    eventful: Events, version: int, lie: Callable[[event_pb2.Event], None], said: str
) -> None:
    events = copied(eventful)
    lie(events[version])
    assert said in found(list(events.values()))[version]


def test_passkey_let_in_that_was_not_signed_for_is_named(eventful: Events) -> None:
    """The attestation of the thief's passkey in place of the one whose hash the recovery key signed."""
    events = copied(eventful)
    events[5].attestation.CopyFrom(events[12].attestation)
    events[5].attest_ceremony = events[12].ceremony
    assert 5 in found(list(events.values()))


@pytest.mark.parametrize("hidden", [8, 11])
def test_removal_or_reset_that_is_hidden_is_named_by_what_follows(eventful: Events, hidden: int) -> None:
    left = [event for event in eventful if event.version != hidden]
    assert hidden + 1 in found(left)


def test_recovery_key_has_a_say_in_few_operations(eventful: Events) -> None:
    events = copied(eventful)
    events[7].assertion.CopyFrom(events[5].assertion)
    events[8].assertion.CopyFrom(events[5].assertion)
    assert "has no say in remove_credential" in found(list(events.values()))[8]


def test_passkey_whose_counter_went_back_signs_for_nothing_more(honest: Events) -> None:
    events = copied(honest)
    events[3].outcome, events[3].reason = event_pb2.EVENT_OUTCOME_REFUSED, "counter_regression"
    assert found(list(events.values())) == {5: "the passkey that signed was quarantined"}


@pytest.mark.parametrize("closes", [True, False])
def test_vault_that_was_used_up_goes_on_by_its_policy(honest: Events, *, closes: bool) -> None:
    """By what follows one sees whether it destroyed or closed."""
    events = copied(honest)
    events[3].outcome = event_pb2.EVENT_OUTCOME_EXHAUSTED
    spoil_signature(events[3])
    followed = list(events.values()) if closes else [events[1], events[2], events[3]]
    assert found(followed) == {}
    if closes:
        del events[4], events[5]
        assert 6 in found(list(events.values()))


def test_what_was_due_is_swept_before_the_event(eventful: Events) -> None:
    events = copied(eventful)
    events[13].swept.append(event_pb2.SWEPT_SET_ASIDE)
    assert set(found(list(events.values()))) == {15, 16}, "what was swept cannot be reopened"
    events = copied(eventful)
    events[14].swept.append(event_pb2.SWEPT_ACCOUNT)
    assert 14 in found(list(events.values()))


@pytest.mark.parametrize(("named", "value"), [("credential_id", b"another passkey"), ("cose_key_sha256", b"k" * 32)])
def test_passkey_let_in_under_another_name_is_named(
    story: tuple[Events, RecoveryKey], named: str, value: bytes
) -> None:
    """The recovery key has signed for another passkey than the vault let in."""
    events = copied(story[0])
    statement = ceremony_pb2.Statement.FromString(events[5].ceremony[:-32])
    request = ceremony_pb2.CeremonyRequest.FromString(statement.request)
    setattr(request.add_credential, named, value)
    statement.request = request.SerializeToString()
    events[5].ceremony = statement.SerializeToString() + bytes(32)
    signature = story[1].credential().sign(challenge_of(events[5].ceremony))
    events[5].assertion.recovery.signature = signature
    assert "signed for" in found(list(events.values()))[5]
