"""The hand client for every operation: each RPC's good request, for a test to spoil or to send as it is."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from google.protobuf.message import Message

from deploy.development.environment import DevelopmentVault
from strongroom.v1 import ceremony_pb2, resources_pb2, tenant_service_pb2
from strongroom.v1 import vault_service_pb2 as pb
from strongroom.v1.tenant_service_pb2_grpc import TenantServiceStub
from strongroom_service.domain.fields import encode_fields
from tests.fakes.connect_stub import Wire
from tests.fakes.hand_client import SUITE, Begun, HandClient, Told
from tests.fakes.hand_tokens import account_token, bearing, tenant_token
from tests.fakes.passkey import Forgery, SoftwarePasskey

POLICY = resources_pb2.Policy(
    budget=50, on_exhaustion=resources_pb2.ON_EXHAUSTION_LOCK, releases_per_day=900, reset_grace_seconds=86_400
)
TENANT_RPCS = {"ListTenantEvents", "EraseAccount", "CancelEraseAccount"}


class HandOwner(HandClient):
    """One account with a passkey, a second one to be added, and a recovery key; and its tenant, speaking about it."""

    def __init__(
        self,
        vault: DevelopmentVault,
        account: str | None = None,
        *,
        passkey: SoftwarePasskey | None = None,
        wire: Wire | None = None,
    ) -> None:
        super().__init__(vault, account, passkey=passkey, wire=wire)
        self.metadata = bearing(account_token(vault.tenant, self.account))
        self.tenant_metadata = bearing(tenant_token(vault.tenant))
        self.tenant_stub = TenantServiceStub(self.channel)
        self.recovery = Ed25519PrivateKey.generate()
        self.second = SoftwarePasskey(rp_id="localhost", origin="http://localhost")
        self._transport: resources_pb2.TransportKey | None = None

    def call(self, method: str, request: Message) -> Any:  # noqa: ANN401  the response of whatever method
        if method not in TENANT_RPCS:
            return super().call(method, request)
        stub, metadata = self.stub, self.metadata
        try:
            self.stub, self.metadata = self.tenant_stub, self.tenant_metadata
            return super().call(method, request)
        finally:
            self.stub, self.metadata = stub, metadata

    def begin_operation(self, name: str, **parameters: object) -> Begun:
        """Begin any ceremony whose operation has this name in the proto."""
        request = ceremony_pb2.CeremonyRequest()
        operation = getattr(request, name)
        operation.SetInParent()
        operation.MergeFrom(type(operation)(**parameters))
        return Begun(self.begin(request))

    def begin_registration(self) -> Begun:
        return self.begin_operation(
            "register",
            user_handle=self.passkey.user_handle,
            mode=resources_pb2.MODE_PRF,
            recovery_public_key=self.recovery.public_key().public_bytes_raw(),
        )

    def seal(self, begun: Begun, envelope: bytes) -> tuple[bytes, bytes]:
        """Seal to the transport key of the bundle; with the id of that key."""
        if self._transport is None:
            bundle = resources_pb2.KeyBundle.FromString(self.service_info().key_bundle.bundle)
            self._transport = bundle.transport_keys[0]
        info = encode_fields("strongroom/v1/hpke", b"to-keeper", 1, begun.challenge)
        public_key = X25519PublicKey.from_public_bytes(self._transport.public_key)
        return SUITE.encrypt(begun.secret + envelope, public_key, info=info), self._transport.key_id

    def store_request(self, begun: Begun, envelope: bytes = b"an envelope") -> pb.StoreEnvelopeRequest:
        sealed, key_id = self.seal(begun, envelope)
        return pb.StoreEnvelopeRequest(
            ceremony=begun.ceremony, assertion=self.assertion(begun), sealed_envelope=sealed, transport_key_id=key_id
        )

    def attested(self, begun: Begun, passkey: SoftwarePasskey) -> resources_pb2.Attestation:
        made = passkey.make_attestation(begun.challenge)
        return resources_pb2.Attestation(
            credential_id=made.credential_id,
            client_data_json=made.client_data_json,
            attestation_object=made.attestation_object,
            transports=made.transports,
        )

    def addition_request(self) -> pb.AddCredentialRequest:
        attest = self.begin_operation("attest", user_handle=self.second.user_handle)
        begun = self.begin_operation(
            "add_credential",
            credential_id=self.second.credential_id,
            cose_key_sha256=hashlib.sha256(self.second.cose_key).digest(),
            envelope_sha256=hashlib.sha256(b"for both").digest(),
        )
        sealed, key_id = self.seal(begun, b"for both")
        return pb.AddCredentialRequest(
            ceremony=begun.ceremony,
            assertion=self.assertion(begun),
            attest_ceremony=attest.ceremony,
            attestation=self.attested(attest, self.second),
            sealed_envelope=sealed,
            transport_key_id=key_id,
        )

    def removal_request(self) -> pb.RemoveCredentialRequest:
        """Of the second passkey."""
        begun = self.begin_operation(
            "remove_credential",
            credential_id=self.second.credential_id,
            envelope_sha256=hashlib.sha256(b"for one").digest(),
        )
        sealed, key_id = self.seal(begun, b"for one")
        return pb.RemoveCredentialRequest(
            ceremony=begun.ceremony, assertion=self.assertion(begun), sealed_envelope=sealed, transport_key_id=key_id
        )

    def recovery_request(self) -> pb.SetRecoveryRequest:
        self.recovery = Ed25519PrivateKey.generate()
        begun = self.begin_operation(
            "set_recovery",
            recovery_public_key=self.recovery.public_key().public_bytes_raw(),
            envelope_sha256=hashlib.sha256(b"for the new key").digest(),
        )
        sealed, key_id = self.seal(begun, b"for the new key")
        return pb.SetRecoveryRequest(
            ceremony=begun.ceremony, assertion=self.assertion(begun), sealed_envelope=sealed, transport_key_id=key_id
        )

    def asserted_request(self, kind: Callable[..., Message], name: str, **parameters: object) -> Message:
        """Whatever is completed by a ceremony and an assertion alone."""
        begun = self.begin_operation(name, **parameters)
        return kind(ceremony=begun.ceremony, assertion=self.assertion(begun))

    def good_request(self, rpc: str) -> Message:
        """A fresh request that is granted where `ready_for(rpc)` was called before."""
        return GOOD[rpc](self)

    @staticmethod
    def fresh_recovery_key() -> bytes:
        return Ed25519PrivateKey.generate().public_key().public_bytes_raw()

    def cursor(self) -> bytes:
        """Of the feed's first page."""
        page = self.call("ListTenantEvents", tenant_service_pb2.ListTenantEventsRequest(nonce=os.urandom(32)))
        return tenant_service_pb2.ListTenantEventsReply.FromString(page.reply).next_cursor

    def ready_for(self, rpc: str) -> None:
        """Bring a fresh account to where `rpc` makes sense."""
        if rpc == "CompleteRegistration":
            return
        self.enroll()
        if rpc in {"RemoveCredential", "LiftQuarantine"}:
            self.call("AddCredential", self.addition_request())
        if rpc == "LiftQuarantine":
            self._be_cloned(self.second)
        if rpc == "Reopen":
            self.call("ResetVault", self.good_request("ResetVault"))
        if rpc == "CancelEraseAccount":
            self.call("EraseAccount", self.good_request("EraseAccount"))

    def _be_cloned(self, passkey: SoftwarePasskey) -> None:
        """Use a passkey once, and then with a counter that went back."""
        first, self.passkey = self.passkey, passkey
        self.release()
        with pytest.raises(Told, match="PERMISSION_DENIED"):
            self.release(Forgery(sign_count=1))
        self.passkey = first

    def signed_by_recovery(self, begun: Begun) -> resources_pb2.Assertion:
        message = encode_fields("strongroom/v1/recovery-assertion", begun.challenge)
        return resources_pb2.Assertion(
            recovery=resources_pb2.RecoverySignature(
                public_key=self.recovery.public_key().public_bytes_raw(), signature=self.recovery.sign(message)
            )
        )


def _with_nonce(kind: Callable[..., Message]) -> Callable[[HandOwner], Message]:
    return lambda _: kind(nonce=os.urandom(32))


def _about_account(kind: Callable[..., Message]) -> Callable[[HandOwner], Message]:
    return lambda owner: kind(nonce=os.urandom(32), account=owner.account)


def _begin_delete() -> pb.BeginCeremonyRequest:
    request = ceremony_pb2.CeremonyRequest(client_random=os.urandom(32), delete=ceremony_pb2.DeleteOperation())
    return pb.BeginCeremonyRequest(request=request.SerializeToString())


GOOD: Final[dict[str, Callable[[HandOwner], Message]]] = {
    "GetServiceInfo": _with_nonce(pb.GetServiceInfoRequest),
    "GetVault": _with_nonce(pb.GetVaultRequest),
    "ListEvents": _with_nonce(pb.ListEventsRequest),
    "ResetVault": _with_nonce(pb.ResetVaultRequest),
    "ListTenantEvents": lambda owner: tenant_service_pb2.ListTenantEventsRequest(
        nonce=os.urandom(32), cursor=owner.cursor()
    ),
    "EraseAccount": _about_account(tenant_service_pb2.EraseAccountRequest),
    "CancelEraseAccount": _about_account(tenant_service_pb2.CancelEraseAccountRequest),
    "BeginCeremony": lambda _: _begin_delete(),
    "CompleteRegistration": lambda owner: owner.registration_request(owner.begin_registration()),
    "StoreEnvelope": lambda owner: owner.store_request(owner.begin_store()),
    "ReleaseEnvelope": lambda owner: owner.release_request(owner.begin_release()),
    "DeleteVault": lambda owner: owner.asserted_request(pb.DeleteVaultRequest, "delete"),
    "AddCredential": HandOwner.addition_request,
    "RemoveCredential": HandOwner.removal_request,
    "SetRecovery": HandOwner.recovery_request,
    "Reopen": lambda owner: owner.asserted_request(
        pb.ReopenRequest, "reopen", target=ceremony_pb2.REOPEN_TARGET_SET_ASIDE
    ),
    "LiftQuarantine": lambda owner: owner.asserted_request(
        pb.LiftQuarantineRequest, "lift_quarantine", credential_id=owner.second.credential_id
    ),
    "SetPolicy": lambda owner: owner.asserted_request(pb.SetPolicyRequest, "set_policy", policy=POLICY),
}
"""By RPC: a fresh request that is granted to an owner who is ready for it."""
