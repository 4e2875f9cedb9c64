"""What the client reads from a vault that may be hostile: ceremonies, bundles, receipts, replies, errors, envelopes."""

from __future__ import annotations

import functools

import grpc
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from strongroom.v1 import ceremony_pb2, event_pb2, resources_pb2, vault_service_pb2
from strongroom_client.clock import Millis
from strongroom_client.descriptions import describe_event, describe_policy, describe_vault
from strongroom_client.errors import NotProven, ReplyMismatch, StrongroomError
from strongroom_client.fields import encode_fields
from strongroom_client.hpke import open_from_vault
from strongroom_client.rpc_errors import translate
from strongroom_client.timestamps import millis_of
from strongroom_client.verification.bundles import Trust, verify_bundle
from strongroom_client.verification.credential_sets import credential_set
from strongroom_client.verification.evidence import examine_evidence
from strongroom_client.verification.histories import check_page, next_page_start
from strongroom_client.verification.owner_bundles import standing_of
from strongroom_client.verification.positions import GENESIS, Position
from strongroom_client.verification.receipts import ReceiptFor, check_receipt
from strongroom_client.verification.statements import Expected, check_ceremony
from tests.fakes.owner_signers import ADA, GRACE, owners_sign, pinned
from tests.fakes.vault import ACCOUNT, NOW, ORIGIN, RP_ID, TENANT
from tests.fakes.vault_keys import FakeVaultKeys, timestamp
from tests.fuzz import honest
from tests.fuzz.target import Target

KEYS = FakeVaultKeys(
    identity=ec.derive_private_key(9, ec.SECP256R1()), transport=X25519PrivateKey.from_private_bytes(b"t" * 32)
)
TRUST = Trust(pins=frozenset({KEYS.fingerprint}))
OWNERS = Trust(pins=frozenset(), owners=pinned(ADA, GRACE))
NONCE = b"n" * 32
HEAD = b"h" * 32
DIGEST = b"d" * 32
REPLY = b"reply"
RECIPIENT = X25519PrivateKey.from_private_bytes(b"k" * 32)
EXPECTED = Expected(
    request=b"request",
    tenant=TENANT,
    account=ACCOUNT,
    rp_id=RP_ID,
    origin=ORIGIN,
    modes=frozenset({resources_pb2.MODE_PRF}),
    known=Position(4, HEAD),
    listed_digest=DIGEST,
    known_digest=DIGEST,
    about_set_aside=False,
    now=Millis(NOW),
)


def statement_seeds() -> list[bytes]:
    statement = ceremony_pb2.Statement(
        format=1,
        request=EXPECTED.request,
        tenant=TENANT,
        account=ACCOUNT,
        version=4,
        chain_head=HEAD,
        credential_set_sha256=DIGEST,
        mode=resources_pb2.MODE_PRF,
        rp_id=RP_ID,
        origins=[ORIGIN],
        seal_epoch=1,
        expire_time=timestamp(NOW + 120_000),
        keeper_random=b"k" * 32,
    )
    return [statement.SerializeToString() + bytes(32)]


def signed_bundle(data: bytes) -> None:
    """Verify a bundle with its signatures, given as the message."""
    verify_bundle(resources_pb2.SignedKeyBundle.FromString(data), trust=TRUST, seen={}, now=Millis(NOW))


def bundle(data: bytes) -> None:
    """Verify any bytes that the pinned key signed as a bundle: what a vault gone wrong could show."""
    signed = KEYS.sign_bundle(resources_pb2.KeyBundle.FromString(data))
    verify_bundle(signed, trust=TRUST, seen={}, now=Millis(NOW))


def owner_bundles(data: bytes) -> None:
    """Go by what a vault hands out as its owners' word."""
    handed_out = vault_service_pb2.GetServiceInfoResponse.FromString(data).owner_bundles
    standing_of(OWNERS, handed_out, known=None, now=Millis(NOW))


def owner_bundle(data: bytes) -> None:
    """Go by any bytes that two pinned owners signed: what owners could be made to sign."""
    standing_of(OWNERS, [owners_sign(data, ADA, GRACE)], known=None, now=Millis(NOW))


def handed_out_bundles() -> list[bytes]:
    first, second = (KEYS.bundle(serial=serial, now=NOW).bundle for serial in (1, 2))
    chain = [owners_sign(first, ADA, GRACE), owners_sign(second, ADA, GRACE, previous=first)]
    return [vault_service_pb2.GetServiceInfoResponse(owner_bundles=chain).SerializeToString()]


def receipt(data: bytes) -> None:
    check_receipt(
        resources_pb2.Receipt.FromString(data),
        receipt_for=ReceiptFor.GET_VAULT,
        challenge=NONCE,
        reply=REPLY,
        identity_keys={KEYS.fingerprint: KEYS.identity_public_key},
    )


def receipts() -> list[bytes]:
    made = KEYS.receipt("get-vault", challenge=NONCE, reply=REPLY, version=5, head=HEAD)
    return [made.SerializeToString()]


def vault_reply(data: bytes) -> None:
    """Describe a record that was signed, as `strongroom status` does."""
    reply = vault_service_pb2.VaultReply.FromString(data)
    _ = credential_set(reply.credentials, recovery_public_key=reply.recovery_public_key).digest
    repr(describe_vault(reply, Position(5, HEAD)))


def vault_replies() -> list[bytes]:
    passkey = resources_pb2.Credential(
        credential_id=b"id", cose_key=b"key", create_time=timestamp(NOW), last_use_time=timestamp(NOW)
    )
    archive = resources_pb2.ArchiveVersion(
        archive_version=2, store_time=timestamp(NOW), envelope_sha256=DIGEST, mode=resources_pb2.MODE_PRF
    )
    reply = vault_service_pb2.VaultReply(
        tenant=TENANT,
        account=ACCOUNT,
        state=resources_pb2.VAULT_STATE_LIVE,
        credentials=[passkey],
        recovery_public_key=DIGEST,
        archives=[archive],
        cool_down_end_time=timestamp(NOW),
        policy=resources_pb2.Policy(budget=5, cool_down_seconds=[0, 60]),
        set_aside=resources_pb2.SetAside(
            set_aside_time=timestamp(NOW), erase_time=timestamp(NOW), credentials=[passkey], archives=[archive]
        ),
        account_erase_time=timestamp(NOW),
        closed=True,
    )
    return [reply.SerializeToString()]


def history(data: bytes) -> None:
    """Check and describe a page that was signed; it begins where its first event, or its receipt, says."""
    reply = vault_service_pb2.ListEventsReply.FromString(data)
    first = reply.events[0] if reply.events else event_pb2.Event(version=2**64 - 1, chain_head=HEAD)
    start = Position(first.version, first.chain_head)
    check_page(reply.events, start=start, end=next_page_start(reply.next_page_token), known=GENESIS)
    for event in reply.events:
        repr(describe_event(event))


def histories() -> list[bytes]:
    event = event_pb2.Event(
        version=1,
        chain_head=HEAD,
        event_time=timestamp(NOW),
        kind=event_pb2.EVENT_KIND_REGISTER,
        outcome=event_pb2.EVENT_OUTCOME_GRANTED,
    )
    reply = vault_service_pb2.ListEventsReply(tenant=TENANT, account=ACCOUNT, events=[event])
    return [
        reply.SerializeToString(),
        reply.SerializeToString()
        + vault_service_pb2.ListEventsReply(next_page_token=bytes(8) + HEAD + bytes(32)).SerializeToString(),
    ]


def evidence(data: bytes) -> None:
    """Examine who signed for each event of a whole history, and describe it."""
    reply = vault_service_pb2.ListEventsReply.FromString(data)
    examine_evidence(reply.events, tenant="notes", account="alice")
    for event in reply.events:
        repr(describe_event(event))


def whole_histories() -> list[bytes]:
    """Of an account at a real keeper, with what brought its passkeys."""
    return [honest.alice().desk.list_events("alice").SerializeToString()]


def service_info(data: bytes) -> None:
    """Read the parts of a description of the service beside its bundle."""
    reply = vault_service_pb2.ServiceInfoReply.FromString(data)
    verify_bundle(reply.key_bundle, trust=TRUST, seen={}, now=Millis(NOW))
    repr(describe_policy(reply.policy))
    millis_of(reply.keeper_time, otherwise=ReplyMismatch)


def service_infos() -> list[bytes]:
    reply = vault_service_pb2.ServiceInfoReply(
        tenant=TENANT,
        rp_id=RP_ID,
        origins=[ORIGIN],
        algorithms=[-7, -8],
        key_bundle=KEYS.bundle(serial=1, now=NOW),
        keeper_time=timestamp(NOW),
    )
    return [reply.SerializeToString()]


class FailedCall(grpc.RpcError):
    """A call that ended with these details; status and text are what they say, so that they are believed."""

    def __init__(self, details: bytes) -> None:
        super().__init__()
        self._details = details
        try:
            self._status = status_pb2.Status.FromString(details)
        except DecodeError:
            self._status = status_pb2.Status(code=grpc.StatusCode.INTERNAL.value[0])

    def code(self) -> grpc.StatusCode:
        codes = {code.value[0]: code for code in grpc.StatusCode}
        return codes.get(self._status.code, grpc.StatusCode.UNKNOWN)

    def details(self) -> str:
        return self._status.message

    def trailing_metadata(  # type: ignore[override]  # the stub asks for a class that gRPC does not have
        self,
    ) -> tuple[tuple[str, bytes], ...]:
        return (("grpc-status-details-bin", self._details),)


def rpc_error(data: bytes) -> None:
    """Translate a failed call, and show it."""
    error = translate(FailedCall(data))
    if not isinstance(error, StrongroomError):
        raise TypeError(error)
    str(error)


def rpc_errors() -> list[bytes]:
    def status(reason: str, *more: error_details_pb2.RetryInfo | error_details_pb2.BadRequest) -> bytes:
        details = []
        for message in (error_details_pb2.ErrorInfo(reason=reason, domain="strongroom"), *more):
            packed = Any()
            packed.Pack(message)
            details.append(packed)
        return status_pb2.Status(code=8, message=reason, details=details).SerializeToString()

    violation = error_details_pb2.BadRequest.FieldViolation(field="nonce", description="must be 32 bytes")
    return [
        status("NO_VAULT"),
        status("COOLING_DOWN", error_details_pb2.RetryInfo(retry_delay=Duration(seconds=5))),
        status("INVALID_FIELD", error_details_pb2.BadRequest(field_violations=[violation])),
    ]


def sealed_to_client() -> list[bytes]:
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    info = encode_fields("strongroom/v1/hpke", b"to-client", 1, NONCE)
    return [suite.encrypt(b"envelopes", RECIPIENT.public_key(), info=info)]


def bundles() -> list[bytes]:
    return [KEYS.bundle(serial=1, now=NOW).bundle]


TARGETS = {
    "client_ceremony": Target(
        parse=functools.partial(check_ceremony, expected=EXPECTED), refusals=(NotProven,), seeds=statement_seeds
    ),
    "signed_key_bundle": Target(
        parse=signed_bundle,
        refusals=(DecodeError, NotProven),
        seeds=lambda: [KEYS.bundle(serial=1, now=NOW).SerializeToString()],
    ),
    "key_bundle": Target(parse=bundle, refusals=(DecodeError, NotProven), seeds=bundles),
    "owner_bundles": Target(parse=owner_bundles, refusals=(DecodeError, NotProven), seeds=handed_out_bundles),
    "owner_bundle": Target(parse=owner_bundle, refusals=(NotProven,), seeds=bundles),
    "receipt": Target(parse=receipt, refusals=(DecodeError, NotProven), seeds=receipts),
    "service_info": Target(parse=service_info, refusals=(DecodeError, NotProven), seeds=service_infos),
    "vault_reply": Target(parse=vault_reply, refusals=(DecodeError, NotProven), seeds=vault_replies),
    "history": Target(parse=history, refusals=(DecodeError, NotProven), seeds=histories),
    "evidence": Target(parse=evidence, refusals=(DecodeError, NotProven), seeds=whole_histories),
    "rpc_error": Target(parse=rpc_error, refusals=(), seeds=rpc_errors),
    "hpke_to_client": Target(
        parse=functools.partial(open_from_vault, private_key=RECIPIENT, challenge=NONCE),
        refusals=(NotProven,),
        seeds=sealed_to_client,
    ),
}
