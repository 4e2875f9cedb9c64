from __future__ import annotations

import re

import pytest

from strongroom_service.config.tenant_file import Tenants
from strongroom_service.domain.errors import KeeperUnavailable, Reason, Refusal
from strongroom_service.domain.identifiers import record_id_of
from strongroom_service.front.caller import Admission, request_id_of
from strongroom_service.front.calls import Metadata
from strongroom_service.tokens.account_tokens import AccountTokenVerifier
from tests.fakes.clock import FakeClock
from tests.fakes.tenant import AUDIENCE, FakeTenant

ID_KEY = b"k" * 32
TENANT = FakeTenant()
CLOCK = FakeClock()
TOKEN = TENANT.token(now=CLOCK.now(), account="alice")


def admission() -> Admission:
    verifier = AccountTokenVerifier(Tenants([TENANT.tenant()]), AUDIENCE)
    return Admission(verifier=verifier, id_key=lambda: ID_KEY, clock=CLOCK)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_caller_with_a_good_token_is_led_to_its_record(scheme: str) -> None:
    admitted = admission().admit([("authorization", f"{scheme} {TOKEN}")], request_id="r")
    assert admitted.record_id == record_id_of(id_key=ID_KEY, tenant=TENANT.name, account="alice")
    assert admitted.tenant == TENANT.name
    assert (admitted.caller.account_token, admitted.caller.request_id) == (TOKEN, "r")


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        [("authorization", "")],
        [("authorization", "Bearer ")],
        [("authorization", TOKEN)],
        [("authorization", f"Basic {TOKEN}")],
        [("authorization", f"Bearer  {TOKEN}")],
        [("authorization", f"Bearer {TOKEN} ")],
        [("authorization", f"Bearer {TOKEN}"), ("authorization", f"Bearer {TOKEN}")],
        [("authorization", f"Bearer {TOKEN}".encode())],
        [("authorization-bin", f"Bearer {TOKEN}".encode())],
        [("proxy-authorization", f"Bearer {TOKEN}")],
    ],
)
def test_anything_but_one_bearer_token_is_rejected(metadata: Metadata) -> None:
    with pytest.raises(Refusal) as refused:
        admission().admit(metadata, request_id="r")
    assert refused.value.reason is Reason.TOKEN_REJECTED


def test_stranger_is_rejected_even_while_no_vault_is_open() -> None:
    def no_key() -> bytes:
        raise KeeperUnavailable("none")

    closed = Admission(verifier=AccountTokenVerifier(Tenants([TENANT.tenant()]), AUDIENCE), id_key=no_key, clock=CLOCK)
    with pytest.raises(Refusal):
        closed.admit([("authorization", "Bearer x")], request_id="r")
    with pytest.raises(KeeperUnavailable):
        closed.admit([("authorization", f"Bearer {TOKEN}")], request_id="r")


def test_token_is_not_in_the_repr_of_who_was_admitted() -> None:
    assert TOKEN not in repr(admission().admit([("authorization", f"Bearer {TOKEN}")], request_id="r"))


@pytest.mark.parametrize("given", ["a", "A-z_09", "x" * 64])
def test_fit_request_id_is_kept(given: str) -> None:
    assert request_id_of([("x-request-id", given)]) == given


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        [("x-request-id", "")],
        [("x-request-id", "x" * 65)],
        [("x-request-id", 'a"b')],
        [("x-request-id", "a\n")],
        [("x-request-id", "\u0661")],
        [("x-request-id", "a"), ("x-request-id", "b")],
        [("x-request-id", b"a")],
    ],
)
def test_request_id_that_is_not_fit_is_replaced_by_a_fresh_one(metadata: Metadata) -> None:
    first, second = request_id_of(metadata), request_id_of(metadata)
    assert re.fullmatch(r"[A-Za-z0-9_-]{16}", first)
    assert first != second
