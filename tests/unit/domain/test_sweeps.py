"""Sweeping: what is due is made durable, once, with an event; grants of orders, which no passkey signed."""

from __future__ import annotations

from dataclasses import replace

from strongroom_service.domain.ceremonies import ORDERS, Operation
from strongroom_service.domain.events import NO_EVIDENCE, Outcome, Swept
from strongroom_service.domain.orders import ACCOUNT_ERASURE_SECONDS
from strongroom_service.domain.records import MAX_GRANTS, VaultState
from tests.fakes.account import (
    OTHER_PASSKEY,
    POLICY,
    REGISTER,
    STORE,
    WRONG,
    Account,
)

DAY = 86_400
WAIT = 30 * DAY
OTHERS = [each for each in Operation if each not in ORDERS]
OTHER_NONCE = b"M" * 32


def enrolled() -> Account:
    account = Account()
    account.enroll(confirm=True)
    return account


def test_sweep_makes_durable_that_what_is_set_aside_is_gone() -> None:
    account = enrolled()
    account.fail(2)
    account.order(Operation.RESET)
    account.complete(account.begin(REGISTER), credential_id=OTHER_PASSKEY)
    account.complete(account.begin(STORE), WRONG, credential_id=OTHER_PASSKEY)
    account.wait(seconds=WAIT)
    before = account.held
    decided = account.sweep()
    assert decided is not None
    record = account.held
    assert (record.set_aside, record.state, record.version) == (None, VaultState.INERT, before.version + 1)
    assert (record.credentials, record.ledger) == (before.credentials, before.ledger)
    event = account.events[-1]
    assert (event.operation, event.outcome, event.reason, event.at) == (
        Operation.SWEEP,
        Outcome.GRANTED,
        "",
        account.now,
    )
    assert (event.version, event.swept, event.failures) == (record.version, (Swept.SET_ASIDE,), 1)
    assert event.evidence == NO_EVIDENCE
    assert account.sweep() is None


def test_sweep_before_the_time_erases_nothing() -> None:
    account = enrolled()
    assert account.sweep() is None
    account.order(Operation.RESET)
    account.wait(seconds=60)
    account.order(Operation.ERASE_ACCOUNT, nonce=OTHER_NONCE)
    account.wait(seconds=WAIT - 61)
    before = account.held
    assert account.sweep() is None
    assert account.held == before
    account.wait(seconds=1)
    account.sweep()
    assert account.events[-1].swept == (Swept.SET_ASIDE,)
    account.wait(seconds=59)
    assert account.sweep() is None
    account.wait(seconds=1)
    account.sweep()
    assert account.events[-1].swept == (Swept.ACCOUNT,)


def test_sweep_keeps_the_grants_that_have_not_ended() -> None:
    account = Account(policy=replace(POLICY, reset_grace_seconds=DAY))
    account.enroll()
    account.order(Operation.RESET)
    account.wait(seconds=DAY - 60)
    account.complete(account.begin(REGISTER), credential_id=OTHER_PASSKEY)
    account.complete(account.begin(STORE), credential_id=OTHER_PASSKEY)
    account.wait(seconds=61)
    account.sweep()
    assert [grant.operation for grant in account.held.grants] == [Operation.REGISTER, Operation.STORE]
    account.order(Operation.ERASE_ACCOUNT)
    account.wait(seconds=WAIT)
    account.sweep()
    assert account.held.grants == ()


def test_sweep_drops_the_grants_that_have_ended() -> None:
    account = Account(policy=replace(POLICY, reset_grace_seconds=DAY))
    account.enroll()
    account.order(Operation.RESET)
    account.complete(account.begin(REGISTER), credential_id=OTHER_PASSKEY)
    account.complete(account.begin(STORE), credential_id=OTHER_PASSKEY)
    account.wait(seconds=DAY)
    assert account.held.grants
    account.sweep()
    assert account.held.grants == ()


def test_orders_grants_are_bounded_and_end_after_two_minutes() -> None:
    account = enrolled()
    for number in range(MAX_GRANTS):
        account.order(Operation.ERASE_ACCOUNT, nonce=bytes([2 * number]) * 32)
        account.order(Operation.CANCEL_ERASE_ACCOUNT, nonce=bytes([2 * number + 1]) * 32)
        assert len(account.held.grants) <= MAX_GRANTS
    assert account.held.grants[-1].challenge == bytes([2 * MAX_GRANTS - 1]) * 32
    account.wait(seconds=120)
    account.order(Operation.ERASE_ACCOUNT, nonce=OTHER_NONCE)
    assert [grant.challenge for grant in account.held.grants] == [OTHER_NONCE]
    grant = account.held.grants[0]
    assert (grant.credential_id, grant.recipient, grant.archive_versions) == (b"", b"", ())
    assert (grant.expires_at, grant.effect_at) == (account.now + 120_000, account.held.account_erase_at)
    assert (grant.version, grant.chain_head) == (account.held.version, account.held.chain_head)


def test_wait_is_of_thirty_days() -> None:
    assert ACCOUNT_ERASURE_SECONDS == WAIT
