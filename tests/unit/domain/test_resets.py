"""A reset: an empty life at once, the old one set aside for its grace, and what may become of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom_service.domain.ceremonies import Operation, SetPolicy
from strongroom_service.domain.credentials import RecoveryVerified
from strongroom_service.domain.errors import Reason
from strongroom_service.domain.events import Outcome, Swept
from strongroom_service.domain.records import VaultState
from tests.fakes.account import (
    DELETE,
    LOCKING,
    OTHER_PASSKEY,
    OTHER_RECOVERY,
    POLICY,
    RECOVERY,
    REGISTER,
    RELEASE,
    REOPEN_SET_ASIDE,
    STORE,
    WRONG,
    Account,
)
from tests.unit.domain.refusing import refused

DAY = 86_400
GRACE = 30 * DAY
OTHER_NONCE = b"M" * 32


def reset_vault(*, failures: int = 0) -> Account:
    """Two archives, one of them confirmed, three releases; then reset."""
    account = Account()
    account.enroll(confirm=True)
    account.complete(account.begin(STORE))
    account.complete(account.begin(RELEASE))
    account.complete(account.begin(RELEASE))
    account.fail(failures)
    account.order(Operation.RESET)
    return account


def enroll_anew(account: Account) -> None:
    """A newer life with another passkey and another recovery credential."""
    register = replace(REGISTER, recovery_public_key=OTHER_RECOVERY)
    account.complete(account.begin(register), credential_id=OTHER_PASSKEY)
    account.complete(account.begin(STORE), credential_id=OTHER_PASSKEY)


def end(account: Account, how: str) -> None:
    if how == "deleted":
        account.complete(account.begin(DELETE), credential_id=OTHER_PASSKEY)
        return
    while account.held.state is VaultState.LIVE:
        account.wait(seconds=DAY)
        account.complete(account.begin(STORE), WRONG, credential_id=OTHER_PASSKEY)


def test_empty_life_starts_at_once_and_the_old_one_is_kept_inside() -> None:
    account = Account()
    account.enroll(confirm=True)
    old = account.held
    decided = account.order(Operation.RESET)
    assert decided is not None
    assert decided.refusal is None
    record = account.held
    assert (record.state, record.version, record.life) == (VaultState.EMPTY, old.version + 1, old.life)
    assert (record.credentials, record.archives, record.recovery_public_key) == ((), (), b"")
    assert (record.ledger.failures, record.ledger.releases) == (0, 0)
    assert (account.aside.credentials, account.aside.archives, account.aside.ledger) == (
        old.credentials,
        old.archives,
        old.ledger,
    )
    assert account.aside.recovery_public_key == RECOVERY
    assert record.set_aside is not None
    assert (record.set_aside.set_aside_at, record.set_aside.erase_at) == (account.now, account.now + 1_000 * GRACE)


def test_event_of_a_reset_says_when_the_old_state_will_be_erased() -> None:
    account = reset_vault(failures=2)
    assert account.held.set_aside is not None
    event = account.events[-1]
    assert (event.operation, event.outcome, event.version) == (
        Operation.RESET,
        Outcome.GRANTED,
        account.held.version,
    )
    assert (event.erase_at, event.failures, event.at) == (account.held.set_aside.erase_at, 0, account.now)
    assert (event.evidence.ceremony, event.evidence.assertion, event.reason) == (b"", None, "")


def test_grants_of_the_old_life_end_with_the_reset() -> None:
    account = reset_vault()
    assert [grant.operation for grant in account.held.grants] == [Operation.RESET]
    assert account.aside.grants == ()


@pytest.mark.parametrize("state", ["none", "inert", "deleted", "exhausted", "empty"])
def test_reset_sets_aside_what_is_live_and_nothing_else(state: str) -> None:
    account = Account(policy=replace(POLICY, cool_down_seconds=()))
    if state == "inert":
        account.complete(account.begin(REGISTER))
    elif state != "none":
        account.enroll()
    if state == "deleted":
        account.complete(account.begin(DELETE))
    if state == "exhausted":
        account.fail(10)
    if state == "empty":
        account.order(Operation.RESET)
        account.record = replace(account.held, set_aside=None, grants=())
    with refused(account, Reason.VAULT_EXHAUSTED if state == "exhausted" else Reason.NO_VAULT):
        account.order(Operation.RESET)


def test_no_second_reset_while_one_is_pending() -> None:
    """A thief of logins would else reset twice, and what the first one set aside were gone."""
    account = reset_vault()
    with refused(account, Reason.RESET_PENDING):
        account.order(Operation.RESET, nonce=OTHER_NONCE)
    enroll_anew(account)
    with refused(account, Reason.RESET_PENDING):
        account.order(Operation.RESET, nonce=OTHER_NONCE)
    account.wait(seconds=GRACE)
    account.order(Operation.RESET, nonce=OTHER_NONCE)
    assert [each.credential_id for each in account.aside.credentials] == [OTHER_PASSKEY]
    assert account.events[-1].swept == (Swept.SET_ASIDE,)


def test_same_nonce_is_answered_again_for_two_minutes_and_no_longer() -> None:
    account = reset_vault()
    version = account.held.version
    account.wait(seconds=119)
    assert account.order(Operation.RESET) is None
    assert account.held.version == version
    assert account.held.grants[-1].effect_at == account.events[-1].erase_at
    account.wait(seconds=1)
    with refused(account, Reason.RESET_PENDING):
        account.order(Operation.RESET)


def test_same_nonce_for_another_order_is_another_order() -> None:
    account = reset_vault()
    assert account.order(Operation.ERASE_ACCOUNT) is not None


@pytest.mark.parametrize("failures", [0, 1, 4, 9])
def test_old_ledger_goes_along_and_reset_refills_nothing(failures: int) -> None:
    account = reset_vault(failures=failures)
    assert account.aside.ledger.failures == failures
    assert account.aside.ledger.releases == 3


def test_grace_starts_once_the_old_life_cools_down_no_longer() -> None:
    account = Account()
    account.enroll()
    account.fail(9)
    account.order(Operation.RESET)
    assert account.held.set_aside is not None
    assert account.held.set_aside.erase_at == account.now + 1_000 * (DAY + GRACE)
    with refused(account, Reason.COOLING_DOWN, seconds=DAY):
        account.begin(REOPEN_SET_ASIDE)


def test_grace_is_the_one_that_the_record_was_enrolled_with() -> None:
    account = Account(policy=replace(POLICY, reset_grace_seconds=DAY))
    account.enroll()
    account.policy = POLICY
    account.order(Operation.RESET)
    assert account.events[-1].erase_at == account.now + 1_000 * DAY


def test_failed_reopening_is_counted_in_the_old_ledger_only() -> None:
    account = reset_vault()
    enroll_anew(account)
    grants = account.held.grants
    account.complete(account.begin(REOPEN_SET_ASIDE), WRONG)
    assert (account.aside.ledger.failures, account.held.ledger.failures) == (1, 0)
    assert account.held.grants == grants
    event = account.events[-1]
    assert (event.outcome, event.failures, event.about_set_aside) == (Outcome.FAILED, 1, True)
    assert account.held.set_aside is not None
    assert event.erase_at == account.held.set_aside.erase_at


def test_grace_stands_still_during_the_cool_downs_of_failed_reopenings() -> None:
    account = reset_vault()
    assert account.held.set_aside is not None
    erase_at = account.held.set_aside.erase_at
    for waits in (0, 0, 0, 60, 300, 900, 3_600, 28_800, DAY):
        account.complete(account.begin(REOPEN_SET_ASIDE), WRONG)
        erase_at = type(erase_at)(erase_at + 1_000 * waits)
        assert account.held.set_aside.erase_at == erase_at
        if waits:
            with refused(account, Reason.COOLING_DOWN, seconds=waits):
                account.begin(REOPEN_SET_ASIDE)
        account.wait(seconds=waits)


def test_cool_down_of_the_old_life_is_none_of_the_newer_ones() -> None:
    account = reset_vault()
    enroll_anew(account)
    account.fail(4, asking=REOPEN_SET_ASIDE)
    account.complete(account.begin(RELEASE), credential_id=OTHER_PASSKEY)
    with refused(account, Reason.COOLING_DOWN, seconds=60):
        account.begin(REOPEN_SET_ASIDE)


def test_cool_down_of_the_newer_life_is_none_of_the_old_ones() -> None:
    account = reset_vault()
    enroll_anew(account)
    for _ in range(4):
        account.complete(account.begin(RELEASE), WRONG, credential_id=OTHER_PASSKEY)
    with refused(account, Reason.COOLING_DOWN):
        account.begin(RELEASE)
    account.complete(account.begin(REOPEN_SET_ASIDE))
    assert account.held.ledger.failures == 0


def test_budget_of_the_old_life_used_up_destroys_it_and_not_the_newer_one() -> None:
    account = reset_vault(failures=4)
    enroll_anew(account)
    account.fail(6, asking=REOPEN_SET_ASIDE)
    event = account.events[-1]
    assert (event.outcome, event.failures, event.about_set_aside, event.erase_at) == (
        Outcome.EXHAUSTED,
        10,
        True,
        None,
    )
    assert account.held.set_aside is None
    assert account.held.state is VaultState.LIVE
    account.complete(account.begin(RELEASE), credential_id=OTHER_PASSKEY)
    with refused(account, Reason.NO_VAULT):
        account.begin(REOPEN_SET_ASIDE)


def test_old_life_that_locks_is_closed_and_its_grace_stands_still() -> None:
    account = Account(policy=replace(LOCKING, cool_down_seconds=()))
    account.enroll()
    account.order(Operation.RESET)
    assert account.held.set_aside is not None
    erase_at = account.held.set_aside.erase_at
    account.fail(10, asking=REOPEN_SET_ASIDE)
    assert account.held.set_aside is not None
    assert account.held.set_aside.erase_at == erase_at + 1_000 * 7 * DAY
    assert account.events[-1].erase_at == account.held.set_aside.erase_at
    with refused(account, Reason.VAULT_CLOSED, seconds=7 * DAY):
        account.complete(account.begin(REOPEN_SET_ASIDE))
    account.wait(seconds=7 * DAY)
    account.complete(account.begin(REOPEN_SET_ASIDE))
    assert account.held.ledger.failures == 0


def test_recovery_credential_reopens_what_was_set_aside_closed_at_any_time() -> None:
    account = Account(policy=replace(LOCKING, cool_down_seconds=()))
    account.enroll()
    account.fail(10)
    account.order(Operation.RESET)
    account.complete(account.begin(REOPEN_SET_ASIDE), RecoveryVerified(), credential_id=RECOVERY)
    assert (account.held.state, account.held.ledger.failures, account.held.set_aside) == (VaultState.LIVE, 0, None)


def test_false_recovery_signatures_while_it_is_closed_move_no_grace() -> None:
    account = Account(policy=replace(LOCKING, cool_down_seconds=()))
    account.enroll()
    account.order(Operation.RESET)
    account.fail(10, asking=REOPEN_SET_ASIDE)
    assert account.held.set_aside is not None
    erase_at = account.held.set_aside.erase_at
    account.wait(seconds=DAY)
    account.complete(account.begin(REOPEN_SET_ASIDE), WRONG, credential_id=RECOVERY)
    assert account.held.set_aside.erase_at == account.events[-1].erase_at == erase_at


def test_limits_of_the_newer_life_shorten_no_grace() -> None:
    account = Account()
    account.enroll()
    account.order(Operation.RESET)
    aside = account.held.set_aside
    enroll_anew(account)
    shorter = SetPolicy(policy=replace(account.held.policy, reset_grace_seconds=DAY))
    account.complete(account.begin(shorter), credential_id=OTHER_PASSKEY)
    assert account.held.policy.reset_grace_seconds == DAY
    assert account.held.set_aside == aside
