"""What the front reads from the network: the request of each RPC, and account tokens (the keeper reads these too)."""

from __future__ import annotations

import functools
from collections.abc import Callable

from google.protobuf.message import DecodeError, Message

from strongroom.v1 import tenant_service_pb2, vault_service_pb2
from strongroom_service.config.tenant_file import Tenants
from strongroom_service.domain.errors import InvalidField, Refusal
from strongroom_service.front import codec
from strongroom_service.tokens.account_tokens import AccountTokenVerifier
from strongroom_service.tokens.tenant_tokens import TenantScope, TenantTokenVerifier
from tests.fakes.clock import START
from tests.fakes.tenancy import Tenancy
from tests.fakes.tenant import AUDIENCE
from tests.fuzz import honest
from tests.fuzz.target import Target

Fields = dict[str, object]


@functools.cache
def verifier() -> AccountTokenVerifier:
    """With a cache of one, so that a long run does not grow."""
    return AccountTokenVerifier(Tenants([honest.TENANT.tenant()]), AUDIENCE, cache_size=1)


def account_token(data: bytes) -> None:
    verifier().verify(data.decode("utf-8", "surrogateescape"), now=START)


def signed_token(data: bytes) -> None:
    """Read a token whose signature is right: `data` is its header, a line feed, and its claims."""
    header, _, claims = data.partition(b"\n")
    algorithm = "ES256" if b"ES256" in header else "EdDSA"
    verifier().verify(honest.TENANT.sign(header, claims, algorithm=algorithm), now=START)


def token_parts() -> list[bytes]:
    claims = (
        b'{"iss":"https://login.notes.example","sub":"alice","aud":"https://vault.example",'
        b'"iat":1800000000,"exp":1800000600,"nbf":1800000000,"scope":"openid vault"}'
    )
    headers = (b'{"alg":"ES256","kid":"ec","typ":"JWT"}', b'{"alg":"EdDSA","kid":"ed"}')
    return [header + b"\n" + claims for header in headers]


@functools.cache
def tenant_verifier() -> TenantTokenVerifier:
    return TenantTokenVerifier(Tenants([honest.TENANT.tenant()]), AUDIENCE)


def tenant_token(data: bytes) -> None:
    tenant_verifier().verify(data.decode("utf-8", "surrogateescape"), scope=TenantScope.FEED, now=START)


def signed_tenant_token(data: bytes) -> None:
    """As `signed_token`."""
    header, _, claims = data.partition(b"\n")
    tenant_verifier().verify(honest.TENANT.sign(header, claims), scope=TenantScope.FEED, now=START)


def tenant_token_parts() -> list[bytes]:
    claims = (
        b'{"iss":"https://login.notes.example","aud":"https://vault.example",'
        b'"iat":1800000000,"exp":1800000600,"scope":"feed erase"}'
    )
    return [b'{"alg":"ES256","kid":"ec","typ":"strongroom-tenant+jwt"}\n' + claims]


def request_target(kind: type[Message], read: Callable[[Message], object], seeds: Callable[[], list[Fields]]) -> Target:
    """Return the target of one RPC: its request from bytes, then its fields."""
    return Target(
        parse=lambda data: read(kind.FromString(data)),
        refusals=(DecodeError, InvalidField),
        seeds=lambda: [kind(**fields).SerializeToString() for fields in seeds()],
    )


def nonces() -> list[Fields]:
    return [{"nonce": honest.NONCE}]


def pages() -> list[Fields]:
    return [{"nonce": honest.NONCE, "page_token": bytes(72)}]


def begins() -> list[Fields]:
    return [{"request": request} for request in honest.requests()]


def completions(*, with_envelope: bool = False) -> list[Fields]:
    """What completes a ceremony: all of the fields of any completion that a store, or another, has."""
    judged = [
        call.judge for call in honest.keeper_calls() if call.HasField("judge") and call.judge.HasField("assertion")
    ]
    envelope: Fields = {"sealed_envelope": bytes(100), "transport_key_id": bytes(16)} if with_envelope else {}
    return [{"ceremony": call.ceremony, "assertion": call.assertion, **envelope} for call in judged]


def registrations() -> list[Fields]:
    judged = [call.judge for call in honest.keeper_calls() if call.judge.HasField("attestation")]
    return [{"ceremony": call.ceremony, "attestation": call.attestation} for call in judged]


def additions() -> list[Fields]:
    (call,) = (call for call in honest.changes() if call.HasField("attestation"))
    return [
        {
            "ceremony": call.ceremony,
            "assertion": call.assertion,
            "attest_ceremony": call.attest_ceremony,
            "attestation": call.attestation,
            "sealed_envelope": call.sealed_envelope,
            "transport_key_id": call.transport_key_id,
        }
    ]


def feeds() -> list[Fields]:
    return [{"nonce": honest.NONCE}, {"nonce": honest.NONCE, "cursor": bytes(40)}]


def orders() -> list[Fields]:
    return [{"nonce": honest.NONCE, "account": account} for account in ("alice", "\u00fcber@example")]


def feed_page(message: Message) -> object:
    """Read both fields of a ListTenantEvents request."""
    if not isinstance(message, tenant_service_pb2.ListTenantEventsRequest):
        raise TypeError(message)
    return codec.nonce_of(message), codec.cursor_of(message)


def order(message: Message) -> object:
    """Read both fields of a tenant's order."""
    if not isinstance(message, tenant_service_pb2.EraseAccountRequest | tenant_service_pb2.CancelEraseAccountRequest):
        raise TypeError(message)
    return codec.nonce_of(message), codec.account_of(message)


def listing(message: Message) -> object:
    """Read both fields of a ListEvents request."""
    if not isinstance(message, vault_service_pb2.ListEventsRequest):
        raise TypeError(message)
    return codec.nonce_of(message), codec.page_token_of(message)


def read_as(read: Callable[..., object]) -> Callable[[Message], object]:
    """Let `read` take the message of its own type; the table pairs them."""
    return read


TARGETS = {
    "account_token": Target(
        parse=account_token,
        refusals=(Refusal,),
        seeds=lambda: [honest.TENANT.token(now=START).encode()],
    ),
    "signed_token": Target(parse=signed_token, refusals=(Refusal,), seeds=token_parts),
    "tenant_token": Target(
        parse=tenant_token,
        refusals=(Refusal,),
        seeds=lambda: [Tenancy(honest.alice().desk).token("feed").encode()],
    ),
    "signed_tenant_token": Target(parse=signed_tenant_token, refusals=(Refusal,), seeds=tenant_token_parts),
    "get_service_info": request_target(vault_service_pb2.GetServiceInfoRequest, read_as(codec.nonce_of), nonces),
    "get_vault": request_target(vault_service_pb2.GetVaultRequest, read_as(codec.nonce_of), nonces),
    "begin_ceremony": request_target(
        vault_service_pb2.BeginCeremonyRequest, read_as(codec.ceremony_request_of), begins
    ),
    "complete_registration": request_target(
        vault_service_pb2.CompleteRegistrationRequest, read_as(codec.registration_of), registrations
    ),
    "store_envelope": request_target(
        vault_service_pb2.StoreEnvelopeRequest,
        read_as(codec.store_of),
        functools.partial(completions, with_envelope=True),
    ),
    "release_envelope": request_target(
        vault_service_pb2.ReleaseEnvelopeRequest, read_as(codec.release_of), completions
    ),
    "delete_vault": request_target(vault_service_pb2.DeleteVaultRequest, read_as(codec.delete_of), completions),
    "list_events": request_target(vault_service_pb2.ListEventsRequest, listing, pages),
    "add_credential": request_target(vault_service_pb2.AddCredentialRequest, read_as(codec.addition_of), additions),
    "remove_credential": request_target(
        vault_service_pb2.RemoveCredentialRequest,
        read_as(codec.removal_of),
        functools.partial(completions, with_envelope=True),
    ),
    "set_recovery": request_target(
        vault_service_pb2.SetRecoveryRequest,
        read_as(codec.recovery_change_of),
        functools.partial(completions, with_envelope=True),
    ),
    "reopen": request_target(vault_service_pb2.ReopenRequest, read_as(codec.reopening_of), completions),
    "lift_quarantine": request_target(vault_service_pb2.LiftQuarantineRequest, read_as(codec.lift_of), completions),
    "set_policy": request_target(vault_service_pb2.SetPolicyRequest, read_as(codec.policy_change_of), completions),
    "reset_vault": request_target(vault_service_pb2.ResetVaultRequest, read_as(codec.reset_of), nonces),
    "list_tenant_events": request_target(tenant_service_pb2.ListTenantEventsRequest, feed_page, feeds),
    "erase_account": request_target(tenant_service_pb2.EraseAccountRequest, order, orders),
    "cancel_erase_account": request_target(tenant_service_pb2.CancelEraseAccountRequest, order, orders),
}
