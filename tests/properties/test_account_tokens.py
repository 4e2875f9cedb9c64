from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from strongroom_service.config.tenant_file import Tenants
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Reason, Refusal
from strongroom_service.tokens.account_tokens import AccountTokenVerifier
from tests.fakes.tenant import AUDIENCE, FakeTenant

NOW = Millis(1_800_000_000_000)
TENANT = FakeTenant()
TOKEN = TENANT.token(now=NOW)
HEADER = {"alg": "ES256", "kid": "ec"}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["iss", "sub", "aud", "exp", "iat", "nbf", "scope", "alg", "kid", "typ", "crit", "jti"])
documents = st.dictionaries(names, json_values)


def outcome(token: str) -> Reason | None:
    """The reason of the refusal; every other exception fails the test."""
    try:
        AccountTokenVerifier(Tenants([TENANT.tenant()]), AUDIENCE).verify(token, now=NOW)
    except Refusal as refusal:
        return refusal.reason
    return None


@given(st.text(st.characters(exclude_categories=[])) | st.from_regex(r"[A-Za-z0-9_.-]*", fullmatch=True))
def test_any_text_is_refused_and_nothing_else_happens(text: str) -> None:
    assert outcome(text) is Reason.TOKEN_REJECTED


@given(documents, documents)
def test_any_signed_content_is_accepted_or_refused(header: dict[str, object], claims: dict[str, object]) -> None:
    good = json.dumps({**TENANT.claims(now=NOW), **claims}).encode("utf-8", "surrogatepass")

    assert outcome(TENANT.sign(json.dumps({**HEADER, **header}).encode(), good)) in {None, Reason.TOKEN_REJECTED}


@given(st.integers(0, len(TOKEN) - 1), st.characters(max_codepoint=0x7F))
def test_no_single_character_can_be_changed(position: int, sign: str) -> None:
    changed = TOKEN[:position] + sign + TOKEN[position + 1 :]

    assert outcome(changed) is (None if changed == TOKEN else Reason.TOKEN_REJECTED)
