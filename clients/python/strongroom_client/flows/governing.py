"""What a passkey decides without any envelope: that another is trusted again, and what the limits are."""

from __future__ import annotations

from strongroom.v1 import vault_service_pb2
from strongroom_client.descriptions import Policy, policy_message
from strongroom_client.flows.answers import learn, require_uncontested
from strongroom_client.flows.ceremonies import begin, complete, expected_mode
from strongroom_client.flows.rewrapping import request_of
from strongroom_client.flows.signing import ANY_PASSKEY, By, authorize
from strongroom_client.memory import Mode
from strongroom_client.session import Session
from strongroom_client.steps import Flow, Rpc
from strongroom_client.verification.receipts import ReceiptFor


def lift_quarantine(session: Session, credential_id: bytes, *, mode: Mode | None = None) -> Flow[None]:
    """Trust a quarantined passkey again, by another one."""
    require_uncontested(session)
    request = request_of(session)
    request.lift_quarantine.credential_id = credential_id
    begun = yield from begin(session, request, mode=expected_mode(session, mode), may_lock_better=True)
    others = tuple(one for one in begun.credentials.ids if one != credential_id)
    signed = yield from authorize(begun, By(allow=others))
    verified = yield from complete(
        session,
        begun,
        Rpc.LIFT_QUARANTINE,
        vault_service_pb2.LiftQuarantineRequest(ceremony=begun.checked.ceremony, assertion=signed.message),
        vault_service_pb2.LiftQuarantineResponse,
        receipt_for=ReceiptFor.LIFT_QUARANTINE,
    )
    yield from learn(session, verified, memory=session.memory, credentials=begun.credentials)


def set_policy(session: Session, policy: Policy, *, mode: Mode | None = None) -> Flow[None]:
    """Set all limits of the record."""
    require_uncontested(session)
    request = request_of(session)
    request.set_policy.policy.CopyFrom(policy_message(policy))
    begun = yield from begin(session, request, mode=expected_mode(session, mode), may_lock_better=True)
    signed = yield from authorize(begun, ANY_PASSKEY)
    verified = yield from complete(
        session,
        begun,
        Rpc.SET_POLICY,
        vault_service_pb2.SetPolicyRequest(ceremony=begun.checked.ceremony, assertion=signed.message),
        vault_service_pb2.SetPolicyResponse,
        receipt_for=ReceiptFor.SET_POLICY,
    )
    yield from learn(session, verified, memory=session.memory, credentials=begun.credentials)
