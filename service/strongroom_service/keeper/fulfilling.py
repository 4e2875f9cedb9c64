"""Fulfilling: the answer that a committed record grants. The only place where an envelope is unwrapped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from strongroom.v1 import tenant_service_pb2
from strongroom.v1 import vault_service_pb2 as pb
from strongroom_service.domain.ceremonies import ORDERS, Operation
from strongroom_service.domain.errors import Reason, Refusal
from strongroom_service.domain.records import find_archive, find_grant
from strongroom_service.keeper.envelopes import Envelopes
from strongroom_service.keeper.formats.enums import MODES
from strongroom_service.keeper.formats.hpke import seal_to_client
from strongroom_service.keeper.formats.receipt import ReceiptFor, sign_receipt
from strongroom_service.keeper.formats.statement import optional_timestamp_of

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from strongroom.v1 import resources_pb2
    from strongroom_service.domain.records import Archive, Grant, Record
    from strongroom_service.keeper.case import Case
    from strongroom_service.keeper.fulfilments import FulfilmentLog
    from strongroom_service.keeper.vault_keys import VaultKeys

_RECEIPTS = {
    Operation.REGISTER: ReceiptFor.REGISTER,
    Operation.STORE: ReceiptFor.STORE,
    Operation.RELEASE: ReceiptFor.RELEASE,
    Operation.DELETE: ReceiptFor.DELETE,
    Operation.ADD_CREDENTIAL: ReceiptFor.ADD_CREDENTIAL,
    Operation.REMOVE_CREDENTIAL: ReceiptFor.REMOVE_CREDENTIAL,
    Operation.SET_RECOVERY: ReceiptFor.SET_RECOVERY,
    Operation.REOPEN: ReceiptFor.REOPEN,
    Operation.LIFT_QUARANTINE: ReceiptFor.LIFT_QUARANTINE,
    Operation.SET_POLICY: ReceiptFor.SET_POLICY,
    Operation.RESET: ReceiptFor.RESET,
    Operation.ERASE_ACCOUNT: ReceiptFor.ERASE_ACCOUNT,
    Operation.CANCEL_ERASE_ACCOUNT: ReceiptFor.CANCEL_ERASE_ACCOUNT,
}


_STORED_REPLIES = {
    Operation.STORE: pb.StoreReply,
    Operation.ADD_CREDENTIAL: pb.AddCredentialReply,
    Operation.REMOVE_CREDENTIAL: pb.RemoveCredentialReply,
    Operation.SET_RECOVERY: pb.SetRecoveryReply,
}
_EMPTY_REPLIES = {
    Operation.DELETE: pb.DeleteReply,
    Operation.REOPEN: pb.ReopenReply,
    Operation.LIFT_QUARANTINE: pb.LiftQuarantineReply,
    Operation.SET_POLICY: pb.SetPolicyReply,
}


@dataclass(frozen=True, slots=True)
class Fulfiller:
    """Answers grants, and logs each before the answer leaves."""

    keys: VaultKeys
    log: FulfilmentLog

    def fulfil(self, case: Case, *, operation: Operation, challenge: bytes) -> tuple[bytes, resources_pb2.Receipt]:
        """Return the serialized reply and its receipt for the grant that the committed record holds for `challenge`.

        That is the hash of the whole ceremony (or the nonce, where there was none), and only judging that very ceremony
        put the grant into this account's record: so neither its tag nor its statement need to be looked at again.

        Raises:
            Refusal: BEGIN_AGAIN: the record holds no such grant (any more).
            RecordRejected: an envelope does not unwrap.
            TokenFault: the token failed.
        """
        grant = find_grant(case.record, challenge=challenge, operation=operation, now=case.now)
        if grant is None or case.record is None:
            raise Refusal(Reason.BEGIN_AGAIN, detail="the record holds no grant for this ceremony")
        reply = self._reply(case, case.record, grant, challenge=challenge)
        self.log.append(grant, record_id=case.record_id, now=case.now)
        receipt = sign_receipt(
            self.keys.token,
            _RECEIPTS[operation],
            epoch=self.keys.identity_epoch,
            fingerprint=self.keys.identity_fingerprint,
            challenge=challenge,
            reply=reply,
            version=grant.version,
            chain_head=grant.chain_head,
        )
        return reply, receipt

    def _reply(self, case: Case, record: Record, grant: Grant, *, challenge: bytes) -> bytes:
        operation = grant.operation
        reply: Message
        if operation is Operation.REGISTER:
            reply = pb.RegistrationReply(credential_id=grant.credential_id)
        elif operation is Operation.RELEASE:
            envelopes = self._unwrap(case, _granted_archives(record, grant))
            sealed = seal_to_client(envelopes.SerializeToString(), recipient=grant.recipient, challenge=challenge)
            reply = pb.ReleaseReply(sealed_envelopes=sealed)
        elif operation in _STORED_REPLIES:
            (archive,) = _granted_archives(record, grant)
            reply = _STORED_REPLIES[operation](
                archive_version=archive.archive_version, envelope_sha256=archive.envelope_sha256
            )
        elif operation in ORDERS:
            reply = _order_reply(grant, account=case.identity.account)
        else:
            reply = _EMPTY_REPLIES[operation]()
        return reply.SerializeToString()

    def _unwrap(self, case: Case, archives: list[Archive]) -> pb.ReleasedEnvelopes:
        return pb.ReleasedEnvelopes(
            envelopes=[
                pb.ReleasedEnvelope(
                    archive_version=archive.archive_version,
                    confirmed=archive.confirmed,
                    mode=MODES[archive.mode],
                    envelope=Envelopes(self.keys).unwrap(archive, record_id=case.record_id),
                )
                for archive in archives
            ]
        )


def _order_reply(grant: Grant, *, account: str) -> Message:
    effect_time = optional_timestamp_of(grant.effect_at)
    if grant.operation is Operation.RESET:
        return pb.ResetVaultReply(erase_time=effect_time)
    if grant.operation is Operation.ERASE_ACCOUNT:
        return tenant_service_pb2.EraseAccountReply(account=account, erase_time=effect_time)
    return tenant_service_pb2.CancelEraseAccountReply(account=account)


def _granted_archives(record: Record, grant: Grant) -> list[Archive]:
    """The archives that the grant names, as long as the record holds them all."""
    archives = [find_archive(record, version) for version in grant.archive_versions]
    held = [archive for archive in archives if archive is not None]
    if len(held) != len(archives):
        raise Refusal(Reason.BEGIN_AGAIN, detail="an archive version of this grant was replaced")
    return held
