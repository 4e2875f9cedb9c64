"""Fulfilling: the answer that a committed record grants. The only place where an envelope is unwrapped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from strongroom.v1 import vault_service_pb2
from strongroom_service.domain.ceremonies import Operation
from strongroom_service.domain.errors import Reason, Refusal
from strongroom_service.domain.records import find_archive, find_grant
from strongroom_service.keeper.formats.enums import MODES
from strongroom_service.keeper.formats.hpke import seal_to_client
from strongroom_service.keeper.formats.receipt import ReceiptFor, sign_receipt
from strongroom_service.keeper.formats.statement import challenge_of
from strongroom_service.keeper.formats.wrapping import unwrap_envelope

if TYPE_CHECKING:
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
}


@dataclass(frozen=True, slots=True)
class Fulfiller:
    """Answers grants, and logs each before the answer leaves."""

    keys: VaultKeys
    log: FulfilmentLog

    def fulfil(self, case: Case, ceremony: bytes, *, operation: Operation) -> tuple[bytes, resources_pb2.Receipt]:
        """Return the serialized reply and its receipt for the grant that the committed record holds for `ceremony`.

        The grant is found by the hash of the whole ceremony, and only judging that very ceremony put it into this
        account's record: so neither its tag nor its statement need to be looked at again.

        Raises:
            Refusal: BEGIN_AGAIN: the record holds no such grant (any more).
            RecordRejected: an envelope does not unwrap.
            TokenFault: the token failed.
        """
        challenge = challenge_of(ceremony)
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
        match grant.operation:
            case Operation.REGISTER:
                return vault_service_pb2.RegistrationReply(credential_id=grant.credential_id).SerializeToString()
            case Operation.STORE:
                (archive,) = _granted_archives(record, grant)
                return vault_service_pb2.StoreReply(
                    archive_version=archive.archive_version, envelope_sha256=archive.envelope_sha256
                ).SerializeToString()
            case Operation.RELEASE:
                envelopes = self._unwrap(case, _granted_archives(record, grant))
                sealed = seal_to_client(envelopes.SerializeToString(), recipient=grant.recipient, challenge=challenge)
                return vault_service_pb2.ReleaseReply(sealed_envelopes=sealed).SerializeToString()
            case Operation.DELETE:
                return vault_service_pb2.DeleteReply().SerializeToString()

    def _unwrap(self, case: Case, archives: list[Archive]) -> vault_service_pb2.ReleasedEnvelopes:
        return vault_service_pb2.ReleasedEnvelopes(
            envelopes=[
                vault_service_pb2.ReleasedEnvelope(
                    archive_version=archive.archive_version,
                    confirmed=archive.confirmed,
                    mode=MODES[archive.mode],
                    envelope=unwrap_envelope(self.keys.token, archive, record_id=case.record_id),
                )
                for archive in archives
            ]
        )


def _granted_archives(record: Record, grant: Grant) -> list[Archive]:
    """The archives that the grant names, as long as the record holds them all."""
    archives = [find_archive(record, version) for version in grant.archive_versions]
    held = [archive for archive in archives if archive is not None]
    if len(held) != len(archives):
        raise Refusal(Reason.BEGIN_AGAIN, detail="an archive version of this grant was replaced")
    return held
