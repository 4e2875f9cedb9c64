"""A keeper in this process with a front that a test steers by hand: honest by default, and able to cheat at any step.

The keeper is the real one but for its token (software) and its socket (none).
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import ceremony_pb2, resources_pb2, vault_service_pb2
from strongroom_service.config.tenant_file import Tenants
from strongroom_service.domain.fields import encode_fields, hash_fields
from strongroom_service.domain.identifiers import record_id_of
from strongroom_service.keeper.fulfilments import FulfilmentLog
from strongroom_service.keeper.handler import KeeperHandler
from strongroom_service.keeper.presented import PresentedRows
from strongroom_service.keeper.vault_keys import make_vault
from strongroom_service.tokens.account_tokens import AccountTokenVerifier
from tests.fakes.clock import FakeClock
from tests.fakes.passkey import HONEST, Forgery, SoftwarePasskey
from tests.fakes.tenant import ORIGIN, RP_ID, FakeTenant
from tests.fakes.token import FIRST_NAMES, FakeToken

if TYPE_CHECKING:
    from strongroom_service.domain.credentials import WebAuthnAssertion, WebAuthnAttestation

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
RECOVERY_KEY = bytes.fromhex("3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29")
"""An Ed25519 public key (RFC 8032: the one of the all-zero seed)."""


class SilentLog:
    """Keeps what was logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, **fields: object) -> None:
        self.lines.append((event, fields))

    def error(self, event: str, **fields: object) -> None:
        self.lines.append((event, fields))


class Refused(Exception):
    """The keeper's refusal, fault or staleness, by its reason or kind."""


@dataclass
class Store:
    """Rows and events, as a database would have them."""

    rows: dict[bytes, frames_pb2.Row] = field(default_factory=dict)
    events: dict[bytes, list[frames_pb2.EventRow]] = field(default_factory=dict)

    def commit(self, order: frames_pb2.CommitOrder) -> None:
        row = order.row
        held = self.rows.get(row.record_id)
        if (held.version if held is not None else 0) != row.version - 1:
            raise Refused("VERSION_CONFLICT")
        self.rows[row.record_id] = row
        event = frames_pb2.EventRow(version=row.version, sealed=order.sealed_event)
        self.events.setdefault(row.record_id, []).insert(0, event)


class Desk:
    """One keeper and its store. `restart()` replaces the keeper by a new process: its memory is gone."""

    def __init__(self, folder: Path, *, tenant: FakeTenant | None = None) -> None:
        self.clock = FakeClock()
        self.token = FakeToken()
        self.tenant = tenant or FakeTenant()
        self.store = Store()
        self.log = SilentLog()
        self.fulfilments_path = folder / "fulfilled.log"
        self.vault_version, self.vault_sealed = make_vault(
            self.token, FIRST_NAMES, now=self.clock.now(), random=os.urandom
        )
        self.restart()

    def restart(self) -> None:
        tenants = Tenants([self.tenant.tenant()])
        self.handler = KeeperHandler(
            token=self.token,
            tenants=tenants,
            verifier=AccountTokenVerifier(tenants, self.tenant.audience),
            presented=PresentedRows(capacity=1000),
            fulfilments=FulfilmentLog(self.fulfilments_path),
            clock=self.clock,
            random=os.urandom,
            log=self.log,
        )
        opened = self.call(
            frames_pb2.KeeperCall(
                open_vault=frames_pb2.OpenVaultCall(version=self.vault_version, sealed=self.vault_sealed)
            )
        )
        self.id_key = opened.open_vault.id_key
        self.renewed_vault = opened.open_vault.successor_sealed

    def call(self, call: frames_pb2.KeeperCall) -> frames_pb2.KeeperReply:
        call.request_id = "test"
        reply = self.handler.handle(call)
        match reply.WhichOneof("reply"):
            case "refusal":
                raise Refused(reply.refusal.reason)
            case "fault":
                raise Refused(reply.fault.kind)
            case "stale":
                raise Refused("STALE")
            case _:
                return reply

    def record_id(self, account: str) -> bytes:
        return record_id_of(id_key=self.id_key, tenant=self.tenant.name, account=account)

    def row(self, account: str) -> frames_pb2.Row | None:
        return self.store.rows.get(self.record_id(account))

    def account_token(self, account: str) -> str:
        return self.tenant.token(now=self.clock.now(), account=account)

    def describe(self, account: str) -> vault_service_pb2.VaultReply:
        call = frames_pb2.DescribeRecordCall(
            account_token=self.account_token(account), nonce=os.urandom(32), row=self.row(account)
        )
        signed = self.call(frames_pb2.KeeperCall(describe_record=call)).signed
        return vault_service_pb2.VaultReply.FromString(signed.reply)

    def service_info(self, account: str) -> vault_service_pb2.ServiceInfoReply:
        call = frames_pb2.DescribeServiceCall(account_token=self.account_token(account), nonce=os.urandom(32))
        signed = self.call(frames_pb2.KeeperCall(describe_service=call)).signed
        return vault_service_pb2.ServiceInfoReply.FromString(signed.reply)

    def list_events(
        self, account: str, *, page_token: bytes = b"", events: list[frames_pb2.EventRow] | None = None
    ) -> vault_service_pb2.ListEventsReply:
        if events is None:
            below = int.from_bytes(page_token[:8], "big") if page_token else 2**63
            held = self.store.events.get(self.record_id(account), [])
            events = [event for event in held if event.version <= below]
        call = frames_pb2.ListEventsCall(
            account_token=self.account_token(account),
            nonce=os.urandom(32),
            row=self.row(account),
            page_token=page_token,
            events=events,
        )
        signed = self.call(frames_pb2.KeeperCall(list_events=call)).signed
        return vault_service_pb2.ListEventsReply.FromString(signed.reply)


@dataclass
class Ceremony:
    """What a client remembers of a ceremony it began."""

    ceremony: bytes
    operation: int
    recipient: X25519PrivateKey | None = None
    secret: bytes = b""

    @property
    def challenge(self) -> bytes:
        return hash_fields("strongroom/v1/challenge", self.ceremony)

    @property
    def statement(self) -> ceremony_pb2.Statement:
        return ceremony_pb2.Statement.FromString(self.ceremony[:-32])


class Person:
    """An account with a passkey, and what a client would do for it."""

    def __init__(self, desk: Desk, account: str = "alice", *, passkey: SoftwarePasskey | None = None) -> None:
        self.desk = desk
        self.account = account
        self.passkey = passkey or SoftwarePasskey(rp_id=RP_ID, origin=ORIGIN)

    def begin(
        self, request: ceremony_pb2.CeremonyRequest, *, row: frames_pb2.Row | None = None, no_row: bool = False
    ) -> bytes:
        presented = None if no_row else row or self.desk.row(self.account)
        call = frames_pb2.BeginCall(
            account_token=self.desk.account_token(self.account),
            request=request.SerializeToString(),
            row=presented,
        )
        return self.desk.call(frames_pb2.KeeperCall(begin=call)).begin.ceremony

    def begin_registration(self, *, no_row: bool = False) -> Ceremony:
        operation = ceremony_pb2.RegisterOperation(
            user_handle=self.passkey.user_handle,
            mode=resources_pb2.MODE_PRF,
            recovery_public_key=RECOVERY_KEY,
        )
        request = ceremony_pb2.CeremonyRequest(client_random=os.urandom(32), register=operation)
        return Ceremony(self.begin(request, no_row=no_row), frames_pb2.OPERATION_REGISTER)

    def begin_store(self, *, opened: int = 0) -> Ceremony:
        secret = os.urandom(32)
        operation = ceremony_pb2.StoreOperation(
            secret_sha256=hash_fields("strongroom/v1/store-secret", secret), mode=resources_pb2.MODE_PRF
        )
        request = ceremony_pb2.CeremonyRequest(
            client_random=os.urandom(32), opened_archive_version=opened, store=operation
        )
        return Ceremony(self.begin(request), frames_pb2.OPERATION_STORE, secret=secret)

    def begin_release(self, *, opened: int = 0, row: frames_pb2.Row | None = None) -> Ceremony:
        recipient = X25519PrivateKey.generate()
        operation = ceremony_pb2.ReleaseOperation(
            recipient=recipient.public_key().public_bytes_raw(),
            suite=resources_pb2.HPKE_SUITE_X25519_SHA256_AES256GCM,
        )
        request = ceremony_pb2.CeremonyRequest(
            client_random=os.urandom(32), opened_archive_version=opened, release=operation
        )
        return Ceremony(self.begin(request, row=row), frames_pb2.OPERATION_RELEASE, recipient=recipient)

    def begin_delete(self) -> Ceremony:
        request = ceremony_pb2.CeremonyRequest(client_random=os.urandom(32), delete=ceremony_pb2.DeleteOperation())
        return Ceremony(self.begin(request), frames_pb2.OPERATION_DELETE)

    def judge_call(
        self, ceremony: Ceremony, *, forgery: Forgery = HONEST, envelope: bytes = b""
    ) -> frames_pb2.JudgeCall:
        """What the front would ask the keeper for an assertion (or attestation) over `ceremony`."""
        call = frames_pb2.JudgeCall(
            account_token=self.desk.account_token(self.account),
            row=self.desk.row(self.account),
            ceremony=ceremony.ceremony,
            operation=frames_pb2.Operation.ValueType(ceremony.operation),
        )
        if ceremony.operation == frames_pb2.OPERATION_REGISTER:
            call.attestation.CopyFrom(_attestation(self.passkey.make_attestation(ceremony.challenge, forgery)))
        else:
            call.assertion.webauthn.CopyFrom(_assertion(self.passkey.make_assertion(ceremony.challenge, forgery)))
        if envelope:
            call.sealed_envelope, call.transport_key_id = self.seal(ceremony, envelope)
        return call

    def seal(self, ceremony: Ceremony, envelope: bytes) -> tuple[bytes, bytes]:
        """Seal `envelope` to the bundle's transport key, as a store does."""
        bundle = resources_pb2.KeyBundle.FromString(self.desk.service_info(self.account).key_bundle.bundle)
        key = bundle.transport_keys[0]
        info = encode_fields("strongroom/v1/hpke", b"to-keeper", 1, ceremony.challenge)
        public_key = X25519PublicKey.from_public_bytes(key.public_key)
        return SUITE.encrypt(ceremony.secret + envelope, public_key, info=info), key.key_id

    def judge(self, call: frames_pb2.JudgeCall) -> frames_pb2.JudgeReply:
        return self.desk.call(frames_pb2.KeeperCall(judge=call)).judge

    def fulfil(self, ceremony: Ceremony, *, row: frames_pb2.Row | None = None) -> frames_pb2.SignedReply:
        call = frames_pb2.FulfilCall(
            account_token=self.desk.account_token(self.account),
            row=row or self.desk.row(self.account),
            ceremony=ceremony.ceremony,
            operation=frames_pb2.Operation.ValueType(ceremony.operation),
        )
        return self.desk.call(frames_pb2.KeeperCall(fulfil=call)).signed

    def complete(
        self, ceremony: Ceremony, *, forgery: Forgery = HONEST, envelope: bytes = b""
    ) -> frames_pb2.SignedReply:
        """Judge, commit, fulfil, as an honest front does."""
        verdict = self.judge(self.judge_call(ceremony, forgery=forgery, envelope=envelope))
        if verdict.HasField("commit"):
            self.desk.store.commit(verdict.commit)
            if verdict.commit.HasField("refusal"):
                raise Refused(verdict.commit.refusal.reason)
        return self.fulfil(ceremony)

    def enroll(self, envelope: bytes = b"an envelope") -> None:
        """Register and store."""
        self.complete(self.begin_registration())
        self.complete(self.begin_store(), envelope=envelope)

    def release(self, *, opened: int = 0, forgery: Forgery = HONEST) -> list[vault_service_pb2.ReleasedEnvelope]:
        """Release, and open the reply."""
        ceremony = self.begin_release(opened=opened)
        return open_release(ceremony, self.complete(ceremony, forgery=forgery))


def open_release(ceremony: Ceremony, signed: frames_pb2.SignedReply) -> list[vault_service_pb2.ReleasedEnvelope]:
    """Open the sealed envelopes of a release's reply."""
    reply = vault_service_pb2.ReleaseReply.FromString(signed.reply)
    info = encode_fields("strongroom/v1/hpke", b"to-client", 1, ceremony.challenge)
    if ceremony.recipient is None:
        raise ValueError("not a release")
    plaintext = SUITE.decrypt(reply.sealed_envelopes, ceremony.recipient, info=info)
    return list(vault_service_pb2.ReleasedEnvelopes.FromString(plaintext).envelopes)


def retag(ceremony: bytes, *, key: bytes, **changes: object) -> bytes:
    """Return a ceremony with a changed statement, tagged with `key`: what a front without the key cannot make."""
    statement = ceremony_pb2.Statement.FromString(ceremony[:-32])
    for name, value in changes.items():
        setattr(statement, name, value)
    serialized = statement.SerializeToString(deterministic=True)
    message = encode_fields("strongroom/v1/ceremony", serialized)
    return serialized + hmac.new(key, message, hashlib.sha256).digest()


def _attestation(attestation: WebAuthnAttestation) -> resources_pb2.Attestation:
    return resources_pb2.Attestation(
        credential_id=attestation.credential_id,
        client_data_json=attestation.client_data_json,
        attestation_object=attestation.attestation_object,
        transports=attestation.transports,
    )


def _assertion(assertion: WebAuthnAssertion) -> resources_pb2.WebAuthnAssertion:
    return resources_pb2.WebAuthnAssertion(
        credential_id=assertion.credential_id,
        authenticator_data=assertion.authenticator_data,
        client_data_json=assertion.client_data_json,
        signature=assertion.signature,
        user_handle=assertion.user_handle or b"",
    )
