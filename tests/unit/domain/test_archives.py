"""Archive versions: which is released, which is replaced, and what confirms one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom_service.domain.ceremonies import Mode
from strongroom_service.domain.credentials import PolicyViolated, PolicyViolation
from strongroom_service.domain.records import find_archive
from tests.fakes.account import GOOD, RELEASE, STORE, WRONG, Account, Checked


def held(account: Account) -> list[tuple[int, bool]]:
    return [(archive.archive_version, archive.confirmed) for archive in account.held.archives]


def test_store_replaces_an_unconfirmed_version() -> None:
    account = Account()
    account.enroll()
    account.complete(account.begin(STORE))
    assert held(account) == [(3, False)]


def test_store_keeps_the_newest_confirmed_version() -> None:
    account = Account()
    account.enroll(confirm=True)
    account.complete(account.begin(STORE))
    account.complete(account.begin(STORE))
    assert held(account) == [(5, False), (2, True)]


def test_release_gives_the_unconfirmed_version_and_the_confirmed_one_newest_first() -> None:
    account = Account()
    account.enroll(confirm=True)
    account.complete(account.begin(STORE))
    account.complete(account.begin(RELEASE))
    assert account.held.grants[-1].archive_versions == (4, 2)


def test_version_is_confirmed_by_a_later_request_that_says_it_opened_it() -> None:
    account = Account()
    account.enroll(confirm=True)
    account.complete(account.begin(STORE))
    account.complete(account.begin(RELEASE, opened=4))
    assert held(account) == [(4, True)]
    assert account.held.grants[-1].archive_versions == (4,)


def test_store_that_confirms_its_predecessor_keeps_it() -> None:
    account = Account()
    account.enroll()
    account.complete(account.begin(STORE, opened=2))
    assert held(account) == [(3, False), (2, True)]


def test_request_that_opened_another_version_confirms_nothing() -> None:
    account = Account()
    account.enroll()
    for opened in (0, 1, 3, 2**63):
        account.complete(account.begin(RELEASE, opened=opened))
    assert held(account) == [(2, False)]


def test_confirming_again_changes_nothing() -> None:
    account = Account()
    account.enroll(confirm=True)
    account.complete(account.begin(STORE))
    account.complete(account.begin(RELEASE, opened=2))
    assert held(account) == [(4, False), (2, True)]


def test_attempt_that_was_not_granted_confirms_nothing() -> None:
    refused: list[Checked] = [WRONG, PolicyViolated(violation=PolicyViolation.ORIGIN)]
    for checked in refused:
        account = Account()
        account.enroll()
        account.complete(account.begin(RELEASE, opened=2), checked)
        assert held(account) == [(2, False)]


def test_archive_version_is_never_used_twice_whatever_happens_between() -> None:
    account = Account()
    account.enroll()
    seen = []
    for checked in (GOOD, WRONG, GOOD, WRONG):
        account.complete(account.begin(STORE), checked)
        seen.append(account.held.archives[0].archive_version)
    assert seen == [3, 3, 5, 5]


def test_archive_is_found_by_its_version_only_while_it_is_held() -> None:
    account = Account()
    account.enroll()
    assert find_archive(account.held, 2) is account.held.archives[0]
    account.complete(account.begin(STORE))
    assert find_archive(account.held, 2) is None


@pytest.mark.parametrize(("before", "after"), [(Mode.PRF, Mode.VAULT_HELD), (Mode.VAULT_HELD, Mode.PRF)])
def test_store_in_another_mode_moves_the_record_and_drops_what_was_locked_otherwise(before: Mode, after: Mode) -> None:
    account = Account()
    account.enroll(confirm=True)
    if before is Mode.VAULT_HELD:
        account.complete(account.begin(replace(STORE, mode=before)))
        account.complete(account.begin(RELEASE, opened=account.held.version))
    account.complete(account.begin(replace(STORE, mode=after)))
    assert held(account) == [(account.held.version, False)]
    assert account.held.mode is after
    account.complete(account.begin(replace(STORE, mode=after), opened=account.held.version))
    assert [confirmed for _, confirmed in held(account)] == [False, True], "in one mode the confirmed version stays"


def test_ceremony_is_stated_in_the_mode_before_until_the_store_is_decided() -> None:
    account = Account()
    account.enroll()
    begun = account.begin(replace(STORE, mode=Mode.VAULT_HELD))
    account.complete(begun, WRONG)
    assert account.held.mode is Mode.PRF, "a wrong signature moves nothing"
