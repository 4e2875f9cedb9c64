from __future__ import annotations

import pytest

from strongroom.keeper.v1 import frames_pb2 as frames
from strongroom.v1 import event_pb2
from strongroom.v1 import resources_pb2 as resources
from strongroom_service.application.keepers import (
    AlreadyGranted,
    BegunCeremony,
    Caller,
    CommitOrder,
    Completion,
    CredentialDescriptor,
    Receipt,
    SignedReply,
    StaleRecord,
)
from strongroom_service.application.rows import Change, EventRow, RecordRow, VaultRow
from strongroom_service.domain.ceremonies import Operation, RecoverySignature
from strongroom_service.domain.credentials import WebAuthnAssertion, WebAuthnAttestation
from strongroom_service.domain.errors import (
    ClockUntrusted,
    Fault,
    InvalidField,
    Misconfigured,
    Reason,
    RecordRejected,
    Refusal,
    StoreUnavailable,
    TokenFault,
)
from strongroom_service.domain.events import Outcome
from strongroom_service.link import codec, replies
from strongroom_service.link.condition import KeeperCondition

CALLER = Caller(account_token="token", request_id="request")
ROW = RecordRow(record_id=b"r" * 32, version=7, sealed=b"sealed")
WIRE_ROW = frames.Row(record_id=b"r" * 32, version=7, sealed=b"sealed")


def test_calls_carry_every_part_of_what_is_asked() -> None:
    assert codec.open_vault_call(VaultRow(version=3, sealed=b"vault")) == frames.KeeperCall(
        open_vault=frames.OpenVaultCall(version=3, sealed=b"vault")
    )
    assert codec.probe_call().WhichOneof("call") == "probe"
    assert codec.describe_service_call(CALLER, nonce=b"n") == frames.KeeperCall(
        request_id="request", describe_service=frames.DescribeServiceCall(account_token="token", nonce=b"n")
    )
    assert codec.describe_record_call(CALLER, nonce=b"n", row=ROW) == frames.KeeperCall(
        request_id="request",
        describe_record=frames.DescribeRecordCall(account_token="token", nonce=b"n", row=WIRE_ROW),
    )
    assert codec.begin_call(CALLER, request=b"q", row=ROW) == frames.KeeperCall(
        request_id="request", begin=frames.BeginCall(account_token="token", request=b"q", row=WIRE_ROW)
    )
    assert codec.fulfil_call(
        CALLER, completion=Completion(operation=Operation.RELEASE, ceremony=b"c"), row=ROW
    ) == frames.KeeperCall(
        request_id="request",
        fulfil=frames.FulfilCall(
            account_token="token", row=WIRE_ROW, ceremony=b"c", operation=frames.OPERATION_RELEASE
        ),
    )
    event = EventRow(record_id=b"r" * 32, version=6, at=5, sealed=b"event")
    assert codec.list_events_call(
        CALLER, nonce=b"n", page_token=b"p", row=ROW, events=(event,), oldest=True
    ) == frames.KeeperCall(
        request_id="request",
        list_events=frames.ListEventsCall(
            account_token="token",
            nonce=b"n",
            row=WIRE_ROW,
            page_token=b"p",
            events=[frames.EventRow(version=6, sealed=b"event")],
            oldest=True,
        ),
    )


def test_no_row_is_told_apart_from_an_empty_row() -> None:
    assert not codec.begin_call(CALLER, request=b"", row=None).begin.HasField("row")
    empty = RecordRow(record_id=b"", version=0, sealed=b"")
    assert codec.begin_call(CALLER, request=b"", row=empty).begin.HasField("row")


def test_completion_carries_attestation_or_assertion() -> None:
    attestation = WebAuthnAttestation(
        credential_id=b"id", client_data_json=b"json", attestation_object=b"object", transports=("usb", "nfc")
    )
    registration = Completion(operation=Operation.REGISTER, ceremony=b"c", attestation=attestation)
    assert codec.judge_call(CALLER, completion=registration, row=None).judge == frames.JudgeCall(
        account_token="token",
        ceremony=b"c",
        operation=frames.OPERATION_REGISTER,
        attestation=resources.Attestation(
            credential_id=b"id", client_data_json=b"json", attestation_object=b"object", transports=["usb", "nfc"]
        ),
    )
    assertion = WebAuthnAssertion(
        credential_id=b"id", authenticator_data=b"data", client_data_json=b"json", signature=b"s", user_handle=b"u"
    )
    store = Completion(
        operation=Operation.STORE, ceremony=b"c", assertion=assertion, sealed_envelope=b"e", transport_key_id=b"t"
    )
    assert codec.judge_call(CALLER, completion=store, row=ROW).judge == frames.JudgeCall(
        account_token="token",
        row=WIRE_ROW,
        ceremony=b"c",
        operation=frames.OPERATION_STORE,
        assertion=resources.Assertion(
            webauthn=resources.WebAuthnAssertion(
                credential_id=b"id",
                authenticator_data=b"data",
                client_data_json=b"json",
                signature=b"s",
                user_handle=b"u",
            )
        ),
        sealed_envelope=b"e",
        transport_key_id=b"t",
    )


def test_recovery_signature_and_absent_user_handle_have_their_place() -> None:
    recovery = Completion(
        operation=Operation.RELEASE, ceremony=b"c", assertion=RecoverySignature(public_key=b"k", signature=b"s")
    )
    assert codec.judge_call(CALLER, completion=recovery, row=ROW).judge.assertion == resources.Assertion(
        recovery=resources.RecoverySignature(public_key=b"k", signature=b"s")
    )
    bare = WebAuthnAssertion(
        credential_id=b"id", authenticator_data=b"", client_data_json=b"", signature=b"", user_handle=None
    )
    delete = Completion(operation=Operation.DELETE, ceremony=b"c", assertion=bare)
    call = codec.judge_call(CALLER, completion=delete, row=ROW)
    assert call.judge.assertion.webauthn.user_handle == b""
    assert call.judge.operation == frames.OPERATION_DELETE


COMPLETED = frozenset(Operation) - {Operation.ATTEST, Operation.SWEEP, Operation.REWRAP}
"""An attestation is completed inside an addition, and a sweep by nobody."""


def test_every_operation_has_a_number_of_its_own() -> None:
    numbers = {
        codec.fulfil_call(CALLER, completion=Completion(operation=operation), row=None).fulfil.operation
        for operation in COMPLETED
    }
    assert len(numbers) == len(COMPLETED)
    assert frames.OPERATION_UNSPECIFIED not in numbers


def test_signed_reply_keeps_every_field() -> None:
    receipt = resources.Receipt(signature=b"s", identity_fingerprint=b"f", version=9, chain_head=b"h")
    reply = frames.KeeperReply(signed=frames.SignedReply(reply=b"reply", receipt=receipt))
    assert replies.signed_reply(reply) == SignedReply(
        reply=b"reply", receipt=Receipt(signature=b"s", identity_fingerprint=b"f", version=9, chain_head=b"h")
    )


def test_begun_ceremony_keeps_every_field() -> None:
    credential = resources.Credential(credential_id=b"id", cose_key=b"key", transports=["usb"])
    reply = frames.KeeperReply(
        begin=frames.BeginReply(ceremony=b"c", credentials=[credential], recovery_public_key=b"r")
    )
    assert replies.begun_ceremony(reply) == BegunCeremony(
        ceremony=b"c",
        credentials=(CredentialDescriptor(credential_id=b"id", cose_key=b"key", transports=("usb",)),),
        recovery_public_key=b"r",
    )


def commit_reply(refusal: frames.RefusalReply | None) -> frames.KeeperReply:
    outcome = event_pb2.EVENT_OUTCOME_GRANTED if refusal is None else event_pb2.EVENT_OUTCOME_FAILED
    order = frames.CommitOrder(row=WIRE_ROW, sealed_event=b"event", at=11, refusal=refusal, outcome=outcome)
    return frames.KeeperReply(judge=frames.JudgeReply(commit=order))


def test_verdict_without_refusal_is_the_change_to_commit() -> None:
    change = Change(record_id=b"r" * 32, version=7, at=11, sealed_record=b"sealed", sealed_event=b"event")
    assert replies.verdict(commit_reply(None)) == CommitOrder(change=change, refusal=None, outcome=Outcome.GRANTED)


def test_verdict_with_refusal_holds_it_instead_of_raising_it() -> None:
    order = replies.verdict(commit_reply(frames.RefusalReply(reason="NOT_VERIFIED", retry_after_ms=60_000)))
    assert isinstance(order, CommitOrder)
    assert order.refusal is not None
    assert order.refusal.reason is Reason.NOT_VERIFIED
    assert order.refusal.retry_after_ms == 60_000


def test_verdict_of_a_completion_granted_before() -> None:
    reply = frames.KeeperReply(judge=frames.JudgeReply(already_granted=frames.AlreadyGranted()))
    assert replies.verdict(reply) == AlreadyGranted()


def test_probe_tells_the_condition_of_the_keeper() -> None:
    reply = frames.ProbeReply(memory_locked=True, clock_beyond_ms=-90_000, clock_trusted=False)
    condition = replies.probed(frames.KeeperReply(probe=reply))
    assert condition == KeeperCondition(memory_locked=True, clock_beyond_ms=-90_000, clock_trusted=False)


@pytest.mark.parametrize("reason", list(Reason))
def test_each_reason_is_refused_under_its_own_name(reason: Reason) -> None:
    reply = frames.KeeperReply(refusal=frames.RefusalReply(reason=reason.value))
    with pytest.raises(Refusal) as caught:
        replies.probed(reply)
    assert caught.value.reason is reason
    assert caught.value.retry_after_ms is None


def test_invalid_field_names_field_and_rule() -> None:
    refusal = frames.RefusalReply(reason="INVALID_FIELD", field="assertion.signature", rule="required")
    with pytest.raises(InvalidField) as caught:
        replies.signed_reply(frames.KeeperReply(refusal=refusal))
    assert (caught.value.field, caught.value.rule) == ("assertion.signature", "required")


@pytest.mark.parametrize("kind", [RecordRejected, TokenFault, ClockUntrusted, Misconfigured])
def test_faults_that_a_keeper_can_have_keep_their_kind(kind: type[Fault]) -> None:
    reply = frames.KeeperReply(fault=frames.FaultReply(kind=kind.__name__, detail="why"))
    with pytest.raises(kind, match="why"):
        replies.begun_ceremony(reply)


@pytest.mark.parametrize("kind", ["INTERNAL", "", "OutcomeUnknown", StoreUnavailable.__name__, "SystemExit"])
def test_other_faults_are_faults_and_nothing_finer(kind: str) -> None:
    with pytest.raises(Fault) as caught:
        replies.verdict(frames.KeeperReply(fault=frames.FaultReply(kind=kind)))
    assert type(caught.value) is Fault


def test_stale_record_tells_the_newest_version() -> None:
    with pytest.raises(StaleRecord) as caught:
        replies.verdict(frames.KeeperReply(stale=frames.StaleReply(newest_version=12)))
    assert caught.value.newest_version == 12


@pytest.mark.parametrize(
    "reply",
    [
        frames.KeeperReply(),
        frames.KeeperReply(probe=frames.ProbeReply()),
        frames.KeeperReply(judge=frames.JudgeReply()),
        frames.KeeperReply(judge=frames.JudgeReply(commit=frames.CommitOrder(sealed_event=b"event"))),
        frames.KeeperReply(refusal=frames.RefusalReply(reason="WHATEVER")),
        commit_reply(frames.RefusalReply(reason="")),
    ],
)
def test_a_verdict_that_is_not_whole_is_a_fault(reply: frames.KeeperReply) -> None:
    with pytest.raises(Fault):
        replies.verdict(reply)


def test_a_reply_without_receipt_is_a_fault() -> None:
    with pytest.raises(Fault):
        replies.signed_reply(frames.KeeperReply(signed=frames.SignedReply(reply=b"reply")))
