"""A vault in this process, at the height of its RPCs: honest, with software keys and one account, and no more.

It refuses what a client's flow must be able to meet (wrong version, wrong signature), not all that a keeper refuses:
the service's own tests look at that. What it says can be spoilt on its way by `tests.fakes.front.CheatingFront`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field, replace
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fido2 import cbor
from fido2.cose import CoseKey
from google.protobuf.message import Message

from strongroom.v1 import ceremony_pb2, event_pb2, resources_pb2, vault_service_pb2
from strongroom_client.errors import BeginAgain, NotVerified, NoVault, ResetPending, VaultClosed, VaultExists
from strongroom_client.fields import encode_fields, hash_fields
from strongroom_client.steps import Rpc
from tests.fakes.vault_changes import CHANGES, OF_RECOVERY, Change, Judged, seal_reply
from tests.fakes.vault_keys import FakeVaultKeys, timestamp
from tests.fakes.vault_record import FakeRecord

TENANT, ACCOUNT, RP_ID, ORIGIN = "acme", "alice", "vault.example", "https://vault.example"
NOW = 1_800_000_000_000
GRACE_MS = 30 * 24 * 3600 * 1000


@dataclass
class FakeVault:
    """Implements the client's Connection. `now` is its clock; `events_per_page` makes pages small."""

    now: int = NOW
    events_per_page: int = 2
    record: FakeRecord = field(default_factory=FakeRecord)
    serial: int = 1
    keys: FakeVaultKeys = field(default_factory=FakeVaultKeys)
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    calls: list[Rpc] = field(default_factory=list)
    _granted: dict[bytes, Message] = field(default_factory=dict)

    def close(self) -> None:
        """Nothing to close."""

    def call(self, rpc: Rpc, request: Message) -> Message:
        self.calls.append(rpc)
        match request:
            case vault_service_pb2.GetServiceInfoRequest():
                return self._service_info(request)
            case vault_service_pb2.GetVaultRequest():
                return self._get_vault(request)
            case vault_service_pb2.ListEventsRequest():
                return self._list_events(request)
            case vault_service_pb2.BeginCeremonyRequest():
                return self._begin(request)
            case vault_service_pb2.ResetVaultRequest():
                if request.nonce not in self._granted:
                    self._granted[request.nonce] = self._reset(request)
                return self._granted[request.nonce]
        return self._complete_once(request)

    def bundle(self) -> resources_pb2.SignedKeyBundle:
        return self.keys.bundle(serial=self.serial, now=self.now)

    def receipt(self, rpc: str, *, challenge: bytes, reply: bytes) -> resources_pb2.Receipt:
        """Over the record as it is."""
        record = self.record
        return self.keys.receipt(rpc, challenge=challenge, reply=reply, version=record.version, head=record.head)

    @staticmethod
    def seal_reply(
        recipient: bytes, archives: tuple[vault_service_pb2.ReleasedEnvelope, ...], *, challenge: bytes
    ) -> bytes:
        sealed = seal_reply(recipient, archives, challenge=challenge)
        return vault_service_pb2.ReleaseReply(sealed_envelopes=sealed).SerializeToString()

    def _service_info(self, request: vault_service_pb2.GetServiceInfoRequest) -> Message:
        reply = vault_service_pb2.ServiceInfoReply(
            tenant=TENANT,
            rp_id=RP_ID,
            origins=[ORIGIN],
            algorithms=[-7, -8],
            max_envelope_bytes=16 * 1024,
            key_bundle=self.bundle(),
            keeper_time=timestamp(self.now),
        ).SerializeToString()
        receipt = self.keys.receipt("get-service-info", challenge=request.nonce, reply=reply, version=0, head=bytes(32))
        return vault_service_pb2.GetServiceInfoResponse(reply=reply, receipt=receipt)

    def _get_vault(self, request: vault_service_pb2.GetVaultRequest) -> Message:
        reply = self.record.reply(tenant=TENANT, account=ACCOUNT).SerializeToString()
        receipt = self.receipt("get-vault", challenge=request.nonce, reply=reply)
        return vault_service_pb2.GetVaultResponse(reply=reply, receipt=receipt)

    def _list_events(self, request: vault_service_pb2.ListEventsRequest) -> Message:
        start = int.from_bytes(request.page_token[:8], "big") if request.page_token else self.record.version
        end = max(0, start - self.events_per_page)
        events = [event for event in reversed(self.record.events) if end < event.version <= start]
        token = end.to_bytes(8, "big") + self.record.chain[end] + bytes(32) if end else b""
        reply = vault_service_pb2.ListEventsReply(
            tenant=TENANT, account=ACCOUNT, events=events, next_page_token=token
        ).SerializeToString()
        receipt = self.receipt("list-events", challenge=request.nonce, reply=reply)
        return vault_service_pb2.ListEventsResponse(reply=reply, receipt=receipt)

    def _begin(self, request: vault_service_pb2.BeginCeremonyRequest) -> Message:
        record, asked = self.record, ceremony_pb2.CeremonyRequest.FromString(request.request)
        registers, subject = asked.WhichOneof("operation") == "register", record.subject(asked)
        if registers and record.state == resources_pb2.VAULT_STATE_LIVE:
            raise VaultExists("VAULT_EXISTS")
        if subject is None or not (registers or subject.state in _HOLDING):
            raise NoVault("NO_VAULT")
        if subject.closed and not asked.HasField("reopen"):
            raise VaultClosed("VAULT_CLOSED", retry_after_seconds=60)
        statement = ceremony_pb2.Statement(
            format=1,
            request=request.request,
            tenant=TENANT,
            account=ACCOUNT,
            version=record.version,
            chain_head=record.head,
            credential_set_sha256=subject.credential_set_sha256,
            mode=asked.register.mode if registers else subject.mode,
            rp_id=RP_ID,
            origins=[ORIGIN],
            seal_epoch=1,
            expire_time=timestamp(self.now + (300_000 if registers else 120_000)),
            keeper_random=secrets.token_bytes(32),
        )
        if record.aside is not None:
            statement.set_aside_erase_time.CopyFrom(timestamp(record.aside_erase_at))
        if record.account_erase_at is not None:
            statement.account_erase_time.CopyFrom(timestamp(record.account_erase_at))
        serialized = statement.SerializeToString()
        return vault_service_pb2.BeginCeremonyResponse(
            ceremony=serialized + self._tag(serialized),
            credentials=subject.listed,
            recovery_public_key=subject.effective_recovery,
        )

    def _tag(self, statement: bytes) -> bytes:
        return hmac.digest(self.secret, encode_fields("strongroom/v1/ceremony", statement), "sha256")

    def _complete_once(self, request: Any) -> Message:  # noqa: ANN401  whichever completion it is
        if request.ceremony not in self._granted:
            self._granted[request.ceremony] = self._complete(request)
        return self._granted[request.ceremony]

    def _complete(self, request: Any) -> Message:  # noqa: ANN401  as above
        asked = self._asked(request.ceremony)
        operation = asked.WhichOneof("operation") or ""
        challenge = hash_fields("strongroom/v1/challenge", request.ceremony)
        subject, event = self.record.subject(asked), event_pb2.Event(ceremony=request.ceremony)
        assert subject is not None
        if operation == "register":
            event.attestation.CopyFrom(request.attestation)
        else:
            _check_assertion(subject, request.assertion, challenge=challenge, operation=operation)
            self.record = self.record.confirmed(asked.opened_archive_version)
            event.assertion.CopyFrom(request.assertion)
            event.cose_key = dict(subject.credentials).get(request.assertion.webauthn.credential_id, b"")
        if operation == "add_credential":
            assert self._asked(request.attest_ceremony).HasField("attest")
            event.attestation.CopyFrom(request.attestation)
            event.attest_ceremony = request.attest_ceremony
        event.about_set_aside = asked.reopen.target == ceremony_pb2.REOPEN_TARGET_SET_ASIDE
        judged = Judged(request=request, asked=asked, challenge=challenge, transport=self.keys.transport)
        change = CHANGES[operation](self.record, judged)
        return self._answer(change, event, operation, challenge=challenge)

    def _asked(self, ceremony: bytes) -> ceremony_pb2.CeremonyRequest:
        """What a live ceremony of this vault asks for."""
        if not hmac.compare_digest(self._tag(ceremony[:-32]), ceremony[-32:]):
            raise NotVerified("CEREMONY_REJECTED")
        statement = ceremony_pb2.Statement.FromString(ceremony[:-32])
        if (statement.version, statement.chain_head) != (self.record.version, self.record.head):
            raise BeginAgain("BEGIN_AGAIN")
        return ceremony_pb2.CeremonyRequest.FromString(statement.request)

    def _reset(self, request: vault_service_pb2.ResetVaultRequest) -> Message:
        record, erase_at = self.record, self.now + GRACE_MS
        if record.aside is not None:
            raise ResetPending("RESET_PENDING")
        if record.state != resources_pb2.VAULT_STATE_LIVE:
            raise NoVault("NO_VAULT")
        emptied = replace(record.emptied(resources_pb2.VAULT_STATE_EMPTY), aside=record, aside_erase_at=erase_at)
        reply = vault_service_pb2.ResetVaultReply(erase_time=timestamp(erase_at))
        change = Change(emptied, vault_service_pb2.ResetVaultResponse, reply)
        return self._answer(change, event_pb2.Event(erase_time=timestamp(erase_at)), "reset", challenge=request.nonce)

    def _answer(self, change: Change, event: event_pb2.Event, operation: str, *, challenge: bytes) -> Message:
        self.move(change.record, event, operation)
        reply = change.reply.SerializeToString()
        receipt = self.receipt(operation.replace("_", "-"), challenge=challenge, reply=reply)
        return change.response(reply=reply, receipt=receipt)

    def move(self, record: FakeRecord, event: event_pb2.Event, operation: str) -> None:
        """Go on to `record` by `event`."""
        event.version, event.outcome = self.record.version + 1, event_pb2.EVENT_OUTCOME_GRANTED
        event.kind = event_pb2.EventKind.Value(f"EVENT_KIND_{operation.upper()}")
        event.event_time.CopyFrom(timestamp(self.now))
        event.chain_head = hash_fields("strongroom/v1/chain", self.record.head, secrets.token_bytes(16))
        self.record = record.moved(self.record, event, head=event.chain_head)


_HOLDING = frozenset({resources_pb2.VAULT_STATE_INERT, resources_pb2.VAULT_STATE_LIVE})


def _check_assertion(
    subject: FakeRecord, assertion: resources_pb2.Assertion, *, challenge: bytes, operation: str
) -> None:
    if assertion.WhichOneof("kind") == "recovery":
        if operation not in OF_RECOVERY or assertion.recovery.public_key != subject.effective_recovery:
            raise NotVerified("NOT_VERIFIED")
        key = Ed25519PublicKey.from_public_bytes(assertion.recovery.public_key)
        key.verify(assertion.recovery.signature, encode_fields("strongroom/v1/recovery-assertion", challenge))
        return
    made = assertion.webauthn
    keys = dict(subject.credentials)
    if made.credential_id not in keys or made.credential_id in subject.quarantined:
        raise NotVerified("NOT_VERIFIED")
    if base64.urlsafe_b64encode(challenge).rstrip(b"=") not in made.client_data_json:
        raise NotVerified("NOT_VERIFIED")
    cose_key = CoseKey.parse(cast("dict[int, object]", cbor.decode(keys[made.credential_id])))
    cose_key.verify(made.authenticator_data + hashlib.sha256(made.client_data_json).digest(), made.signature)
