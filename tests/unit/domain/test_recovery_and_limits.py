"""The recovery credential replaced, a passkey trusted again, other limits; and when none of it can be asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom_service.domain.ceremonies import (
    Attest,
    LiftQuarantine,
    Operation,
    Parameters,
    SetPolicy,
)
from strongroom_service.domain.credentials import PolicyViolated, PolicyViolation, RecoveryVerified, Verified
from strongroom_service.domain.errors import Reason
from strongroom_service.domain.events import Outcome
from strongroom_service.domain.policy import OnExhaustion, Policy
from strongroom_service.domain.preconditions import check_may_recover
from tests.fakes.account import (
    ADD,
    DELETE,
    LIFT,
    OTHER_PASSKEY,
    OTHER_RECOVERY,
    PASSKEY,
    POLICY,
    RECOVERY,
    REGISTER,
    RELEASE,
    REMOVE_FIRST,
    SET_RECOVERY,
    WRONG,
    Account,
    challenge_of,
)
from tests.unit.domain.refusing import invalid, refused

REGRESSION = PolicyViolated(violation=PolicyViolation.COUNTER_REGRESSION)
SET_POLICY = SetPolicy(policy=replace(POLICY, budget=3, cool_down_seconds=(5,)))
ATTEST = Attest(user_handle=bytes(32))


def with_two() -> Account:
    """A confirmed archive (2), and the one that let the other passkey in (4)."""
    account = Account()
    account.enroll(confirm=True)
    account.complete(account.begin(ADD))
    return account


def ids(account: Account) -> list[bytes]:
    return [each.credential_id for each in account.held.credentials]


def archives(account: Account) -> list[tuple[int, bool]]:
    return [(each.archive_version, each.confirmed) for each in account.held.archives]


# The recovery credential


def test_replaced_recovery_credential_may_do_nothing_any_more() -> None:
    account = Account()
    account.enroll(confirm=True)
    release = account.begin(RELEASE)
    account.complete(release, RecoveryVerified(), credential_id=RECOVERY)
    by_passkey = account.begin(RELEASE)
    account.complete(by_passkey)
    account.complete(account.begin(SET_RECOVERY))
    assert account.held.recovery_public_key == OTHER_RECOVERY
    assert archives(account) == [(account.held.version, False), (2, True)]
    answered = {grant.challenge for grant in account.held.grants}
    assert challenge_of(release) not in answered
    assert challenge_of(by_passkey) in answered
    with refused(account, Reason.NOT_VERIFIED):
        account.complete(account.begin(RELEASE), RecoveryVerified(), credential_id=RECOVERY)
    account.complete(account.begin(RELEASE), RecoveryVerified(), credential_id=OTHER_RECOVERY)


def test_recovery_credential_in_force_is_no_other() -> None:
    account = Account()
    account.enroll()
    with invalid(account, "request.set_recovery.recovery_public_key"):
        account.begin(replace(SET_RECOVERY, recovery_public_key=RECOVERY))


@pytest.mark.parametrize("operation", Operation, ids=lambda operation: operation.value)
def test_recovery_credential_releases_adds_reopens_and_no_more(operation: Operation) -> None:
    account = Account()
    if operation in {Operation.RELEASE, Operation.ADD_CREDENTIAL, Operation.REOPEN}:
        check_may_recover(operation)
        return
    with refused(account, Reason.NOT_VERIFIED):
        check_may_recover(operation)


# Quarantine


def quarantined() -> Account:
    account = with_two()
    account.complete(account.begin(RELEASE), Verified(sign_count=9, backup_state=True), credential_id=OTHER_PASSKEY)
    account.complete(account.begin(RELEASE), REGRESSION, credential_id=OTHER_PASSKEY)
    return account


def test_quarantine_is_lifted_and_the_counter_starts_anew() -> None:
    account = quarantined()
    assert [each.quarantined for each in account.held.credentials] == [False, True]
    account.complete(account.begin(LIFT))
    lifted = account.held.credentials[1]
    assert (lifted.quarantined, lifted.sign_count, lifted.backup_state) == (False, 0, True)
    assert account.held.credentials[0].credential_id == PASSKEY


def test_lifting_touches_the_one_passkey_only() -> None:
    account = quarantined()
    account.complete(account.begin(RELEASE), REGRESSION)
    account.complete(account.begin(LIFT), Verified(sign_count=4, backup_state=False))
    assert [(each.quarantined, each.sign_count) for each in account.held.credentials] == [(True, 4), (False, 0)]


@pytest.mark.parametrize("named", [PASSKEY, b"a passkey unknown"])
def test_passkey_that_is_not_in_quarantine_cannot_be_lifted(named: bytes) -> None:
    account = quarantined()
    with invalid(account, "request.lift_quarantine.credential_id"):
        account.begin(LiftQuarantine(credential_id=named))


# Policy


def test_policy_takes_effect_for_the_next_failure_and_all_of_it() -> None:
    account = Account()
    account.enroll()
    account.complete(account.begin(SET_POLICY))
    assert account.held.policy == SET_POLICY.policy
    account.fail(3)
    assert account.events[-1].outcome is Outcome.EXHAUSTED


def test_policy_is_set_by_a_good_assertion_only() -> None:
    account = Account()
    account.enroll()
    account.complete(account.begin(SET_POLICY), WRONG)
    account.complete(account.begin(SET_POLICY), PolicyViolated(violation=PolicyViolation.ORIGIN))
    assert account.held.policy == POLICY


def test_new_quota_counts_what_was_released_before() -> None:
    account = Account()
    account.enroll()
    account.complete(account.begin(RELEASE))
    account.complete(account.begin(SetPolicy(policy=replace(POLICY, releases_per_day=1))))
    with refused(account, Reason.RELEASE_QUOTA):
        account.begin(RELEASE)


def test_policy_may_come_to_lock_instead_of_destroying() -> None:
    account = Account()
    account.enroll()
    locking = Policy(on_exhaustion=OnExhaustion.LOCK, budget=1)
    account.complete(account.begin(SetPolicy(policy=locking)))
    account.fail()
    assert account.held.archives
    with refused(account, Reason.VAULT_CLOSED):
        account.begin(RELEASE)


# Before the first store, and without a vault


EVERY = [RELEASE, ATTEST, ADD, REMOVE_FIRST, SET_RECOVERY, LIFT, SET_POLICY]


@pytest.mark.parametrize("parameters", EVERY, ids=lambda each: type(each).__name__)
def test_inert_vault_is_for_storing_and_deleting_only(parameters: Parameters) -> None:
    account = Account()
    account.complete(account.begin(REGISTER))
    with refused(account, Reason.NO_VAULT):
        account.begin(parameters)


@pytest.mark.parametrize("parameters", EVERY, ids=lambda each: type(each).__name__)
def test_nothing_is_asked_of_a_vault_that_is_deleted_or_cooling_down(parameters: Parameters) -> None:
    account = Account()
    account.enroll()
    account.fail(4)
    with refused(account, Reason.COOLING_DOWN, seconds=60):
        account.begin(parameters)
    account.wait(seconds=60)
    account.complete(account.begin(DELETE))
    with refused(account, Reason.NO_VAULT):
        account.begin(parameters)
