"""Deleting: the vault's end, by an assertion. What it kept is gone; the recovery key still opens archives."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from strongroom.v1 import ceremony_pb2, vault_service_pb2
from strongroom_client.flows.answers import learn, require_uncontested
from strongroom_client.flows.ceremonies import CLIENT_RANDOM_BYTES, begin, complete, expected_mode, sign
from strongroom_client.flows.messages import assertion_message
from strongroom_client.memory import Mode
from strongroom_client.session import Session
from strongroom_client.steps import Flow, Rpc
from strongroom_client.verification.credential_sets import CredentialSet
from strongroom_client.verification.receipts import ReceiptFor


def delete(session: Session, *, mode: Mode | None = None) -> Flow[None]:
    """Delete the vault. One prompt; never repeated by itself where another change came between (BeginAgain)."""
    require_uncontested(session)
    request = ceremony_pb2.CeremonyRequest(
        client_random=session.random(CLIENT_RANDOM_BYTES),
        opened_archive_version=session.memory.opened_archive_version,
        delete=ceremony_pb2.DeleteOperation(),
    )
    begun = yield from begin(session, request, mode=expected_mode(session, mode), may_lock_better=True)
    assertion = yield from sign(begun)
    verified = yield from complete(
        session,
        begun,
        Rpc.DELETE_VAULT,
        vault_service_pb2.DeleteVaultRequest(ceremony=begun.checked.ceremony, assertion=assertion_message(assertion)),
        vault_service_pb2.DeleteVaultResponse,
        receipt_for=ReceiptFor.DELETE,
    )
    forgotten = replace(
        session.memory, mode=None, archive_recipient=None, recovery_recipient=None, names=MappingProxyType({})
    )
    yield from learn(session, verified, memory=forgotten, credentials=CredentialSet())
