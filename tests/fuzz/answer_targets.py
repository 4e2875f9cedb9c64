"""A vault gone wrong, whole: it signs any reply, and the client that enrolled there goes through its real flows."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from google.protobuf.message import DecodeError

from strongroom.v1 import ceremony_pb2, resources_pb2, vault_service_pb2
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.client import VaultClient
from strongroom_client.clock import Millis
from strongroom_client.envelope_content import EnvelopeError
from strongroom_client.errors import StrongroomError
from strongroom_client.fields import encode_fields
from strongroom_client.flows.answers import parse
from strongroom_client.flows.storing import check_stored
from strongroom_client.memory import AccountMemory
from strongroom_client.steps import Rpc
from strongroom_client.tenant_client import TenantClient
from strongroom_client.verification.bundles import Trust
from strongroom_client.verification.positions import Position
from tests.fakes.client import FakeMemory, client_of
from tests.fakes.front import CheatingFront, Spoil
from tests.fakes.tenant_vault import FakeTenantVault
from tests.fakes.vault import ACCOUNT, TENANT, FakeVault
from tests.fakes.vault_record import FakeRecord
from tests.fuzz import honest
from tests.fuzz.target import Target

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


@dataclass
class AnyVault(FakeVault):
    """Remembers what it signed last, and the recipient of the last release."""

    signed: tuple[str, bytes] = ("", b"")
    recipient: bytes = b""

    def call(self, rpc: Rpc, request: Any) -> Any:  # noqa: ANN401  messages of whatever RPC
        if rpc is Rpc.BEGIN_CEREMONY:
            self.recipient = ceremony_pb2.CeremonyRequest.FromString(request.request).release.recipient
        return super().call(rpc, request)

    def receipt(self, rpc: str, *, challenge: bytes, reply: bytes) -> resources_pb2.Receipt:
        self.signed = (rpc, challenge)
        return super().receipt(rpc, challenge=challenge, reply=reply)

    def go_back(self, record: FakeRecord) -> None:
        """Stand at `record` again, and forget what came after."""
        self.record = record
        self._granted.clear()
        self.calls.clear()


@dataclass
class Enrolled:
    """An enrolled account, to be brought back to where it was before each input."""

    vault: AnyVault
    memory: FakeMemory
    authenticator: InsecureSoftwareAuthenticator
    record: FakeRecord
    remembered: AccountMemory

    def client(self, front: CheatingFront) -> VaultClient:
        self.vault.go_back(self.record)
        self.memory.kept = self.remembered
        self.memory.entries.clear()
        self.memory.contested.clear()
        return client_of(self.vault, connection=front, memory=self.memory)


@functools.cache
def enrolled() -> Enrolled:
    vault, memory = AnyVault(events_per_page=100), FakeMemory()
    authenticator = InsecureSoftwareAuthenticator(state_path=honest.scratch() / "passkeys")
    client_of(vault, memory=memory).enroll(authenticator, user_name=ACCOUNT)
    return Enrolled(vault, memory, authenticator, vault.record, memory.kept)


Flow = Callable[[VaultClient], object]
FLOWS: dict[Rpc, Flow] = {
    Rpc.GET_VAULT: lambda client: client.vault(),
    Rpc.LIST_EVENTS: lambda client: client.history(),
    Rpc.RELEASE_ENVELOPE: lambda client: client.release(enrolled().authenticator),
    Rpc.DELETE_VAULT: lambda client: client.delete(enrolled().authenticator),
    Rpc.RESET_VAULT: lambda client: client.reset(),
}


def ask(rpc: Rpc, spoil: Spoil) -> None:
    """Go through the flow that ends in this RPC, whose response `spoil` changes."""
    FLOWS[rpc](enrolled().client(CheatingFront(enrolled().vault, spoil_responses={rpc: spoil})))


def signed_reply(data: bytes, *, rpc: Rpc) -> None:
    """Give the client any bytes as the reply of an RPC, signed as the vault signs."""
    vault = enrolled().vault

    def spoil(response: Any) -> None:  # noqa: ANN401  the response of whatever RPC
        signed_for, challenge = vault.signed
        response.reply = data
        response.receipt.CopyFrom(vault.receipt(signed_for, challenge=challenge, reply=data))

    ask(rpc, spoil)


def released(data: bytes) -> None:
    """Seal any bytes to the client in place of its envelopes."""
    vault = enrolled().vault

    def reseal(response: Any) -> None:  # noqa: ANN401  a ReleaseEnvelopeResponse
        signed_for, challenge = vault.signed
        info = encode_fields("strongroom/v1/hpke", b"to-client", 1, challenge)
        sealed = SUITE.encrypt(data, X25519PublicKey.from_public_bytes(vault.recipient), info=info)
        response.reply = vault_service_pb2.ReleaseReply(sealed_envelopes=sealed).SerializeToString()
        response.receipt.CopyFrom(vault.receipt(signed_for, challenge=challenge, reply=response.reply))

    ask(Rpc.RELEASE_ENVELOPE, reseal)


def stored_reply(data: bytes) -> None:
    """Read any bytes as what the vault signed of a store: of another envelope each time, so that it is not asked."""
    check_stored(parse(vault_service_pb2.StoreReply, data), position=Position(5, bytes(32)), envelope=b"envelope")


def stored_replies() -> list[bytes]:
    sha256 = hashlib.sha256(b"envelope").digest()
    return [vault_service_pb2.StoreReply(archive_version=5, envelope_sha256=sha256).SerializeToString()]


def tenant_page(data: bytes, *, look: Callable[[bytes], None] = lambda _: None) -> None:
    """Give a tenant's client any bytes as a page of its feed, signed as the vault signs."""
    vault = FakeTenantVault(feed=["alice", "bob"])

    def spoil(response: Any) -> None:  # noqa: ANN401  a ListTenantEventsResponse
        look(response.reply)
        (nonce,) = (asked.nonce for rpc, asked in front.seen if rpc is Rpc.LIST_TENANT_EVENTS)  # type: ignore[attr-defined]  # that request has one
        response.reply = data or response.reply
        response.receipt.CopyFrom(
            vault.keys.receipt("list-tenant-events", challenge=nonce, reply=response.reply, version=0, head=bytes(32))
        )

    front = CheatingFront(vault, spoil_responses={Rpc.LIST_TENANT_EVENTS: spoil})
    trust = Trust(pins=frozenset({vault.keys.fingerprint}))
    client = TenantClient(tenant=TENANT, trust=trust, connection=front, clock=lambda: Millis(vault.now))
    repr(client.page())


def tenant_pages() -> list[bytes]:
    seen = list[bytes]()
    tenant_page(b"", look=seen.append)
    return seen


def released_seeds() -> list[bytes]:
    archives = enrolled().record.archives
    return [vault_service_pb2.ReleasedEnvelopes(envelopes=archives).SerializeToString()]


def honest_reply(rpc: Rpc) -> list[bytes]:
    """What the vault replies when nobody spoils it."""
    seen = list[bytes]()

    def look(response: Any) -> None:  # noqa: ANN401  the response of whatever RPC
        seen.append(response.reply)

    ask(rpc, look)
    return seen


REFUSALS = (DecodeError, StrongroomError, EnvelopeError)
TARGETS = {
    **{
        f"signed_{rpc.name.lower()}": Target(
            parse=functools.partial(signed_reply, rpc=rpc),
            refusals=REFUSALS,
            seeds=functools.partial(honest_reply, rpc),
        )
        for rpc in FLOWS
        if rpc is not Rpc.RELEASE_ENVELOPE  # each is sealed to a key of its own: see `released`
    },
    "signed_list_tenant_events": Target(parse=tenant_page, refusals=REFUSALS, seeds=tenant_pages),
    "stored_reply": Target(parse=stored_reply, refusals=REFUSALS, seeds=stored_replies),
    "released": Target(parse=released, refusals=REFUSALS, seeds=released_seeds),
}
