"""A keeper whose clock is not known to be right, or is wrong: what it begins, judges, and whom it lets in at all."""

from __future__ import annotations

import pytest

from strongroom.keeper.v1 import frames_pb2
from tests.fakes.desk import Desk, Refused, refused_for
from tests.fakes.person import Person, open_release

UNTRUSTED = "ClockUntrusted"


def test_nothing_is_begun(alice: Person) -> None:
    alice.desk.clock.trusted = False
    with refused_for(UNTRUSTED):
        alice.begin_release()
    with refused_for(UNTRUSTED):
        Person(alice.desk, "bob").enroll()


def test_nothing_is_judged_and_the_ceremony_stays_good(alice: Person) -> None:
    ceremony = alice.begin_release()
    before = alice.desk.row("alice")
    alice.desk.clock.trusted = False
    with refused_for(UNTRUSTED):
        alice.complete(ceremony)
    assert alice.desk.row("alice") == before
    alice.desk.clock.trusted = True
    alice.complete(ceremony)


def test_account_is_still_told_of_its_record_and_of_the_service(desk: Desk, alice: Person) -> None:
    desk.clock.trusted = False
    assert desk.describe("alice").attempts_left == 10
    assert desk.service_info("alice").rp_id == desk.tenant.rp_id
    assert desk.list_events("alice").events


def test_answer_to_what_was_committed_is_still_given(alice: Person) -> None:
    ceremony = alice.begin_release()
    alice.complete(ceremony)
    alice.desk.clock.trusted = False
    assert open_release(ceremony, alice.fulfil(ceremony))


def test_probe_tells_of_it(desk: Desk) -> None:
    for trusted in (True, False):
        desk.clock.trusted = trusted
        assert desk.call(frames_pb2.KeeperCall(probe=frames_pb2.ProbeCall())).probe.clock_trusted is trusted


def test_keeper_is_not_replaced_for_its_hosts_clock(alice: Person) -> None:
    alice.desk.clock.trusted = False
    with pytest.raises(Refused):
        alice.begin_release()
    assert not alice.desk.handler.spent


MINUTE, HOUR = 60, 3_600


@pytest.mark.parametrize(
    ("wrong_by", "let_in"),
    [
        (0, True),
        (HOUR + 4, True),
        (HOUR + 5, False),
        (30 * 24 * HOUR, False),
        (-MINUTE, True),
        (-MINUTE - 1, False),
        (-24 * HOUR, False),
    ],
)
def test_clock_that_is_wrong_by_more_than_an_account_token_lasts_lets_nobody_in(
    alice: Person, wrong_by: int, *, let_in: bool
) -> None:
    """Tokens are made by others' clocks: so no wait is over early, and none is begun too late, by more than an hour."""
    desk = alice.desk
    claims = {**desk.tenant.claims(now=desk.clock.now(), account="alice")}
    claims["exp"] = claims["iat"] + HOUR
    token = desk.tenant.sign({"alg": "ES256", "kid": "ec", "typ": "JWT"}, claims)
    desk.clock.advance(seconds=wrong_by)
    call = frames_pb2.DescribeRecordCall(account_token=token, nonce=bytes(32), row=desk.row("alice"))
    if let_in:
        assert desk.call(frames_pb2.KeeperCall(describe_record=call)).signed.reply
    else:
        with refused_for("TOKEN_REJECTED"):
            desk.call(frames_pb2.KeeperCall(describe_record=call))
