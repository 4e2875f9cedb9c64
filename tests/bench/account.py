"""A client as small as can be: its checks are not the server's cost. What it opens it compares with what it stored."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from strongroom.v1 import ceremony_pb2, resources_pb2
from strongroom.v1 import vault_service_pb2 as pb
from strongroom_client.fields import encode_fields
from strongroom_client.hpke import open_from_vault, seal_to_vault
from tests.fakes.passkey import SoftwarePasskey

if TYPE_CHECKING:
    from strongroom.v1.vault_service_pb2_grpc import VaultServiceAsyncStub
    from strongroom_service.domain.credentials import WebAuthnAssertion

TIMEOUT_SECONDS = 8.0
ENVELOPE_BYTES = 800
"""About what the client library stores for one passkey and the recovery key."""


class WrongReply(Exception):
    """The vault answered something else than what was stored."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The messages of one release, serialized."""

    begin_request: bytes
    begin_response: bytes
    release_request: bytes
    release_response: bytes


class Account:
    """One account with a passkey, over one stub at a time."""

    def __init__(self, *, token: str, passkey: SoftwarePasskey, envelope: bytes, archive_version: int = 0) -> None:
        """One that has stored `envelope` as that version, or is still to enroll."""
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._passkey = passkey
        self._envelope = envelope
        self._archive_version = archive_version

    @classmethod
    def fresh(cls, *, token: str, rp_id: str, origin: str) -> Self:
        """Return one that is still to enroll."""
        return cls(
            token=token, passkey=SoftwarePasskey(rp_id=rp_id, origin=origin), envelope=os.urandom(ENVELOPE_BYTES)
        )

    async def enroll(self, stub: VaultServiceAsyncStub, transport_key: resources_pb2.TransportKey) -> None:
        """Register the passkey and store an envelope."""
        recovery_key = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
        register = ceremony_pb2.RegisterOperation(
            user_handle=self._passkey.user_handle, mode=resources_pb2.MODE_PRF, recovery_public_key=recovery_key
        )
        ceremony = await self._begin(
            stub, ceremony_pb2.CeremonyRequest(client_random=os.urandom(32), register=register)
        )
        made = self._passkey.make_attestation(_challenge_of(ceremony))
        attestation = resources_pb2.Attestation(
            credential_id=made.credential_id,
            client_data_json=made.client_data_json,
            attestation_object=made.attestation_object,
            transports=made.transports,
        )
        registration = pb.CompleteRegistrationRequest(ceremony=ceremony, attestation=attestation)
        await stub.CompleteRegistration(registration, metadata=self._metadata, timeout=TIMEOUT_SECONDS)
        await self._store(stub, transport_key)

    async def transport_key(self, stub: VaultServiceAsyncStub) -> resources_pb2.TransportKey:
        """Return what envelopes are sealed to."""
        request = pb.GetServiceInfoRequest(nonce=os.urandom(32))
        response = await stub.GetServiceInfo(request, metadata=self._metadata, timeout=TIMEOUT_SECONDS)
        signed = pb.ServiceInfoReply.FromString(response.reply).key_bundle
        return resources_pb2.KeyBundle.FromString(signed.bundle).transport_keys[0]

    async def release(self, stub: VaultServiceAsyncStub) -> Exchange:
        """Begin and complete a release, and open what came.

        Raises:
            WrongReply: it is not what was stored.
        """
        recipient = X25519PrivateKey.generate()
        operation = ceremony_pb2.ReleaseOperation(
            recipient=recipient.public_key().public_bytes_raw(),
            suite=resources_pb2.HPKE_SUITE_X25519_SHA256_AES256GCM,
        )
        request = ceremony_pb2.CeremonyRequest(
            client_random=os.urandom(32), opened_archive_version=self._archive_version, release=operation
        )
        begin = pb.BeginCeremonyRequest(request=request.SerializeToString())
        begun = await stub.BeginCeremony(begin, metadata=self._metadata, timeout=TIMEOUT_SECONDS)
        challenge = _challenge_of(begun.ceremony)
        complete = pb.ReleaseEnvelopeRequest(ceremony=begun.ceremony, assertion=self._assertion(challenge))
        released = await stub.ReleaseEnvelope(complete, metadata=self._metadata, timeout=TIMEOUT_SECONDS)
        reply = pb.ReleaseReply.FromString(released.reply)
        opened = open_from_vault(reply.sealed_envelopes, private_key=recipient, challenge=challenge)
        envelopes = pb.ReleasedEnvelopes.FromString(opened).envelopes
        if [each.envelope for each in envelopes] != [self._envelope]:
            raise WrongReply("a release did not bring the envelope that was stored")
        return Exchange(
            begin_request=begin.SerializeToString(),
            begin_response=begun.SerializeToString(),
            release_request=complete.SerializeToString(),
            release_response=released.SerializeToString(),
        )

    async def echo(self, stub: VaultServiceAsyncStub, exchange: Exchange) -> None:
        """Make the same two calls, with the same metadata, to a server that only gives back bytes.

        Raises:
            WrongReply: other bytes came back.
        """
        begin = pb.BeginCeremonyRequest.FromString(exchange.begin_request)
        begun = await stub.BeginCeremony(begin, metadata=self._metadata, timeout=TIMEOUT_SECONDS)
        complete = pb.ReleaseEnvelopeRequest.FromString(exchange.release_request)
        released = await stub.ReleaseEnvelope(complete, metadata=self._metadata, timeout=TIMEOUT_SECONDS)
        if len(begun.ceremony) + len(released.reply) == 0:
            raise WrongReply("the echo server gave nothing back")

    async def _store(self, stub: VaultServiceAsyncStub, transport_key: resources_pb2.TransportKey) -> None:
        secret = os.urandom(32)
        secret_sha256 = hashlib.sha256(encode_fields("strongroom/v1/store-secret", secret)).digest()
        store = ceremony_pb2.StoreOperation(secret_sha256=secret_sha256, mode=resources_pb2.MODE_PRF)
        ceremony = await self._begin(stub, ceremony_pb2.CeremonyRequest(client_random=os.urandom(32), store=store))
        challenge = _challenge_of(ceremony)
        completion = pb.StoreEnvelopeRequest(
            ceremony=ceremony,
            assertion=self._assertion(challenge),
            sealed_envelope=seal_to_vault(
                secret + self._envelope, transport_key=transport_key.public_key, challenge=challenge
            ),
            transport_key_id=transport_key.key_id,
        )
        response = await stub.StoreEnvelope(completion, metadata=self._metadata, timeout=TIMEOUT_SECONDS)
        self._archive_version = pb.StoreReply.FromString(response.reply).archive_version

    async def _begin(self, stub: VaultServiceAsyncStub, request: ceremony_pb2.CeremonyRequest) -> bytes:
        message = pb.BeginCeremonyRequest(request=request.SerializeToString())
        begun = await stub.BeginCeremony(message, metadata=self._metadata, timeout=TIMEOUT_SECONDS)
        return begun.ceremony

    def _assertion(self, challenge: bytes) -> resources_pb2.Assertion:
        return resources_pb2.Assertion(webauthn=_message_of(self._passkey.make_assertion(challenge)))


def _challenge_of(ceremony: bytes) -> bytes:
    return hashlib.sha256(encode_fields("strongroom/v1/challenge", ceremony)).digest()


def _message_of(made: WebAuthnAssertion) -> resources_pb2.WebAuthnAssertion:
    return resources_pb2.WebAuthnAssertion(
        credential_id=made.credential_id,
        authenticator_data=made.authenticator_data,
        client_data_json=made.client_data_json,
        signature=made.signature,
        user_handle=made.user_handle or b"",
    )
