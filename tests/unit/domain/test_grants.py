"""Grants: what answers a completion again after a lost reply, for how long, and what takes it away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom_service.domain.ceremonies import Operation, Statement
from strongroom_service.domain.credentials import PolicyViolated, PolicyViolation, RecoveryVerified
from strongroom_service.domain.policy import OnExhaustion, Policy
from strongroom_service.domain.records import MAX_GRANTS, find_grant
from tests.fakes.account import (
    DELETE,
    GOOD,
    OTHER_PASSKEY,
    PASSKEY,
    RECIPIENT,
    RECOVERY,
    REGISTER,
    RELEASE,
    STORE,
    WRONG,
    Account,
    Checked,
    challenge_of,
    credential,
)


def is_answered(account: Account, ceremony: Statement) -> bool:
    operation, challenge = ceremony.request.operation, challenge_of(ceremony)
    return find_grant(account.record, challenge=challenge, operation=operation, now=account.now) is not None


def test_repeated_completion_is_answered_again_and_is_no_attempt() -> None:
    account = Account()
    account.enroll()
    ceremony = account.begin(RELEASE)
    account.complete(ceremony)
    before = account.record
    assert account.complete(ceremony, WRONG) is None
    assert account.record == before


def test_grant_names_what_the_reply_needs() -> None:
    account = Account()
    account.enroll()
    ceremony = account.begin(RELEASE)
    account.complete(ceremony)
    grant = account.held.grants[-1]
    assert (grant.challenge, grant.credential_id) == (challenge_of(ceremony), PASSKEY)
    assert (grant.operation, grant.recipient, grant.archive_versions) == (Operation.RELEASE, RECIPIENT, (2,))
    assert (grant.version, grant.chain_head) == (3, account.held.chain_head)
    assert grant.expires_at == ceremony.expires_at


def test_grant_keeps_its_own_head_in_later_versions() -> None:
    account = Account()
    account.enroll()
    ceremony = account.begin(RELEASE)
    account.complete(ceremony)
    granted = account.held.grants[-1]
    account.complete(account.begin(STORE))
    assert granted in account.held.grants
    assert account.held.chain_head != granted.chain_head


@pytest.mark.parametrize("checked", [GOOD, WRONG, PolicyViolated(violation=PolicyViolation.ORIGIN)], ids=type)
def test_grant_is_carried_through_later_attempts(checked: Checked) -> None:
    account = Account()
    account.enroll()
    ceremony = account.begin(RELEASE)
    account.complete(ceremony)
    account.complete(account.begin(RELEASE), checked)
    assert is_answered(account, ceremony)


def test_grant_ends_with_its_ceremony() -> None:
    account = Account()
    account.enroll()
    ceremony = account.begin(RELEASE)
    account.complete(ceremony)
    account.wait(seconds=119)
    assert is_answered(account, ceremony)
    account.wait(seconds=1)
    assert not is_answered(account, ceremony)


def test_expired_grant_is_dropped_by_the_next_change() -> None:
    account = Account()
    account.enroll()
    account.wait(seconds=300)
    account.complete(account.begin(RELEASE), WRONG)
    assert account.held.grants == ()


def test_grant_answers_its_own_challenge_and_operation_only() -> None:
    account = Account()
    account.enroll()
    ceremony = account.begin(RELEASE)
    account.complete(ceremony)
    challenge = challenge_of(ceremony)
    for operation in set(Operation) - {Operation.RELEASE}:
        assert find_grant(account.record, challenge=challenge, operation=operation, now=account.now) is None
    other = account.begin(RELEASE)
    assert not is_answered(account, other)


def test_failure_leaves_no_grant_of_its_own() -> None:
    account = Account()
    account.enroll()
    ceremony = account.begin(RELEASE)
    account.complete(ceremony, WRONG)
    assert not is_answered(account, ceremony)


def test_quarantine_drops_the_grants_of_its_credential_only() -> None:
    account = Account()
    account.enroll()
    by_recovery = account.begin(RELEASE)
    account.complete(by_recovery, RecoveryVerified(), credential_id=RECOVERY)
    by_passkey = account.begin(RELEASE)
    account.complete(by_passkey)
    account.complete(account.begin(RELEASE), PolicyViolated(violation=PolicyViolation.COUNTER_REGRESSION))
    assert account.held.credentials[0].quarantined
    assert not is_answered(account, by_passkey)
    assert is_answered(account, by_recovery)


def test_quarantine_is_of_the_one_credential_whose_counter_went_back() -> None:
    account = Account()
    account.enroll()
    account.record = replace(account.held, credentials=(*account.held.credentials, credential(OTHER_PASSKEY)))
    regression = PolicyViolated(violation=PolicyViolation.COUNTER_REGRESSION)
    account.complete(account.begin(RELEASE), regression, credential_id=OTHER_PASSKEY)
    assert [each.quarantined for each in account.held.credentials] == [False, True]


@pytest.mark.parametrize(
    "violation", [violation for violation in PolicyViolation if violation is not PolicyViolation.COUNTER_REGRESSION]
)
def test_other_violations_quarantine_nothing(violation: PolicyViolation) -> None:
    account = Account()
    account.enroll()
    account.complete(account.begin(RELEASE), PolicyViolated(violation=violation))
    assert not account.held.credentials[0].quarantined


def test_deletion_keeps_only_the_grant_that_answers_it() -> None:
    account = Account()
    account.enroll()
    release = account.begin(RELEASE)
    account.complete(release)
    deletion = account.begin(DELETE)
    account.complete(deletion)
    assert not is_answered(account, release)
    assert is_answered(account, deletion)
    assert len(account.held.grants) == 1


def test_exhaustion_drops_every_grant() -> None:
    account = Account(policy=Policy(on_exhaustion=OnExhaustion.DESTROY, budget=1))
    account.enroll()
    assert [grant.operation for grant in account.held.grants] == [Operation.REGISTER, Operation.STORE]
    account.complete(account.begin(RELEASE), WRONG)
    assert account.held.grants == ()


def test_new_registration_drops_the_grants_of_the_life_before() -> None:
    account = Account()
    account.complete(account.begin(REGISTER))
    again = account.begin(REGISTER)
    account.complete(again)
    assert [grant.challenge for grant in account.held.grants] == [challenge_of(again)]


def test_grants_are_bounded_and_the_oldest_go_first() -> None:
    account = Account()
    account.enroll()
    ceremonies = []
    for _ in range(MAX_GRANTS + 3):
        ceremonies.append(account.begin(STORE))
        account.complete(ceremonies[-1])
        assert len(account.held.grants) <= MAX_GRANTS
    assert [is_answered(account, each) for each in ceremonies] == [False] * 3 + [True] * MAX_GRANTS


def test_no_record_grants_nothing() -> None:
    assert find_grant(None, challenge=b"", operation=Operation.RELEASE, now=Account().now) is None
