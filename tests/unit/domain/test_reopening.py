"""What a reset has set aside: who brings it back, what comes back with it, and what it outlives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom_service.domain.ceremonies import Operation, Parameters
from strongroom_service.domain.credentials import PolicyViolated, PolicyViolation, RecoveryVerified, Verified
from strongroom_service.domain.errors import Reason
from strongroom_service.domain.events import Outcome, Swept
from strongroom_service.domain.records import VaultState
from tests.fakes.account import (
    ADD,
    DELETE,
    LOCKING,
    OTHER_PASSKEY,
    OTHER_RECOVERY,
    PASSKEY,
    POLICY,
    RECOVERY,
    REGISTER,
    RELEASE,
    REOPEN_CLOSED,
    REOPEN_SET_ASIDE,
    SET_RECOVERY,
    STORE,
    WRONG,
    Account,
)
from tests.unit.domain.refusing import invalid, refused

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


@pytest.mark.parametrize(
    "parameters", [RELEASE, STORE, DELETE, SET_RECOVERY, ADD], ids=lambda each: type(each).__name__
)
def test_what_is_set_aside_can_be_reopened_and_nothing_else(parameters: Parameters) -> None:
    account = reset_vault()
    with refused(account, Reason.NO_VAULT):
        account.begin(parameters)


def test_release_from_the_newer_life_gives_the_newer_envelopes_only() -> None:
    account = reset_vault()
    enroll_anew(account)
    newest = account.held.version
    account.complete(account.begin(RELEASE, opened=2), credential_id=OTHER_PASSKEY)
    assert account.events[-1].archive_versions == (newest,)
    assert [each.archive_version for each in account.aside.archives] == [4, 2]


def test_credential_of_the_old_life_is_nothing_in_the_newer_one() -> None:
    account = reset_vault()
    enroll_anew(account)
    for credential_id in (PASSKEY, RECOVERY):
        ceremony = account.begin(RELEASE)
        with refused(account, Reason.NOT_VERIFIED):
            account.complete(ceremony, credential_id=credential_id)


def test_credential_of_the_newer_life_reopens_nothing() -> None:
    account = reset_vault()
    enroll_anew(account)
    for credential_id in (OTHER_PASSKEY, OTHER_RECOVERY):
        ceremony = account.begin(REOPEN_SET_ASIDE)
        with refused(account, Reason.NOT_VERIFIED):
            account.complete(ceremony, credential_id=credential_id)


@pytest.mark.parametrize("by", [PASSKEY, RECOVERY])
def test_reopening_brings_the_old_life_back_and_drops_the_newer(by: bytes) -> None:
    account = reset_vault(failures=3)
    old = account.aside
    enroll_anew(account)
    version, life = account.held.version, account.held.life
    checked = RecoveryVerified() if by == RECOVERY else Verified(sign_count=7, backup_state=False)
    account.complete(account.begin(REOPEN_SET_ASIDE), checked, credential_id=by)
    record = account.held
    assert (record.state, record.version, record.life) == (VaultState.LIVE, version + 1, life + 1)
    assert [each.credential_id for each in record.credentials] == [PASSKEY]
    assert record.credentials[0].sign_count == (0 if by == RECOVERY else 7)
    assert (record.archives, record.policy, record.recovery_public_key) == (old.archives, old.policy, RECOVERY)
    assert record.set_aside is None
    assert [grant.operation for grant in record.grants] == [Operation.REOPEN]
    event = account.events[-1]
    assert (event.operation, event.outcome, event.about_set_aside) == (Operation.REOPEN, Outcome.GRANTED, True)
    assert (event.failures, event.erase_at) == (0, None)


def test_reopening_refills_no_quota() -> None:
    account = Account(policy=replace(POLICY, releases_per_day=3))
    account.enroll()
    for _ in range(3):
        account.complete(account.begin(RELEASE))
    account.order(Operation.RESET)
    account.complete(account.begin(REOPEN_SET_ASIDE))
    assert account.held.ledger.releases == 3
    with refused(account, Reason.RELEASE_QUOTA):
        account.begin(RELEASE)


def test_reopening_confirms_nothing_of_the_old_life() -> None:
    account = reset_vault()
    account.complete(account.begin(REOPEN_SET_ASIDE, opened=4))
    assert [(each.archive_version, each.confirmed) for each in account.held.archives] == [(4, False), (2, True)]


def test_reopened_life_can_be_reset_again() -> None:
    account = reset_vault()
    account.complete(account.begin(REOPEN_SET_ASIDE))
    account.order(Operation.RESET, nonce=OTHER_NONCE)
    assert [each.credential_id for each in account.aside.credentials] == [PASSKEY]


@pytest.mark.parametrize("how", ["deleted", "exhausted", "registered"])
def test_what_is_set_aside_outlives_the_newer_life(how: str) -> None:
    """A thief of logins could else reset, enroll, and end that life at once with what a reset must keep."""
    account = reset_vault()
    kept = account.aside
    enroll_anew(account)
    if how != "registered":
        end(account, how)
        assert account.held.state.value == how
        assert account.aside == kept
        account.complete(account.begin(REGISTER), credential_id=OTHER_PASSKEY)
    assert account.aside == kept
    account.complete(account.begin(REOPEN_SET_ASIDE))
    assert account.held.archives == kept.archives


def test_quarantine_of_an_old_passkey_stays_with_the_old_life() -> None:
    account = reset_vault(failures=2)
    enroll_anew(account)
    account.complete(account.begin(REOPEN_SET_ASIDE), PolicyViolated(violation=PolicyViolation.COUNTER_REGRESSION))
    assert [each.quarantined for each in account.aside.credentials] == [True]
    assert [each.quarantined for each in account.held.credentials] == [False]
    event = account.events[-1]
    assert (event.outcome, event.reason, event.about_set_aside) == (Outcome.REFUSED, "counter_regression", True)


def test_event_of_a_refused_reopening_has_the_count_of_the_old_life() -> None:
    account = reset_vault(failures=2)
    account.complete(account.begin(REOPEN_SET_ASIDE), PolicyViolated(violation=PolicyViolation.ORIGIN))
    assert (account.events[-1].failures, account.aside.ledger.failures) == (2, 2)


def test_grace_ends_to_the_second_swept_or_not() -> None:
    account = reset_vault()
    account.wait(seconds=GRACE - 1)
    ceremony = account.begin(REOPEN_SET_ASIDE)
    account.wait(seconds=1)
    with refused(account, Reason.NO_VAULT):
        account.begin(REOPEN_SET_ASIDE)
    with refused(account, Reason.NO_VAULT):
        account.complete(ceremony)
    assert account.aside.archives, "nothing has made it durable yet"
    account.complete(account.begin(REGISTER), credential_id=OTHER_PASSKEY)
    assert account.held.set_aside is None
    assert account.events[-1].swept == (Swept.SET_ASIDE,)


def test_nothing_set_aside_nothing_to_reopen() -> None:
    account = Account()
    with refused(account, Reason.NO_VAULT):
        account.begin(REOPEN_SET_ASIDE)
    account.enroll()
    with refused(account, Reason.NO_VAULT):
        account.begin(REOPEN_SET_ASIDE)


def test_reset_of_a_closed_vault_waits_for_its_week_and_then_its_grace() -> None:
    account = Account(policy=replace(LOCKING, cool_down_seconds=()))
    account.enroll()
    account.fail(10)
    account.order(Operation.RESET)
    assert account.events[-1].erase_at == account.now + 1_000 * (7 * DAY + GRACE)
    with refused(account, Reason.NO_VAULT):
        account.begin(REOPEN_CLOSED)
    with refused(account, Reason.VAULT_CLOSED, seconds=7 * DAY):
        account.complete(account.begin(REOPEN_SET_ASIDE))
    enroll_anew(account)
    with invalid(account, "request.reopen.target"):
        account.begin(REOPEN_CLOSED)
