from __future__ import annotations

import pytest

from strongroom_service.config.tenant_file import Tenant, Tenants
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Refusal
from strongroom_service.tokens.account_tokens import AccountTokenVerifier
from tests.fakes.tenant import AUDIENCE, FakeTenant
from tests.unit.tokens.asking import CLAIMS, HEADER, NOW, TENANT, verifier


class CountingTenants(Tenants):
    lookups = 0

    def issuing_as(self, issuer: str) -> Tenant | None:
        self.lookups += 1
        return super().issuing_as(issuer)


def test_verified_token_is_remembered_but_never_outlives_its_expiry() -> None:
    tenants = CountingTenants([TENANT.tenant()])
    checks = AccountTokenVerifier(tenants, AUDIENCE)
    token = TENANT.token(now=NOW)

    assert checks.verify(token, now=NOW) == checks.verify(token, now=Millis(NOW + 604_999))
    assert tenants.lookups == 1
    with pytest.raises(Refusal) as caught:
        checks.verify(token, now=Millis(NOW + 605_000))
    assert caught.value.detail == "expired"


def test_remembered_token_is_refused_before_its_time() -> None:
    checks = verifier()
    token = TENANT.token(now=NOW)
    checks.verify(token, now=NOW)

    with pytest.raises(Refusal) as caught:
        checks.verify(token, now=Millis(NOW - 60_001))
    assert caught.value.detail == "not valid yet"
    checks.verify(token, now=NOW)


def test_tokens_of_a_replaced_key_are_forgotten() -> None:
    checks = verifier()
    token = TENANT.token(now=NOW)
    checks.verify(token, now=NOW)
    successor = FakeTenant()

    checks.replace_tenants(Tenants([successor.tenant()]))

    with pytest.raises(Refusal):
        checks.verify(token, now=NOW)
    checks.verify(successor.token(now=NOW), now=NOW)


def test_refused_token_is_not_remembered_as_good() -> None:
    checks = verifier()
    token = FakeTenant().sign(HEADER, CLAIMS)

    for _ in range(2):
        with pytest.raises(Refusal):
            checks.verify(token, now=NOW)


def test_refused_token_is_looked_into_once_and_refused_alike_ever_after() -> None:
    tenants = CountingTenants([TENANT.tenant()])
    checks = AccountTokenVerifier(tenants, AUDIENCE)
    token = FakeTenant().sign(HEADER, CLAIMS)
    details = set()
    for _ in range(3):
        with pytest.raises(Refusal) as caught:
            checks.verify(token, now=NOW)
        details.add(caught.value.detail)
    assert (len(details), tenants.lookups) == (1, 1)


def test_token_that_is_only_early_or_late_is_not_remembered_as_refused() -> None:
    checks = verifier()
    token = TENANT.token(now=NOW)
    for moment in (NOW - 60_001, NOW + 605_000):
        with pytest.raises(Refusal):
            checks.verify(token, now=Millis(moment))
    checks.verify(token, now=NOW)


def test_token_of_a_new_key_is_taken_though_it_was_refused_before() -> None:
    checks, successor = verifier(), FakeTenant()
    token = successor.token(now=NOW)
    with pytest.raises(Refusal):
        checks.verify(token, now=NOW)
    checks.replace_tenants(Tenants([successor.tenant()]))
    checks.verify(token, now=NOW)


def test_memory_of_refused_tokens_is_bounded() -> None:
    tenants = CountingTenants([TENANT.tenant()])
    checks = AccountTokenVerifier(tenants, AUDIENCE, cache_size=2)
    stranger = FakeTenant()
    tokens = [stranger.token(now=NOW, account=name) for name in ("a", "b", "c")]
    for token in (*tokens, tokens[0]):
        with pytest.raises(Refusal):
            checks.verify(token, now=NOW)
    assert tenants.lookups == 4


def test_memory_is_bounded_and_the_least_used_token_goes_first() -> None:
    tenants = CountingTenants([TENANT.tenant()])
    checks = AccountTokenVerifier(tenants, AUDIENCE, cache_size=2)
    first, second, third = (TENANT.token(now=NOW, account=name) for name in ("a", "b", "c"))

    for token in (first, second, first, third, first):
        checks.verify(token, now=NOW)
    assert tenants.lookups == 3
    checks.verify(second, now=NOW)

    assert tenants.lookups == 4


def test_cache_is_keyed_by_the_whole_token() -> None:
    checks = verifier()
    token = TENANT.token(now=NOW)
    checks.verify(token, now=NOW)
    forged = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")

    with pytest.raises(Refusal):
        checks.verify(forged, now=NOW)
