"""Passkeys that come and go: what an addition brings, and what a removal takes with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom_service.domain.ceremonies import (
    Attest,
    Operation,
    Parameters,
    SetPolicy,
)
from strongroom_service.domain.credentials import PolicyViolated, PolicyViolation, RecoveryVerified
from strongroom_service.domain.errors import Reason
from strongroom_service.domain.events import Outcome
from strongroom_service.domain.preconditions import MAX_CREDENTIALS
from strongroom_service.domain.records import find_grant
from strongroom_service.domain.successes import NOTHING, Brought, apply_success
from tests.fakes.account import (
    ADD,
    OTHER_PASSKEY,
    PASSKEY,
    POLICY,
    RECOVERY,
    RELEASE,
    REMOVE,
    REMOVE_FIRST,
    SET_RECOVERY,
    STORE,
    WRONG,
    Account,
    challenge_of,
    credential,
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


# Adding


def test_addition_lets_the_passkey_in_with_a_new_envelope() -> None:
    account = with_two()
    assert ids(account) == [PASSKEY, OTHER_PASSKEY]
    assert archives(account) == [(4, False), (2, True)]
    event = account.events[-1]
    assert (event.operation, event.outcome, event.archive_versions) == (
        Operation.ADD_CREDENTIAL,
        Outcome.GRANTED,
        (4,),
    )
    assert event.envelope_sha256 == account.held.archives[0].envelope_sha256
    account.complete(account.begin(RELEASE), credential_id=OTHER_PASSKEY)


def test_addition_replaces_an_unconfirmed_envelope_only() -> None:
    account = Account()
    account.enroll()
    account.complete(account.begin(ADD))
    assert archives(account) == [(3, False)]


def test_failed_addition_counts_and_adds_nothing() -> None:
    account = Account()
    account.enroll()
    account.complete(account.begin(ADD), WRONG)
    assert (ids(account), archives(account), account.held.ledger.failures) == ([PASSKEY], [(2, False)], 1)
    assert account.events[-1].envelope_sha256 == b""


def test_credential_that_is_in_already_is_refused() -> None:
    account = with_two()
    for credential_id in (PASSKEY, OTHER_PASSKEY):
        with invalid(account, "request.add_credential.credential_id"):
            account.begin(replace(ADD, credential_id=credential_id))


def test_sixteen_passkeys_and_no_more() -> None:
    account = Account()
    account.enroll()
    for number in range(2, MAX_CREDENTIALS + 1):
        account.complete(account.begin(replace(ADD, credential_id=bytes([number]) * 16)))
    assert len(account.held.credentials) == MAX_CREDENTIALS == 16
    with invalid(account, "request.add_credential"):
        account.begin(replace(ADD, credential_id=bytes([17]) * 16))
    account.complete(account.begin(replace(REMOVE, credential_id=bytes([2]) * 16)))
    account.complete(account.begin(replace(ADD, credential_id=bytes([17]) * 16)))


def test_recovery_credential_adds_a_passkey() -> None:
    account = Account()
    account.enroll()
    before = account.held.credentials
    account.wait(seconds=60)
    account.complete(account.begin(ADD), RecoveryVerified(), credential_id=RECOVERY)
    assert account.held.credentials == (*before, credential(OTHER_PASSKEY)), "nobody's passkey was used"


def test_attestation_by_itself_is_begun_and_never_completed() -> None:
    account = Account()
    account.enroll()
    statement = account.begin(ATTEST)
    with pytest.raises(ValueError, match="cannot be completed by an assertion"):
        account.complete(statement)


@pytest.mark.parametrize("parameters", [STORE, ADD, REMOVE_FIRST, SET_RECOVERY], ids=lambda each: type(each).__name__)
def test_what_stores_is_not_done_without_an_envelope(parameters: Parameters) -> None:
    account = Account()
    account.enroll()
    request = account.begin(parameters).request
    with pytest.raises(ValueError, match="without one"):
        apply_success(account.held, request, brought=NOTHING, now=account.now)


def test_addition_is_not_done_without_its_passkey() -> None:
    account = Account()
    account.enroll()
    request = account.begin(ADD).request
    with pytest.raises(ValueError, match="without its passkey"):
        apply_success(account.held, request, brought=Brought(archive=account.held.archives[0]), now=account.now)


# Removing


def test_removal_drops_every_old_envelope_and_only_the_removed_ones_grants() -> None:
    account = with_two()
    by_other = account.begin(RELEASE)
    account.complete(by_other, credential_id=OTHER_PASSKEY)
    by_first = account.begin(RELEASE)
    account.complete(by_first)
    removal = account.begin(REMOVE)
    account.complete(removal)
    assert ids(account) == [PASSKEY]
    assert archives(account) == [(account.held.version, False)]
    answered = {grant.challenge for grant in account.held.grants}
    assert challenge_of(by_other) not in answered
    assert {challenge_of(by_first), challenge_of(removal)} <= answered
    with refused(account, Reason.NOT_VERIFIED):
        account.complete(account.begin(RELEASE), credential_id=OTHER_PASSKEY)


def test_release_granted_to_who_is_removed_is_not_answered_again() -> None:
    account = with_two()
    release = account.begin(RELEASE)
    account.complete(release, credential_id=OTHER_PASSKEY)
    account.complete(account.begin(REMOVE))
    with refused(account, Reason.BEGIN_AGAIN):
        account.complete(release, credential_id=OTHER_PASSKEY)


def test_passkey_may_remove_itself_and_is_answered_again() -> None:
    account = with_two()
    removal = account.begin(REMOVE)
    account.complete(removal, credential_id=OTHER_PASSKEY)
    assert ids(account) == [PASSKEY]
    assert account.complete(removal, credential_id=OTHER_PASSKEY) is None
    grant = find_grant(
        account.record, challenge=challenge_of(removal), operation=Operation.REMOVE_CREDENTIAL, now=account.now
    )
    assert grant is not None
    assert grant.archive_versions == (account.held.version,)


def test_last_passkey_stays_unless_a_recovery_credential_can_add_another() -> None:
    account = Account()
    account.enroll()
    account.record = replace(account.held, recovery_public_key=b"")
    with invalid(account, "request.remove_credential.credential_id"):
        account.begin(REMOVE_FIRST)
    account.record = replace(account.held, recovery_public_key=RECOVERY)
    account.complete(account.begin(REMOVE_FIRST))
    assert ids(account) == []
    account.complete(account.begin(ADD), RecoveryVerified(), credential_id=RECOVERY)
    assert ids(account) == [OTHER_PASSKEY]


def test_one_of_two_may_go_without_a_recovery_credential() -> None:
    account = with_two()
    account.record = replace(account.held, recovery_public_key=b"")
    account.complete(account.begin(REMOVE))
    assert ids(account) == [PASSKEY]


def test_passkey_that_is_not_in_the_vault_cannot_be_removed() -> None:
    account = Account()
    account.enroll()
    with invalid(account, "request.remove_credential.credential_id"):
        account.begin(REMOVE)


def test_failed_removal_removes_nothing() -> None:
    account = with_two()
    account.complete(account.begin(REMOVE), WRONG)
    assert ids(account) == [PASSKEY, OTHER_PASSKEY]
    assert archives(account) == [(4, False), (2, True)]
