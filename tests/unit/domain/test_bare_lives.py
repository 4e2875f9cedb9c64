"""What the rules leave for others to fill in, and what they leave out by themselves and not by their callers' care."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom_service.domain.ceremonies import Operation
from strongroom_service.domain.clock import Discipline, Millis
from strongroom_service.domain.credentials import PolicyViolated, PolicyViolation
from strongroom_service.domain.errors import ClockUntrusted, Reason, Refusal
from strongroom_service.domain.events import Evidence
from strongroom_service.domain.lives import revive_set_aside, set_aside
from strongroom_service.domain.orders import Order, decide_order
from strongroom_service.domain.records import GENESIS_HEAD
from strongroom_service.domain.steady_clock import ClockAnchor, SteadyClock, check_synchronised
from tests.fakes.account import OTHER_PASSKEY, REGISTER, RELEASE, STORE, Account


def reset_and_enrolled_anew() -> Account:
    account = Account()
    account.enroll()
    account.order(Operation.RESET)
    account.complete(account.begin(REGISTER), credential_id=OTHER_PASSKEY)
    account.complete(account.begin(STORE), credential_id=OTHER_PASSKEY)
    return account


def test_chain_heads_are_filled_in_by_the_commit() -> None:
    account = Account()
    account.enroll()
    order = Order(operation=Operation.ERASE_ACCOUNT, nonce=bytes(32), now=account.now)
    assert decide_order(account.held, order).record.grants[-1].chain_head == GENESIS_HEAD
    release = account.complete(account.begin(RELEASE), commit=False)
    assert release is not None
    assert release.record.grants[-1].chain_head == GENESIS_HEAD
    assert revive_set_aside(reset_and_enrolled_anew().held).chain_head == GENESIS_HEAD


def test_registration_fills_in_what_its_reply_and_its_event_need() -> None:
    account = Account()
    statement = account.begin(REGISTER)
    decided = account.complete(statement, commit=False)
    assert decided is not None
    record, event = decided.record, decided.event
    assert (record.tenant, record.account, record.chain_head) == ("notes", "alice", GENESIS_HEAD)
    (grant,) = record.grants
    assert (grant.version, grant.recipient, grant.archive_versions) == (1, b"", ())
    assert (event.version, event.at, event.reason) == (1, account.now, "")
    assert event.evidence == Evidence(ceremony=statement.request_bytes, assertion=None, attestation=None, cose_key=b"")


def test_nothing_is_set_aside_inside_of_what_is_set_aside() -> None:
    account = reset_and_enrolled_anew()
    aside = set_aside(replace(account.held, account_erase_at=account.now), now=account.now)
    assert (aside.record.set_aside, aside.record.account_erase_at, aside.record.grants) == (None, None, ())


def test_life_that_comes_back_brings_no_grants_and_nothing_set_aside() -> None:
    account = reset_and_enrolled_anew()
    assert account.held.set_aside is not None
    hoarding = replace(account.aside, grants=account.held.grants, set_aside=account.held.set_aside)
    spoilt = replace(account.held, set_aside=replace(account.held.set_aside, record=hoarding))
    assert (revive_set_aside(spoilt).grants, revive_set_aside(spoilt).set_aside) == ((), None)


def test_quarantine_in_the_newer_life_is_not_that_of_the_old_one() -> None:
    account = reset_and_enrolled_anew()
    regression = PolicyViolated(violation=PolicyViolation.COUNTER_REGRESSION)
    account.complete(account.begin(RELEASE), regression, credential_id=OTHER_PASSKEY)
    assert [each.quarantined for each in account.held.credentials] == [True]
    assert [each.quarantined for each in account.aside.credentials] == [False]
    assert account.events[-1].failures == 0


@pytest.mark.parametrize("text", ["1:-1", "x:1", "1:x"])
def test_anchor_that_is_none_says_what_is_expected(text: str) -> None:
    with pytest.raises(ValueError, match=r"^two times in milliseconds are expected$"):
        ClockAnchor.parse(text)


def test_clock_that_is_not_trusted_says_why() -> None:
    unkept = Discipline(synchronised=False, max_error=Millis(0))
    with pytest.raises(ClockUntrusted, match=r"^the kernel says that its clock is not synchronised$"):
        check_synchronised(unkept, tolerance=Millis(10))
    loose = Discipline(synchronised=True, max_error=Millis(11))
    with pytest.raises(ClockUntrusted, match=r"^the kernel's clock may be wrong by 11 ms$"):
        check_synchronised(loose, tolerance=Millis(10))


def test_what_is_not_there_is_told_as_nothing() -> None:
    account = Account()
    account.enroll()
    account.complete(account.begin(RELEASE))
    assert account.events[-1].envelope_sha256 == b""
    account.fail()
    assert account.held.ledger.cool_down_until == 0, "no cool-down follows the first failure"
    assert (Refusal(Reason.BUSY).detail, Refusal(Reason.BUSY).retry_after_ms) == ("", None)


def test_clock_of_the_first_millisecond_is_at_nothing() -> None:
    """It never goes back, but nothing was before the first look."""

    def nothing() -> Millis:
        return Millis(0)

    anchor = ClockAnchor(wall=Millis(0), running=Millis(0))
    clock = SteadyClock(anchor=anchor, tolerance=Millis(5), wall=nothing, running=nothing, tell=lambda _: None)
    assert clock.now() == 0
