"""What each good completion does to the record of the vault in this process, and what is answered."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from fido2 import cbor
from fido2.webauthn import AttestationObject
from google.protobuf.message import Message

from strongroom.v1 import ceremony_pb2, resources_pb2, vault_service_pb2
from strongroom_client.errors import NotVerified
from strongroom_client.fields import encode_fields, hash_fields
from tests.fakes.vault_record import FakeRecord

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
OF_RECOVERY = frozenset({"release", "add_credential", "reopen"})


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A completion that was found good: what came, what was asked, and what it is bound to."""

    request: Any
    asked: ceremony_pb2.CeremonyRequest
    challenge: bytes
    transport: X25519PrivateKey

    def envelope(self) -> bytes:
        """The envelope that came, if it is the one that was named."""
        opened = _SUITE.decrypt(self.request.sealed_envelope, self.transport, info=_info(b"to-keeper", self.challenge))
        if self.asked.WhichOneof("operation") == "store":
            secret, opened = opened[:32], opened[32:]
            named, found = self.asked.store.secret_sha256, hash_fields("strongroom/v1/store-secret", secret)
        else:
            named = getattr(self.asked, self.asked.WhichOneof("operation") or "").envelope_sha256
            found = hashlib.sha256(opened).digest()
        if named != found:
            raise NotVerified("NOT_VERIFIED")
        return opened


@dataclass(frozen=True)
class Change:
    """The record after a completion, the response's type, and the reply in it."""

    record: FakeRecord
    response: Callable[..., Message]
    reply: Message


def register(record: FakeRecord, judged: Judged) -> Change:
    credential_id, cose_key = attested(judged.request.attestation)
    registered = replace(
        record.emptied(resources_pb2.VAULT_STATE_INERT),
        mode=judged.asked.register.mode,
        credentials=((credential_id, cose_key),),
        recovery=judged.asked.register.recovery_public_key,
        life=record.life + 1,
    )
    reply = vault_service_pb2.RegistrationReply(credential_id=credential_id)
    return Change(registered, vault_service_pb2.CompleteRegistrationResponse, reply)


def store(record: FakeRecord, judged: Judged) -> Change:
    stored = record.with_envelope(judged.envelope(), judged.asked.store.mode)
    return Change(stored, vault_service_pb2.StoreEnvelopeResponse, _stored(stored, vault_service_pb2.StoreReply))


def release(record: FakeRecord, judged: Judged) -> Change:
    sealed = seal_reply(judged.asked.release.recipient, record.archives, challenge=judged.challenge)
    reply = vault_service_pb2.ReleaseReply(sealed_envelopes=sealed)
    return Change(record, vault_service_pb2.ReleaseEnvelopeResponse, reply)


def delete(record: FakeRecord, _: Judged) -> Change:
    deleted = record.emptied(resources_pb2.VAULT_STATE_DELETED)
    return Change(deleted, vault_service_pb2.DeleteVaultResponse, vault_service_pb2.DeleteReply())


def add_credential(record: FakeRecord, judged: Judged) -> Change:
    asked = judged.asked.add_credential
    credential_id, cose_key = attested(judged.request.attestation)
    if (credential_id, hashlib.sha256(cose_key).digest()) != (asked.credential_id, asked.cose_key_sha256):
        raise NotVerified("NOT_VERIFIED")
    added = replace(record, credentials=(*record.credentials, (credential_id, cose_key)))
    stored = added.with_envelope(judged.envelope(), record.mode)
    reply = _stored(stored, vault_service_pb2.AddCredentialReply)
    return Change(stored, vault_service_pb2.AddCredentialResponse, reply)


def remove_credential(record: FakeRecord, judged: Judged) -> Change:
    removed = judged.asked.remove_credential.credential_id
    left = tuple(pair for pair in record.credentials if pair[0] != removed)
    stored = replace(record, credentials=left, archives=()).with_envelope(judged.envelope(), record.mode)
    reply = _stored(stored, vault_service_pb2.RemoveCredentialReply)
    return Change(stored, vault_service_pb2.RemoveCredentialResponse, reply)


def set_recovery(record: FakeRecord, judged: Judged) -> Change:
    replaced = replace(record, recovery=judged.asked.set_recovery.recovery_public_key)
    stored = replaced.with_envelope(judged.envelope(), record.mode)
    reply = _stored(stored, vault_service_pb2.SetRecoveryReply)
    return Change(stored, vault_service_pb2.SetRecoveryResponse, reply)


def reopen(record: FakeRecord, judged: Judged) -> Change:
    back = replace(record, closed=False)
    if record.aside is not None and judged.asked.reopen.target == ceremony_pb2.REOPEN_TARGET_SET_ASIDE:
        back = replace(record.aside, life=record.life + 1, account_erase_at=record.account_erase_at)
    return Change(back, vault_service_pb2.ReopenResponse, vault_service_pb2.ReopenReply())


def lift_quarantine(record: FakeRecord, judged: Judged) -> Change:
    lifted = replace(record, quarantined=record.quarantined - {judged.asked.lift_quarantine.credential_id})
    return Change(lifted, vault_service_pb2.LiftQuarantineResponse, vault_service_pb2.LiftQuarantineReply())


def set_policy(record: FakeRecord, judged: Judged) -> Change:
    changed = replace(record, policy=judged.asked.set_policy.policy)
    return Change(changed, vault_service_pb2.SetPolicyResponse, vault_service_pb2.SetPolicyReply())


CHANGES: dict[str, Callable[[FakeRecord, Judged], Change]] = {
    "register": register,
    "store": store,
    "release": release,
    "delete": delete,
    "add_credential": add_credential,
    "remove_credential": remove_credential,
    "set_recovery": set_recovery,
    "reopen": reopen,
    "lift_quarantine": lift_quarantine,
    "set_policy": set_policy,
}
"""By the name of the operation."""


def attested(attestation: resources_pb2.Attestation) -> tuple[bytes, bytes]:
    """Id and COSE key of the passkey in an attestation."""
    data = AttestationObject(attestation.attestation_object).auth_data.credential_data
    assert data is not None
    return data.credential_id, cbor.encode(dict(data.public_key))


def seal_reply(
    recipient: bytes, archives: tuple[vault_service_pb2.ReleasedEnvelope, ...], *, challenge: bytes
) -> bytes:
    """Envelopes, sealed to who asked."""
    plaintext = vault_service_pb2.ReleasedEnvelopes(envelopes=archives).SerializeToString()
    public_key = X25519PublicKey.from_public_bytes(recipient)
    return _SUITE.encrypt(plaintext, public_key, info=_info(b"to-client", challenge))


def _stored(record: FakeRecord, reply: Callable[..., Message]) -> Message:
    newest = record.archives[0]
    sha256 = hashlib.sha256(newest.envelope).digest()
    return reply(archive_version=newest.archive_version, envelope_sha256=sha256)


def _info(direction: bytes, challenge: bytes) -> bytes:
    return encode_fields("strongroom/v1/hpke", direction, 1, challenge)
