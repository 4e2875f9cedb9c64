"""Tokens that are not for this: of another kind, tenant, audience, key or time, or without the scope."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from google.protobuf.message import Message

from deploy.development.tenant import DevelopmentTenant
from strongroom.v1 import tenant_service_pb2
from strongroom.v1 import vault_service_pb2 as pb
from tests.fakes.hand_client import Told
from tests.fakes.hand_owner import TENANT_RPCS, HandOwner
from tests.fakes.hand_tokens import ACCOUNT_TYPE, TENANT_TYPE, account_token, bearing, tenant_token
from tests.integration.abuse.conftest import Abused
from tests.integration.abuse.telling import require_clean
from tests.integration.abuse.test_fields import RPCS

NEEDED_SCOPES = {
    "ResetVault": "reset",
    "ListTenantEvents": "feed",
    "EraseAccount": "erase",
    "CancelEraseAccount": "erase",
}
NOW = int(time.time())
Forge = Callable[[DevelopmentTenant, DevelopmentTenant, str], str]

# (our tenant, a stranger, account) -> a token that none may use for VaultService.
NO_ACCOUNT_TOKENS: dict[str, Forge] = {
    "tenant token": lambda ours, _, __: tenant_token(ours),
    "tenant token with a sub": lambda ours, _, account: tenant_token(ours, scope="vault reset", sub=account),
    "tenant token called JWT": lambda ours, _, __: tenant_token(ours, typ="JWT", scope="vault"),
    "no scope for the vault": lambda ours, _, account: account_token(ours, account, scope="reset openid"),
    "no account": lambda ours, _, __: account_token(ours, ""),
    "account that is no name": lambda ours, _, __: account_token(ours, "a\x00b"),
    "account that is too long": lambda ours, _, __: account_token(ours, "a" * 256),
}
NO_TENANT_TOKENS: dict[str, Forge] = {
    "account token": lambda ours, _, account: account_token(ours, account),
    "account token with every scope": lambda ours, _, account: account_token(
        ours, account, scope="vault reset feed erase"
    ),
    "account token called a tenant's": lambda ours, _, account: account_token(ours, account, typ=TENANT_TYPE),
    "tenant token called JWT": lambda ours, _, __: tenant_token(ours, typ="JWT"),
    "tenant token called an account's": lambda ours, _, __: tenant_token(ours, typ=ACCOUNT_TYPE),
}


def good_by(rpc: str, tenant: DevelopmentTenant, account: str, **claims: Any) -> str:  # noqa: ANN401  any claim
    return tenant_token(tenant, **claims) if rpc in TENANT_RPCS else account_token(tenant, account, **claims)


def by_the_wrong_key(rpc: str, ours: DevelopmentTenant, stranger: DevelopmentTenant, account: str) -> str:
    """Our issuer and key id, the stranger's signature."""
    forged = DevelopmentTenant(name=ours.name, issuer=ours.issuer, private_key=stranger.private_key)
    token = good_by(rpc, forged, account)
    header = {**jwt.get_unverified_header(token), "kid": ours.kid}
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims, stranger.private_key, algorithm="ES256", headers=header)


def unsigned(rpc: str, ours: DevelopmentTenant, _: DevelopmentTenant, account: str) -> str:
    claims = jwt.decode(good_by(rpc, ours, account), options={"verify_signature": False})
    typ = TENANT_TYPE if rpc in TENANT_RPCS else ACCOUNT_TYPE
    return jwt.encode(claims, "", algorithm="none", headers={"kid": ours.kid, "typ": typ})


# For every RPC alike.
BAD_TOKENS: dict[str, Callable[[str, DevelopmentTenant, DevelopmentTenant, str], str]] = {
    "expired": lambda rpc, ours, _, account: good_by(rpc, ours, account, iat=NOW - 3_600, exp=NOW - 60),
    "not valid yet": lambda rpc, ours, _, account: good_by(rpc, ours, account, iat=NOW + 900, exp=NOW + 1_500),
    "not before later": lambda rpc, ours, _, account: good_by(rpc, ours, account, nbf=NOW + 900),
    "too long a life": lambda rpc, ours, _, account: good_by(rpc, ours, account, exp=NOW + 7_200),
    "without an end": lambda rpc, ours, _, account: good_by(rpc, ours, account, exp=None),
    "end beyond any time": lambda rpc, ours, _, account: good_by(rpc, ours, account, exp=2**63),
    "of another vault": lambda rpc, ours, _, account: good_by(rpc, ours, account, aud="https://other.example"),
    "of two vaults": lambda rpc, ours, _, account: good_by(
        rpc, ours, account, aud=["https://vault.localhost", "https://other.example"]
    ),
    "of no tenant": lambda rpc, ours, _, account: good_by(rpc, ours, account, iss="https://nobody.example"),
    "of the stranger by our key": lambda rpc, ours, stranger, account: good_by(rpc, ours, account, iss=stranger.issuer),
    "scopes that are none": lambda rpc, ours, _, account: good_by(rpc, ours, account, scope=["vault", "feed"]),
    "by the stranger's key": by_the_wrong_key,
    "unsigned": unsigned,
    "huge": lambda rpc, ours, _, account: good_by(rpc, ours, account, more="x" * 5_000),
    "none": lambda *_: "",
    "garbage": lambda *_: "a.b.c",
}


def told_for(owner: HandOwner, rpc: str, token: str, request: Message) -> Told:
    owner.metadata = owner.tenant_metadata = bearing(token)
    with pytest.raises(Told) as told:
        owner.call(rpc, request)
    require_clean(told.value)
    return told.value


def empty(rpc: str) -> Message:
    """A request whose fields are all missing, which only a caller may be told."""
    kind: Callable[[], Message] = getattr(tenant_service_pb2 if rpc in TENANT_RPCS else pb, f"{rpc}Request")
    return kind()


@pytest.mark.parametrize("rpc", RPCS)
def test_bad_token_is_rejected_before_any_field_is_looked_at(abused: Abused, rpc: str) -> None:
    ours, stranger = abused.vault.tenant, abused.stranger
    texts = set()
    with HandOwner(abused.vault) as owner:
        for what, forge_any in BAD_TOKENS.items():
            told = told_for(owner, rpc, forge_any(rpc, ours, stranger, owner.account), empty(rpc))
            assert told.reason == "TOKEN_REJECTED", what
            texts.add((told.text, told.status.SerializeToString()))
        for what, forge in (NO_TENANT_TOKENS if rpc in TENANT_RPCS else NO_ACCOUNT_TOKENS).items():
            told = told_for(owner, rpc, forge(ours, stranger, owner.account), empty(rpc))
            assert told.reason == "TOKEN_REJECTED", what
            texts.add((told.text, told.status.SerializeToString()))
        assert len(texts) == 1, "what was wrong with it is not told"
        good = good_by(rpc, ours, owner.account)
        assert told_for(owner, rpc, good, empty(rpc)).reason == "INVALID_FIELD"  # control


@pytest.mark.parametrize(("rpc", "scope"), NEEDED_SCOPES.items())
def test_token_without_the_scope_is_told_so(abused: Abused, rpc: str, scope: str) -> None:
    others = {"vault", "feed", "erase", "reset", f"{scope}s", scope.upper()} - {scope}
    with HandOwner(abused.vault) as owner:
        owner.ready_for(rpc)
        request = owner.good_request(rpc)
        before = owner.vault_reply()
        good = owner.metadata, owner.tenant_metadata
        token = good_by(rpc, abused.vault.tenant, owner.account, scope=" ".join(sorted(others)))
        assert told_for(owner, rpc, token, request).reason == "SCOPE_MISSING"
        owner.metadata, owner.tenant_metadata = good
        assert owner.vault_reply() == before
        owner.call(rpc, request)


def test_tenant_reaches_accounts_of_its_own_only(abused: Abused) -> None:
    with HandOwner(abused.vault) as owner:
        owner.enroll()
        own_cursor = owner.cursor()
        request = owner.good_request("EraseAccount")
        ours = owner.tenant_metadata
        owner.tenant_metadata = bearing(tenant_token(abused.stranger))
        with pytest.raises(Told, match="FAILED_PRECONDITION"):
            owner.call("EraseAccount", request)
        asked = tenant_service_pb2.ListTenantEventsRequest(nonce=os.urandom(32))
        page = tenant_service_pb2.ListTenantEventsReply.FromString(owner.call("ListTenantEvents", asked).reply)
        assert (page.tenant, list(page.events)) == ("other", [])
        asked.cursor = own_cursor
        with pytest.raises(Told) as told:
            owner.call("ListTenantEvents", asked)
        assert told.value.reason == "INVALID_FIELD"
        owner.tenant_metadata = ours
        assert not owner.vault_reply().HasField("account_erase_time")
        owner.call("ListTenantEvents", asked)


def test_page_token_is_of_one_account_of_one_tenant(abused: Abused) -> None:
    with HandOwner(abused.vault) as alice:
        alice.enroll()
        for _ in range(40):
            alice.store(b"again")
        token = alice.events().next_page_token
        assert token
        for tenant, account in ((abused.stranger, alice.account), (abused.vault.tenant, f"{alice.account}2")):
            with HandOwner(abused.vault, account) as other:
                other.metadata = bearing(account_token(tenant, account))
                with pytest.raises(Told) as told:
                    other.events(token)
                assert told.value.reason == "INVALID_FIELD"
        assert alice.events(token).events
