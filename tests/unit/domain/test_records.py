"""Digests and chains of records: what binds a ceremony to a set of credentials and to a history."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom_service.domain.errors import Reason, Refusal
from strongroom_service.domain.records import (
    GENESIS_HEAD,
    Record,
    VaultState,
    credential_set_digest,
    find_credential,
    head_of,
    next_head,
    version_of,
)
from tests.fakes.account import OTHER_PASSKEY, PASSKEY, RECOVERY, Account, credential


@pytest.fixture
def record() -> Record:
    account = Account()
    account.enroll()
    return account.held


def test_no_record_counts_as_version_zero_with_the_genesis_head() -> None:
    assert (version_of(None), head_of(None)) == (0, GENESIS_HEAD)


def test_head_depends_on_the_head_before_and_on_the_event() -> None:
    heads = {next_head(previous, event) for previous in (b"a" * 32, b"b" * 32) for event in (b"", b"1", b"2")}
    assert len(heads) == 6


def test_credential_set_does_not_depend_on_the_order_of_the_credentials(record: Record) -> None:
    first, second = credential(PASSKEY), credential(OTHER_PASSKEY)
    one, other = replace(record, credentials=(first, second)), replace(record, credentials=(second, first))
    assert credential_set_digest(one) == credential_set_digest(other)


def test_credential_set_changes_with_any_credential_key_or_recovery_credential(record: Record) -> None:
    first, second = credential(PASSKEY), credential(OTHER_PASSKEY)
    sets = [
        replace(record, credentials=()),
        replace(record, credentials=(first,)),
        replace(record, credentials=(second,)),
        replace(record, credentials=(first, second)),
        replace(record, credentials=(replace(first, cose_key=second.cose_key),)),
        replace(record, credentials=(first,), recovery_public_key=bytes(32)),
        replace(record, credentials=(first,), state=VaultState.INERT),
    ]
    assert len({credential_set_digest(each) for each in sets}) == len(sets)


def test_credential_set_without_a_record_is_that_of_an_empty_record(record: Record) -> None:
    empty = replace(record, credentials=(), recovery_public_key=b"")
    assert credential_set_digest(None) == credential_set_digest(empty)


def test_credential_set_is_about_keys_and_not_about_use(record: Record) -> None:
    used = replace(record.credentials[0], sign_count=7, backup_state=True, last_used_at=None, quarantined=True)
    assert credential_set_digest(replace(record, credentials=(used,))) == credential_set_digest(record)


@pytest.mark.parametrize("state", VaultState)
def test_recovery_credential_counts_only_in_a_live_record(record: Record, state: VaultState) -> None:
    effective = replace(record, state=state).effective_recovery_public_key
    assert effective == (RECOVERY if state is VaultState.LIVE else b"")


def test_credential_is_found_by_its_id(record: Record) -> None:
    two = replace(record, credentials=(credential(OTHER_PASSKEY), credential(PASSKEY)))
    assert find_credential(two, PASSKEY).credential_id == PASSKEY


@pytest.mark.parametrize("unknown", [b"", OTHER_PASSKEY, PASSKEY[:-1], PASSKEY + b"\0"])
def test_unknown_credential_is_refused_unjudged(record: Record, unknown: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        find_credential(record, unknown)
    assert caught.value.reason is Reason.NOT_VERIFIED


def test_what_could_be_opened_is_not_in_a_records_repr(record: Record) -> None:
    assert "wrapped'" not in repr(record).replace("WrappedEnvelope", "")
    assert record.archives[0].wrapped.ciphertext == b"wrapped"
