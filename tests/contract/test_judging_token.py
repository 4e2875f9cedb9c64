"""The keeper's whole way on each token: what the rules promise must not depend on who holds the keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from strongroom.v1 import resources_pb2
from strongroom_service.domain.policy import OnExhaustion, Policy
from strongroom_service.keeper.token.port import Token
from tests.fakes.desk import Desk, refused_for
from tests.fakes.passkey import Forgery
from tests.fakes.person import Person
from tests.fakes.tenant import FakeTenant
from tests.fakes.token import FakeToken


@pytest.fixture(params=["fake", "softhsm_token", "softhsm_derived_token", "nss_token"])
def alice(request: pytest.FixtureRequest, tmp_path: Path) -> Person:
    token: Token = FakeToken() if request.param == "fake" else request.getfixturevalue(request.param)
    policy = Policy(on_exhaustion=OnExhaustion.DESTROY, cool_down_seconds=())
    return Person(Desk(tmp_path, tenant=FakeTenant(policy=policy), token=token))


def test_enroll_release_store_delete(alice: Person) -> None:
    alice.enroll(b"first" * 3_000)
    assert [each.envelope for each in alice.release(opened=2)] == [b"first" * 3_000]
    alice.complete(alice.begin_store(), envelope=b"second")
    assert [each.envelope for each in alice.release()] == [b"second", b"first" * 3_000]
    alice.complete(alice.begin_delete())
    assert len(alice.desk.list_events("alice").events) == 6


def test_ten_wrong_signatures_exhaust(alice: Person) -> None:
    alice.enroll()
    for _ in range(10):
        with refused_for("NOT_VERIFIED"):
            alice.release(forgery=Forgery(unsigned=True))
    shown = alice.desk.describe("alice")
    assert (shown.state, list(shown.archives)) == (resources_pb2.VAULT_STATE_EXHAUSTED, [])
    with refused_for("VAULT_EXHAUSTED"):
        alice.begin_release()


def test_restarted_keeper_goes_on_and_refuses_what_is_not_the_accounts(alice: Person) -> None:
    alice.enroll()
    alice.desk.restart()
    assert len(alice.release()) == 1
    bob = Person(alice.desk, "bob")
    bob.enroll()
    with refused_for("RecordRejected"):
        alice.begin_release(row=alice.desk.row("bob"))
    assert not alice.desk.handler.spent
