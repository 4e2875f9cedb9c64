"""A vault in this process, at the height of its RPCs: honest, with software keys and one account, and no more.

It refuses what a client's flow must be able to meet (wrong version, wrong signature), not all that a keeper refuses:
the service's own tests look at that. What it says can be spoilt on its way by `tests.fakes.front.CheatingFront`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import cast

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from fido2 import cbor
from fido2.cose import CoseKey
from fido2.webauthn import AttestationObject
from google.protobuf.message import Message

from strongroom.v1 import ceremony_pb2, event_pb2, resources_pb2, vault_service_pb2
from strongroom_client.errors import BeginAgain, NotVerified, NoVault, VaultExists
from strongroom_client.fields import encode_fields, hash_fields
from strongroom_client.steps import Rpc
from tests.fakes.vault_keys import FakeVaultKeys, timestamp
from tests.fakes.vault_record import FakeRecord

TENANT, ACCOUNT, RP_ID, ORIGIN = "acme", "alice", "vault.example", "https://vault.example"
NOW = 1_800_000_000_000
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


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
    _judged: event_pb2.Event = field(default_factory=event_pb2.Event)

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
            case (
                vault_service_pb2.CompleteRegistrationRequest()
                | vault_service_pb2.StoreEnvelopeRequest()
                | vault_service_pb2.ReleaseEnvelopeRequest()
                | vault_service_pb2.DeleteVaultRequest()
            ):
                if request.ceremony not in self._granted:
                    self._granted[request.ceremony] = self._complete(request)
                return self._granted[request.ceremony]
        raise AssertionError(rpc)

    def bundle(self) -> resources_pb2.SignedKeyBundle:
        return self.keys.bundle(serial=self.serial, now=self.now)

    def receipt(self, rpc: str, *, challenge: bytes, reply: bytes) -> resources_pb2.Receipt:
        """Over the record as it is."""
        record = self.record
        return self.keys.receipt(rpc, challenge=challenge, reply=reply, version=record.version, head=record.head)

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
        record = self.record
        reply = vault_service_pb2.VaultReply(
            tenant=TENANT,
            account=ACCOUNT,
            state=record.state,
            credentials=record.listed,
            recovery_public_key=record.effective_recovery,
            mode=record.mode,
            archives=[
                resources_pb2.ArchiveVersion(
                    archive_version=archive.archive_version,
                    confirmed=archive.confirmed,
                    envelope_sha256=hashlib.sha256(archive.envelope).digest(),
                    mode=archive.mode,
                )
                for archive in record.archives
            ],
            attempts_left=10,
            releases_left=20,
            life=record.life,
        ).SerializeToString()
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
        record = self.record
        asked = ceremony_pb2.CeremonyRequest.FromString(request.request)
        registers = asked.WhichOneof("operation") == "register"
        if registers and record.state == resources_pb2.VAULT_STATE_LIVE:
            raise VaultExists("VAULT_EXISTS")
        if not registers and not record.credentials:
            raise NoVault("NO_VAULT")
        statement = ceremony_pb2.Statement(
            format=1,
            request=request.request,
            tenant=TENANT,
            account=ACCOUNT,
            version=record.version,
            chain_head=record.head,
            credential_set_sha256=record.credential_set_sha256,
            mode=asked.register.mode if registers else record.mode,
            rp_id=RP_ID,
            origins=[ORIGIN],
            seal_epoch=1,
            expire_time=timestamp(self.now + (300_000 if registers else 120_000)),
            keeper_random=secrets.token_bytes(32),
        ).SerializeToString()
        return vault_service_pb2.BeginCeremonyResponse(
            ceremony=statement + self._tag(statement),
            credentials=record.listed,
            recovery_public_key=record.effective_recovery,
        )

    def _tag(self, statement: bytes) -> bytes:
        return hmac.digest(self.secret, encode_fields("strongroom/v1/ceremony", statement), "sha256")

    def _complete(
        self,
        request: vault_service_pb2.CompleteRegistrationRequest
        | vault_service_pb2.StoreEnvelopeRequest
        | vault_service_pb2.ReleaseEnvelopeRequest
        | vault_service_pb2.DeleteVaultRequest,
    ) -> Message:
        serialized = request.ceremony[:-32]
        if not hmac.compare_digest(self._tag(serialized), request.ceremony[-32:]):
            raise NotVerified("CEREMONY_REJECTED")
        statement = ceremony_pb2.Statement.FromString(serialized)
        if (statement.version, statement.chain_head) != (self.record.version, self.record.head):
            raise BeginAgain("BEGIN_AGAIN")
        asked = ceremony_pb2.CeremonyRequest.FromString(statement.request)
        challenge = hash_fields("strongroom/v1/challenge", request.ceremony)
        self._judged = event_pb2.Event(ceremony=request.ceremony)
        if not isinstance(request, vault_service_pb2.CompleteRegistrationRequest):
            self._check_assertion(request.assertion, challenge=challenge)
            self._confirm(asked.opened_archive_version)
            self._judged.assertion.CopyFrom(request.assertion)
            self._judged.cose_key = dict(self.record.credentials).get(request.assertion.webauthn.credential_id, b"")
        match request:
            case vault_service_pb2.CompleteRegistrationRequest():
                return self._register(request, asked, challenge=challenge)
            case vault_service_pb2.StoreEnvelopeRequest():
                return self._store(request, asked, challenge=challenge)
            case vault_service_pb2.ReleaseEnvelopeRequest():
                return self._release(asked, challenge=challenge)
            case vault_service_pb2.DeleteVaultRequest():
                self._move(replace(FakeRecord(), state=resources_pb2.VAULT_STATE_DELETED), event_pb2.EVENT_KIND_DELETE)
                return self._answer(vault_service_pb2.DeleteVaultResponse, "delete", challenge, b"")

    def _check_assertion(self, assertion: resources_pb2.Assertion, *, challenge: bytes) -> None:
        if assertion.WhichOneof("kind") == "recovery":
            if assertion.recovery.public_key != self.record.effective_recovery:
                raise NotVerified("NOT_VERIFIED")
            return
        made = assertion.webauthn
        keys = dict(self.record.credentials)
        if made.credential_id not in keys or _b64(challenge) not in made.client_data_json:
            raise NotVerified("NOT_VERIFIED")
        key = CoseKey.parse(cast("dict[int, object]", cbor.decode(keys[made.credential_id])))
        signed = made.authenticator_data + hashlib.sha256(made.client_data_json).digest()
        key.verify(signed, made.signature)

    def _confirm(self, opened: int) -> None:
        archives = self.record.archives
        if archives and archives[0].archive_version == opened and not archives[0].confirmed:
            newest = vault_service_pb2.ReleasedEnvelope()
            newest.CopyFrom(archives[0])
            newest.confirmed = True
            self.record = replace(self.record, archives=(newest,))

    def _register(
        self,
        request: vault_service_pb2.CompleteRegistrationRequest,
        asked: ceremony_pb2.CeremonyRequest,
        *,
        challenge: bytes,
    ) -> Message:
        data = AttestationObject(request.attestation.attestation_object).auth_data.credential_data
        assert data is not None
        registered = FakeRecord(
            state=resources_pb2.VAULT_STATE_INERT,
            mode=asked.register.mode,
            credentials=((data.credential_id, cbor.encode(dict(data.public_key))),),
            recovery=asked.register.recovery_public_key,
            life=self.record.life + 1,
        )
        self._judged.attestation.CopyFrom(request.attestation)
        self._move(registered, event_pb2.EVENT_KIND_REGISTER)
        reply = vault_service_pb2.RegistrationReply(credential_id=data.credential_id).SerializeToString()
        return self._answer(vault_service_pb2.CompleteRegistrationResponse, "register", challenge, reply)

    def _store(
        self,
        request: vault_service_pb2.StoreEnvelopeRequest,
        asked: ceremony_pb2.CeremonyRequest,
        *,
        challenge: bytes,
    ) -> Message:
        opened = _SUITE.decrypt(request.sealed_envelope, self.keys.transport, info=_info(b"to-keeper", challenge))
        secret, envelope = opened[:32], opened[32:]
        if hash_fields("strongroom/v1/store-secret", secret) != asked.store.secret_sha256:
            raise NotVerified("NOT_VERIFIED")
        archive = vault_service_pb2.ReleasedEnvelope(
            archive_version=self.record.version + 1, mode=asked.store.mode, envelope=envelope
        )
        kept = tuple(one for one in self.record.archives if one.confirmed)
        stored = replace(self.record, state=resources_pb2.VAULT_STATE_LIVE, archives=(archive, *kept))
        self._move(stored, event_pb2.EVENT_KIND_STORE)
        reply = vault_service_pb2.StoreReply(
            archive_version=archive.archive_version, envelope_sha256=hashlib.sha256(envelope).digest()
        ).SerializeToString()
        return self._answer(vault_service_pb2.StoreEnvelopeResponse, "store", challenge, reply)

    def _release(self, asked: ceremony_pb2.CeremonyRequest, *, challenge: bytes) -> Message:
        self._move(self.record, event_pb2.EVENT_KIND_RELEASE)
        reply = self.seal_reply(asked.release.recipient, self.record.archives, challenge=challenge)
        return self._answer(vault_service_pb2.ReleaseEnvelopeResponse, "release", challenge, reply)

    @staticmethod
    def seal_reply(
        recipient: bytes, archives: tuple[vault_service_pb2.ReleasedEnvelope, ...], *, challenge: bytes
    ) -> bytes:
        plaintext = vault_service_pb2.ReleasedEnvelopes(envelopes=archives).SerializeToString()
        public_key = X25519PublicKey.from_public_bytes(recipient)
        sealed = _SUITE.encrypt(plaintext, public_key, info=_info(b"to-client", challenge))
        return vault_service_pb2.ReleaseReply(sealed_envelopes=sealed).SerializeToString()

    def _move(self, record: FakeRecord, kind: event_pb2.EventKind.ValueType) -> None:
        version = self.record.version + 1
        head = hash_fields("strongroom/v1/chain", self.record.head, secrets.token_bytes(16))
        event = self._judged
        event.version, event.kind, event.chain_head = version, kind, head
        event.event_time.CopyFrom(timestamp(self.now))
        event.outcome = event_pb2.EVENT_OUTCOME_GRANTED
        chain, events = (*self.record.chain, head), (*self.record.events, event)
        self.record = replace(record, version=version, chain=chain, events=events)

    def _answer(self, response: Callable[..., Message], rpc: str, challenge: bytes, reply: bytes) -> Message:
        return response(reply=reply, receipt=self.receipt(rpc, challenge=challenge, reply=reply))


def _info(direction: bytes, challenge: bytes) -> bytes:
    return encode_fields("strongroom/v1/hpke", direction, 1, challenge)


def _b64(challenge: bytes) -> bytes:
    return base64.urlsafe_b64encode(challenge).rstrip(b"=")
