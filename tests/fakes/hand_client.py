"""A client written by hand over the generated stub: says what a test tells it to, checks nothing by itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from deploy.development.environment import DevelopmentVault
from strongroom.v1 import ceremony_pb2, resources_pb2
from strongroom.v1 import vault_service_pb2 as pb
from strongroom.v1.vault_service_pb2_grpc import VaultServiceStub
from strongroom_service.domain.fields import encode_fields, hash_fields
from tests.fakes.connect_stub import ConnectStub, Wire
from tests.fakes.passkey import HONEST, Forgery, SoftwarePasskey

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
DEADLINE_SECONDS = 10.0


class Told(Exception):
    """What the service told instead of an answer."""

    def __init__(self, error: grpc.RpcError) -> None:
        super().__init__(error.code().name, error.details())
        self.code: grpc.StatusCode = error.code()
        self.text = error.details() or ""
        self.trailers = {each.key: each.value for each in error.trailing_metadata()}
        serialized = self.trailers.get("grpc-status-details-bin", b"")
        self.status = status_pb2.Status.FromString(serialized)

    def detail(self, kind: type[Message]) -> Any:  # noqa: ANN401  a message of that kind
        """The status detail of that kind, None if there is none."""
        for packed in self.status.details:
            found = kind()
            if packed.Unpack(found):
                return found
        return None

    @property
    def reason(self) -> str:
        info = self.detail(error_details_pb2.ErrorInfo)
        return str(info.reason) if info else ""


@dataclass
class Begun:
    """A ceremony, and the secrets that belong to it."""

    ceremony: bytes
    recipient: X25519PrivateKey | None = None
    secret: bytes = b""

    @property
    def challenge(self) -> bytes:
        return hash_fields("strongroom/v1/challenge", self.ceremony)


class HandClient:
    """One account of a vault, with one passkey."""

    def __init__(
        self,
        vault: DevelopmentVault,
        account: str | None = None,
        *,
        passkey: SoftwarePasskey | None = None,
        wire: Wire | None = None,
    ) -> None:
        """Calls go over gRPC, or by `wire` to the listener for browsers."""
        self.vault = vault
        self.account = account or f"account-{os.urandom(8).hex()}"
        self.passkey = passkey or SoftwarePasskey(rp_id="localhost", origin="http://localhost")
        self.metadata: tuple[tuple[str, str], ...] = (("authorization", f"Bearer {vault.issue_token(self.account)}"),)
        self.deadline: float | None = DEADLINE_SECONDS
        self.channel = grpc.secure_channel(vault.address, vault.channel_credentials())
        self.stub: Any = VaultServiceStub(self.channel)
        if wire is not None:
            assert vault.files.browser_url is not None
            self.stub = ConnectStub(vault.files.browser_url, wire, ca_file=vault.ca_file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.channel.close()

    def call(self, method: str, request: Message) -> Any:  # noqa: ANN401  the response of whatever method
        """Call any RPC; raises `Told`."""
        try:
            return getattr(self.stub, method)(request, timeout=self.deadline, metadata=self.metadata)
        except grpc.RpcError as error:
            raise Told(error) from error

    def service_info(self) -> pb.ServiceInfoReply:
        reply = self.call("GetServiceInfo", pb.GetServiceInfoRequest(nonce=os.urandom(32)))
        return pb.ServiceInfoReply.FromString(reply.reply)

    def vault_reply(self) -> pb.VaultReply:
        return pb.VaultReply.FromString(self.call("GetVault", pb.GetVaultRequest(nonce=os.urandom(32))).reply)

    def events(self, page_token: bytes = b"") -> pb.ListEventsReply:
        reply = self.call("ListEvents", pb.ListEventsRequest(nonce=os.urandom(32), page_token=page_token))
        return pb.ListEventsReply.FromString(reply.reply)

    def begin(self, request: ceremony_pb2.CeremonyRequest) -> bytes:
        """Begin a ceremony over `request`, which gets its random bytes here."""
        request.client_random = os.urandom(32)
        response = self.call("BeginCeremony", pb.BeginCeremonyRequest(request=request.SerializeToString()))
        ceremony: bytes = response.ceremony
        return ceremony

    def begin_registration(self) -> Begun:
        operation = ceremony_pb2.RegisterOperation(
            user_handle=self.passkey.user_handle, mode=resources_pb2.MODE_PRF, recovery_public_key=os.urandom(32)
        )
        return Begun(self.begin(ceremony_pb2.CeremonyRequest(register=operation)))

    def begin_store(self) -> Begun:
        secret = os.urandom(32)
        secret_sha256 = hash_fields("strongroom/v1/store-secret", secret)
        operation = ceremony_pb2.StoreOperation(secret_sha256=secret_sha256, mode=resources_pb2.MODE_PRF)
        return Begun(self.begin(ceremony_pb2.CeremonyRequest(store=operation)), secret=secret)

    def begin_release(self) -> Begun:
        recipient = X25519PrivateKey.generate()
        operation = ceremony_pb2.ReleaseOperation(
            recipient=recipient.public_key().public_bytes_raw(),
            suite=resources_pb2.HPKE_SUITE_X25519_SHA256_AES256GCM,
        )
        return Begun(self.begin(ceremony_pb2.CeremonyRequest(release=operation)), recipient=recipient)

    def registration_request(self, begun: Begun) -> pb.CompleteRegistrationRequest:
        made = self.passkey.make_attestation(begun.challenge)
        attestation = resources_pb2.Attestation(
            credential_id=made.credential_id,
            client_data_json=made.client_data_json,
            attestation_object=made.attestation_object,
            transports=made.transports,
        )
        return pb.CompleteRegistrationRequest(ceremony=begun.ceremony, attestation=attestation)

    def assertion(self, begun: Begun, forgery: Forgery = HONEST) -> resources_pb2.Assertion:
        made = self.passkey.make_assertion(begun.challenge, forgery)
        return resources_pb2.Assertion(
            webauthn=resources_pb2.WebAuthnAssertion(
                credential_id=made.credential_id,
                authenticator_data=made.authenticator_data,
                client_data_json=made.client_data_json,
                signature=made.signature,
                user_handle=made.user_handle or b"",
            )
        )

    def store_request(self, begun: Begun, envelope: bytes) -> pb.StoreEnvelopeRequest:
        bundle = resources_pb2.KeyBundle.FromString(self.service_info().key_bundle.bundle)
        key = bundle.transport_keys[0]
        info = encode_fields("strongroom/v1/hpke", b"to-keeper", 1, begun.challenge)
        sealed = SUITE.encrypt(begun.secret + envelope, X25519PublicKey.from_public_bytes(key.public_key), info=info)
        return pb.StoreEnvelopeRequest(
            ceremony=begun.ceremony,
            assertion=self.assertion(begun),
            sealed_envelope=sealed,
            transport_key_id=key.key_id,
        )

    def release_request(self, begun: Begun, forgery: Forgery = HONEST) -> pb.ReleaseEnvelopeRequest:
        return pb.ReleaseEnvelopeRequest(ceremony=begun.ceremony, assertion=self.assertion(begun, forgery))

    def open_release(self, begun: Begun, response: pb.ReleaseEnvelopeResponse) -> list[bytes]:
        """Return the envelopes, newest first."""
        if begun.recipient is None:
            raise ValueError("not a release")
        info = encode_fields("strongroom/v1/hpke", b"to-client", 1, begun.challenge)
        reply = pb.ReleaseReply.FromString(response.reply)
        plaintext = SUITE.decrypt(reply.sealed_envelopes, begun.recipient, info=info)
        return [each.envelope for each in pb.ReleasedEnvelopes.FromString(plaintext).envelopes]

    def register(self) -> None:
        self.call("CompleteRegistration", self.registration_request(self.begin_registration()))

    def store(self, envelope: bytes) -> pb.StoreReply:
        response = self.call("StoreEnvelope", self.store_request(self.begin_store(), envelope))
        return pb.StoreReply.FromString(response.reply)

    def enroll(self, envelope: bytes = b"an envelope") -> None:
        """Register and store."""
        self.register()
        self.store(envelope)

    def release(self, forgery: Forgery = HONEST) -> list[bytes]:
        begun = self.begin_release()
        return self.open_release(begun, self.call("ReleaseEnvelope", self.release_request(begun, forgery)))

    def delete(self) -> None:
        begun = Begun(self.begin(ceremony_pb2.CeremonyRequest(delete=ceremony_pb2.DeleteOperation())))
        self.call("DeleteVault", pb.DeleteVaultRequest(ceremony=begun.ceremony, assertion=self.assertion(begun)))
