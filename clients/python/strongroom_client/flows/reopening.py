"""Reopening: what a reset has set aside, by one of its own credentials; or a vault closed after too many failures."""

from __future__ import annotations

from dataclasses import replace

from strongroom.v1 import ceremony_pb2, vault_service_pb2
from strongroom_client.flows.answers import Verified, learn, require_uncontested
from strongroom_client.flows.ceremonies import Begun, begin, complete, expected_mode
from strongroom_client.flows.rewrapping import request_of
from strongroom_client.flows.signing import By, authorize
from strongroom_client.memory import Mode
from strongroom_client.pending import Pending
from strongroom_client.recovery_key import RecoveryKey
from strongroom_client.session import Session
from strongroom_client.steps import Flow, Rpc
from strongroom_client.verification.receipts import ReceiptFor


def reopen_set_aside(
    session: Session, *, recovery_key: RecoveryKey | None = None, mode: Mode | None = None
) -> Flow[None]:
    """Bring back what a reset has set aside, by one of its passkeys or its recovery key; the newer life is dropped.

    What this device had opened may be the newer life's, so that it backs up again only once it has restored.
    """
    begun, verified = yield from _reopen(
        session, ceremony_pb2.REOPEN_TARGET_SET_ASIDE, recovery_key=recovery_key, mode=mode
    )
    memory = session.memory
    back = replace(
        memory,
        mode=begun.mode,
        life=None if memory.life is None else memory.life + 1,
        pending=Pending(account_erase_at=begun.checked.pending.account_erase_at),
        opened_archive_version=0,
        archive_recipient=None,
        recovery_recipient=None,
    )
    yield from learn(session, verified, memory=back, credentials=begun.credentials)


def reopen_closed(session: Session, *, recovery_key: RecoveryKey | None = None, mode: Mode | None = None) -> Flow[None]:
    """Reopen a vault that closed when its attempts were used up: by a passkey in time, by the recovery key at once."""
    begun, verified = yield from _reopen(
        session, ceremony_pb2.REOPEN_TARGET_CLOSED, recovery_key=recovery_key, mode=mode
    )
    yield from learn(session, verified, memory=session.memory, credentials=begun.credentials)


def _reopen(
    session: Session,
    target: ceremony_pb2.ReopenTarget.ValueType,
    *,
    recovery_key: RecoveryKey | None,
    mode: Mode | None,
) -> Flow[tuple[Begun, Verified]]:
    require_uncontested(session)
    request = request_of(session)
    request.reopen.target = target
    begun = yield from begin(session, request, mode=expected_mode(session, mode), may_lock_better=True)
    signed = yield from authorize(begun, By(recovery_key=recovery_key))
    verified = yield from complete(
        session,
        begun,
        Rpc.REOPEN,
        vault_service_pb2.ReopenRequest(ceremony=begun.checked.ceremony, assertion=signed.message),
        vault_service_pb2.ReopenResponse,
        receipt_for=ReceiptFor.REOPEN,
    )
    return begun, verified
