"""A client that puts secrets where they do not belong, as its bugs would, and what it is told in return."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.message import Message

from strongroom.v1 import ceremony_pb2, resources_pb2
from strongroom.v1 import tenant_service_pb2 as tenant_pb
from strongroom.v1 import vault_service_pb2 as pb
from tests.fakes.hand_client import Begun, HandClient, Told
from tests.fakes.message_fields import BRANCHES, BYTES, TEXT

# A secret that the redaction of log lines knows by its form would not show whether anything else keeps it out.
ARCHIVE_KEY: Final = base64.b32encode(os.urandom(40))
ENVELOPE: Final = os.urandom(64) + ARCHIVE_KEY


@dataclass
class Answers:
    """What callers were told, whole."""

    whole: bytearray = field(default_factory=bytearray)
    reasons: set[str] = field(default_factory=set)

    def by(self, call: Callable[[], object]) -> None:
        """Make a call that must be refused, and keep what it tells."""
        with pytest.raises(Told) as caught:
            call()
        self.keep(caught.value)

    def keep(self, told: Told) -> None:
        trailers = b"".join(f"{key}={value!r};".encode() for key, value in told.trailers.items())
        self.whole += told.text.encode() + b"\n" + trailers + told.status.SerializeToString() + b"\n"
        self.reasons.add(told.reason)


def misplace(client: HandClient, told: Answers) -> None:
    """Secrets where they do not belong, as a client's bug would put them."""
    begun = client.begin_release()
    stored = client.begin_store()
    for method, request in (
        ("BeginCeremony", pb.BeginCeremonyRequest(request=ARCHIVE_KEY)),
        ("BeginCeremony", pb.BeginCeremonyRequest(request=ENVELOPE * 400)),
        ("BeginCeremony", pb.BeginCeremonyRequest(request=misplaced_request().SerializeToString())),
        ("GetVault", pb.GetVaultRequest(nonce=ARCHIVE_KEY)),
        ("ListEvents", pb.ListEventsRequest(nonce=os.urandom(32), page_token=ARCHIVE_KEY)),
        ("ReleaseEnvelope", pb.ReleaseEnvelopeRequest(ceremony=ARCHIVE_KEY, assertion=client.assertion(begun))),
        ("ReleaseEnvelope", pb.ReleaseEnvelopeRequest(ceremony=begun.ceremony, assertion=misplaced_assertion(client))),
        ("StoreEnvelope", plain_store(client, stored)),
        ("CompleteRegistration", pb.CompleteRegistrationRequest(ceremony=ENVELOPE * 100)),
        ("DeleteVault", pb.DeleteVaultRequest(ceremony=begun.ceremony, assertion=client.assertion(begun))),
    ):
        told.by(partial(client.call, method, request))
    good = client.metadata
    for token in (ARCHIVE_KEY.decode(), good[0][1].removeprefix("Bearer ")[:-4], f"e30.{ARCHIVE_KEY.decode()}.e30"):
        client.metadata = (("authorization", f"Bearer {token}"),)
        told.by(client.vault_reply)
    client.metadata = good


def misplace_everywhere(client: HandClient, told: Answers) -> None:
    """A secret in every field of every request."""
    for service in (
        pb.DESCRIPTOR.services_by_name["VaultService"],
        tenant_pb.DESCRIPTOR.services_by_name["TenantService"],
    ):
        for method in service.methods:
            request = message_factory.GetMessageClass(method.input_type)()
            fill(request)
            told.by(partial(call_any, client, f"/{service.full_name}/{method.name}", request))
    told.by(partial(call_any, client, f"/strongroom.v1.VaultService/{ARCHIVE_KEY.decode()}", pb.GetVaultRequest()))


def fill(message: Message) -> None:
    """Set every field below `message`: bytes and text to the secret, of a choice the last."""
    for descriptor in message.DESCRIPTOR.fields:
        secret = ARCHIVE_KEY if descriptor.type == BYTES else ARCHIVE_KEY.decode()
        if descriptor.type == BRANCHES:
            inner = getattr(message, descriptor.name)
            fill(inner.add() if descriptor.is_repeated else inner)
        elif descriptor.type in {BYTES, TEXT}:
            if descriptor.is_repeated:
                getattr(message, descriptor.name).append(secret)
            else:
                setattr(message, descriptor.name, secret)


def call_any(client: HandClient, path: str, request: Message) -> None:
    """Call whatever method; only that it fails is of interest here, and what it tells."""
    method: Callable[..., bytes] = client.channel.unary_unary(path, request_serializer=type(request).SerializeToString)
    try:
        method(request, timeout=client.deadline, metadata=client.metadata)
    except grpc.RpcError as error:
        raise Told(error) from error


def misplaced_request() -> ceremony_pb2.CeremonyRequest:
    operation = ceremony_pb2.ReleaseOperation(
        recipient=ARCHIVE_KEY, suite=resources_pb2.HPKE_SUITE_X25519_SHA256_AES256GCM
    )
    return ceremony_pb2.CeremonyRequest(client_random=os.urandom(32), release=operation)


def misplaced_assertion(client: HandClient) -> resources_pb2.Assertion:
    assertion = resources_pb2.WebAuthnAssertion(
        credential_id=client.passkey.credential_id,
        authenticator_data=ENVELOPE,
        client_data_json=ARCHIVE_KEY,
        signature=ARCHIVE_KEY,
        user_handle=ARCHIVE_KEY,
    )
    return resources_pb2.Assertion(webauthn=assertion)


def plain_store(client: HandClient, begun: Begun) -> pb.StoreEnvelopeRequest:
    """An envelope that was not sealed, under a name that is none."""
    return pb.StoreEnvelopeRequest(
        ceremony=begun.ceremony,
        assertion=client.assertion(begun),
        sealed_envelope=ENVELOPE,
        transport_key_id=ARCHIVE_KEY[:16],
    )
