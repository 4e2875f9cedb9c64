"""Erasure of an account by its tenant: a wait that everybody sees, that only the tenant ends; and sweeping."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom_service.domain.ceremonies import ORDERS, Operation
from strongroom_service.domain.errors import Reason
from strongroom_service.domain.events import Outcome, Swept
from strongroom_service.domain.orders import Order, decide_order
from strongroom_service.domain.records import VaultState
from tests.fakes.account import (
    DELETE,
    OTHER_PASSKEY,
    POLICY,
    REGISTER,
    RELEASE,
    REOPEN_SET_ASIDE,
    STORE,
    Account,
)
from tests.unit.domain.refusing import refused

DAY = 86_400
WAIT = 30 * DAY
OTHERS = [each for each in Operation if each not in ORDERS]
OTHER_NONCE = b"M" * 32


def enrolled() -> Account:
    account = Account()
    account.enroll(confirm=True)
    return account


def pending() -> Account:
    account = enrolled()
    account.order(Operation.ERASE_ACCOUNT)
    return account


def test_erasure_waits_thirty_days_and_changes_nothing_meanwhile() -> None:
    account = enrolled()
    before = account.held
    decided = account.order(Operation.ERASE_ACCOUNT)
    assert decided is not None
    assert decided.refusal is None
    record = account.held
    assert record.account_erase_at == account.now + 1_000 * WAIT
    assert (record.state, record.credentials, record.archives, record.ledger) == (
        before.state,
        before.credentials,
        before.archives,
        before.ledger,
    )
    event = account.events[-1]
    assert (event.operation, event.outcome, event.erase_at) == (
        Operation.ERASE_ACCOUNT,
        Outcome.GRANTED,
        record.account_erase_at,
    )
    account.wait(seconds=WAIT - 1)
    account.complete(account.begin(RELEASE))


def test_erasure_takes_effect_by_time_alone_swept_or_not() -> None:
    account = pending()
    account.wait(seconds=WAIT - 1)
    ceremony = account.begin(RELEASE)
    account.wait(seconds=1)
    with refused(account, Reason.NO_VAULT):
        account.begin(RELEASE)
    with refused(account, Reason.NO_VAULT):
        account.complete(ceremony)
    with refused(account, Reason.NO_VAULT):
        account.order(Operation.RESET)
    assert account.held.archives, "nothing has made it durable yet"


def test_erasure_takes_everything_what_is_set_aside_included() -> None:
    account = enrolled()
    account.order(Operation.RESET)
    account.order(Operation.ERASE_ACCOUNT, nonce=OTHER_NONCE)
    account.complete(account.begin(REGISTER), credential_id=OTHER_PASSKEY)
    account.complete(account.begin(STORE), credential_id=OTHER_PASSKEY)
    account.fail(4, asking=REOPEN_SET_ASIDE)  # so that what is set aside is not due by itself
    account.wait(seconds=WAIT)
    version = account.held.version
    decided = account.sweep()
    assert decided is not None
    record = account.held
    assert (record.state, record.version, record.set_aside, record.account_erase_at) == (
        VaultState.ERASED,
        version + 1,
        None,
        None,
    )
    assert (record.credentials, record.archives, record.recovery_public_key, record.grants) == ((), (), b"", ())
    assert account.events[-1].swept == (Swept.ACCOUNT,)


def test_account_erased_can_enroll_again_and_its_versions_go_on() -> None:
    account = pending()
    account.wait(seconds=WAIT)
    version = account.held.version
    account.complete(account.begin(REGISTER), credential_id=OTHER_PASSKEY)
    assert (account.held.version, account.held.life, account.held.state) == (version + 1, 2, VaultState.INERT)
    assert account.held.account_erase_at is None
    assert account.events[-1].swept == (Swept.ACCOUNT,)


@pytest.mark.parametrize("state", ["none", "deleted", "exhausted", "erased", "empty"])
def test_nothing_to_erase_is_said(state: str) -> None:
    account = Account(policy=replace(POLICY, cool_down_seconds=()))
    if state != "none":
        account.enroll()
    if state == "deleted":
        account.complete(account.begin(DELETE))
    if state == "exhausted":
        account.fail(10)
    if state == "erased":
        account.order(Operation.ERASE_ACCOUNT, nonce=OTHER_NONCE)
        account.wait(seconds=WAIT)
    if state == "empty":
        account.order(Operation.RESET)
        account.wait(seconds=WAIT)
    with refused(account, Reason.NO_VAULT):
        account.order(Operation.ERASE_ACCOUNT)


def test_what_is_inert_or_set_aside_only_can_be_erased() -> None:
    """Who enrolled first for somebody else, and who reset, have that taken away by the tenant."""
    inert = Account()
    inert.complete(inert.begin(REGISTER))
    inert.order(Operation.ERASE_ACCOUNT)
    assert inert.held.account_erase_at is not None
    reset = enrolled()
    reset.order(Operation.RESET)
    reset.order(Operation.ERASE_ACCOUNT)
    assert reset.held.account_erase_at is not None


def test_second_erasure_is_refused_and_does_not_begin_the_wait_anew() -> None:
    account = pending()
    account.wait(seconds=DAY)
    with refused(account, Reason.ERASURE_PENDING):
        account.order(Operation.ERASE_ACCOUNT, nonce=OTHER_NONCE)


def test_same_nonce_is_answered_again_for_two_minutes_at_one_version() -> None:
    account = pending()
    version = account.held.version
    account.wait(seconds=119)
    assert account.order(Operation.ERASE_ACCOUNT) is None
    assert account.held.version == version
    account.wait(seconds=1)
    with refused(account, Reason.ERASURE_PENDING):
        account.order(Operation.ERASE_ACCOUNT)


def test_tenant_takes_it_back_while_it_waits() -> None:
    account = pending()
    account.wait(seconds=WAIT - 1)
    account.order(Operation.CANCEL_ERASE_ACCOUNT)
    assert account.held.account_erase_at is None
    event = account.events[-1]
    assert (event.operation, event.outcome, event.erase_at) == (
        Operation.CANCEL_ERASE_ACCOUNT,
        Outcome.GRANTED,
        None,
    )
    account.wait(seconds=WAIT)
    account.complete(account.begin(RELEASE))


def test_nothing_pending_nothing_to_take_back() -> None:
    account = Account()
    with refused(account, Reason.NO_ERASURE_PENDING):
        account.order(Operation.CANCEL_ERASE_ACCOUNT)
    account.enroll()
    with refused(account, Reason.NO_ERASURE_PENDING):
        account.order(Operation.CANCEL_ERASE_ACCOUNT)
    account.order(Operation.ERASE_ACCOUNT)
    account.wait(seconds=WAIT)
    with refused(account, Reason.NO_ERASURE_PENDING):
        account.order(Operation.CANCEL_ERASE_ACCOUNT)


@pytest.mark.parametrize("does", ["release", "fail", "delete", "register", "reset", "reopen", "exhaust"])
def test_nothing_that_an_account_does_takes_the_erasure_back(does: str) -> None:
    account = pending()
    erase_at = account.held.account_erase_at
    match does:
        case "release":
            account.complete(account.begin(RELEASE))
        case "fail":
            account.fail()
        case "exhaust":
            account.fail(10)
        case "delete":
            account.complete(account.begin(DELETE))
        case "register":
            account.complete(account.begin(DELETE))
            account.complete(account.begin(REGISTER))
        case _:
            account.order(Operation.RESET)
            assert account.aside.account_erase_at is None
            if does == "reopen":
                account.complete(account.begin(REOPEN_SET_ASIDE))
    assert account.held.account_erase_at == erase_at


@pytest.mark.parametrize("operation", OTHERS, ids=lambda operation: operation.value)
def test_nothing_else_is_done_without_a_ceremony(operation: Operation) -> None:
    account = enrolled()
    with pytest.raises(ValueError, match="is not done without a ceremony"):
        decide_order(account.held, Order(operation=operation, nonce=bytes(32), now=account.now))
