"""A client of the desk: an account with a passkey, and what it remembers of its ceremonies."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import ceremony_pb2, resources_pb2, vault_service_pb2
from strongroom_service.domain.credentials import WebAuthnAssertion
from strongroom_service.domain.fields import encode_fields, hash_fields
from tests.fakes.desk import Desk, Refused, refused_for
from tests.fakes.passkey import HONEST, Forgery, SoftwarePasskey
from tests.fakes.tenant import ORIGIN, RP_ID

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
RECOVERY_SEED = Ed25519PrivateKey.from_private_bytes(bytes(32))
RECOVERY_KEY = RECOVERY_SEED.public_key().public_bytes_raw()


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

    def row(self) -> frames_pb2.Row:
        """A copy of the account's row, which must be there."""
        held = self.desk.row(self.account)
        if held is None:
            raise LookupError(self.account)
        copy = frames_pb2.Row()
        copy.CopyFrom(held)
        return copy

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

    def begin_registration(self, *, no_row: bool = False, recovery_public_key: bytes = RECOVERY_KEY) -> Ceremony:
        operation = ceremony_pb2.RegisterOperation(
            user_handle=self.passkey.user_handle,
            mode=resources_pb2.MODE_PRF,
            recovery_public_key=recovery_public_key,
        )
        request = ceremony_pb2.CeremonyRequest(client_random=os.urandom(32), register=operation)
        return Ceremony(self.begin(request, no_row=no_row), frames_pb2.OPERATION_REGISTER)

    def begin_store(self, *, opened: int = 0, mode: str = "MODE_PRF") -> Ceremony:
        secret = os.urandom(32)
        operation = ceremony_pb2.StoreOperation(
            secret_sha256=hash_fields("strongroom/v1/store-secret", secret), mode=resources_pb2.Mode.Value(mode)
        )
        request = ceremony_pb2.CeremonyRequest(
            client_random=os.urandom(32), opened_archive_version=opened, store=operation
        )
        return Ceremony(self.begin(request), frames_pb2.OPERATION_STORE, secret=secret)

    def begin_release(self, *, opened: int = 0, row: frames_pb2.Row | None = None) -> Ceremony:
        recipient = X25519PrivateKey.generate()
        ceremony = self.begin_release_to(recipient.public_key().public_bytes_raw(), opened=opened, row=row)
        return Ceremony(ceremony, frames_pb2.OPERATION_RELEASE, recipient=recipient)

    def begin_release_to(self, recipient: bytes, *, opened: int = 0, row: frames_pb2.Row | None = None) -> bytes:
        operation = ceremony_pb2.ReleaseOperation(
            recipient=recipient, suite=resources_pb2.HPKE_SUITE_X25519_SHA256_AES256GCM
        )
        request = ceremony_pb2.CeremonyRequest(
            client_random=os.urandom(32), opened_archive_version=opened, release=operation
        )
        return self.begin(request, row=row)

    def begin_delete(self) -> Ceremony:
        request = ceremony_pb2.CeremonyRequest(client_random=os.urandom(32), delete=ceremony_pb2.DeleteOperation())
        return Ceremony(self.begin(request), frames_pb2.OPERATION_DELETE)

    def recovery_call(
        self, ceremony: Ceremony, *, seed: Ed25519PrivateKey = RECOVERY_SEED, message: bytes | None = None
    ) -> frames_pb2.JudgeCall:
        """As `judge_call`, signed by a recovery credential; over `message`, if it is to be something else."""
        call = self.judge_call(ceremony)
        signed = encode_fields("strongroom/v1/recovery-assertion", ceremony.challenge) if message is None else message
        call.assertion.recovery.public_key = seed.public_key().public_bytes_raw()
        call.assertion.recovery.signature = seed.sign(signed)
        return call

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
            call.attestation.CopyFrom(attestation_message(self.passkey, ceremony.challenge, forgery))
        else:
            call.assertion.webauthn.CopyFrom(_assertion(self.passkey.make_assertion(ceremony.challenge, forgery)))
        if envelope:
            call.sealed_envelope, call.transport_key_id = self.seal(ceremony, envelope)
        return call

    def bundle(self) -> resources_pb2.KeyBundle:
        """The key bundle that the service shows."""
        return resources_pb2.KeyBundle.FromString(self.desk.service_info(self.account).key_bundle.bundle)

    def transport_keys(self) -> list[X25519PublicKey]:
        return [X25519PublicKey.from_public_bytes(key.public_key) for key in self.bundle().transport_keys]

    def seal(self, ceremony: Ceremony, envelope: bytes) -> tuple[bytes, bytes]:
        """Seal `envelope` to the bundle's transport key, as a store does; with the id of that key."""
        key = self.bundle().transport_keys[0]
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
        return self.complete_call(ceremony, self.judge_call(ceremony, forgery=forgery, envelope=envelope))

    def complete_call(self, ceremony: Ceremony, call: frames_pb2.JudgeCall) -> frames_pb2.SignedReply:
        """As `complete`, for a call that was made before."""
        verdict = self.judge(call)
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


def refuses(reason: str, person: Person, ceremony: Ceremony, call: frames_pb2.JudgeCall) -> None:
    """Judging is refused for `reason`, and nothing is to be committed."""
    with refused_for(reason):
        person.complete_call(ceremony, call)


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


def attestation_message(
    passkey: SoftwarePasskey, challenge: bytes, forgery: Forgery = HONEST
) -> resources_pb2.Attestation:
    """The passkey's answer to a creation call."""
    attestation = passkey.make_attestation(challenge, forgery)
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
