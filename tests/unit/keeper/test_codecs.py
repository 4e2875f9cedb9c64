"""Records, events and the vault row as bytes: whatever was written is read again, and nothing else is guessed at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.keeper.v1 import record_pb2
from strongroom_service.domain.attempts import Ledger
from strongroom_service.domain.ceremonies import Mode, Operation, ReopenTarget
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.credentials import Credential
from strongroom_service.domain.errors import RecordRejected
from strongroom_service.domain.events import Outcome, Swept
from strongroom_service.domain.policy import OnExhaustion, Policy
from strongroom_service.domain.records import Archive, Grant, Record, SetAside, VaultState, WrappedEnvelope
from strongroom_service.keeper.formats.enums import (
    MODES,
    ON_EXHAUSTION,
    OPERATIONS,
    OUTCOMES,
    REOPEN_TARGETS,
    STATES,
    SWEPT,
    EnumTable,
)
from strongroom_service.keeper.formats.event_codec import decode_event
from strongroom_service.keeper.formats.record_codec import decode_record, encode_record
from strongroom_service.keeper.formats.sealing import MAX_PLAINTEXT_BYTES, Kind, OneTimeKey
from strongroom_service.keeper.formats.vault_row import decode_vault, encode_vault
from strongroom_service.keeper.token.port import KeyPurpose
from strongroom_service.keeper.vault_keys import make_vault, open_vault
from tests.fakes.account import Account
from tests.fakes.token import FIRST_NAMES, FakeToken

U64 = st.integers(0, 2**64 - 1)
U32 = st.integers(0, 2**32 - 1)
TIMES = U64.map(Millis)
CREDENTIALS = st.builds(
    Credential,
    credential_id=st.binary(min_size=16, max_size=64),
    cose_key=st.binary(max_size=80),
    algorithm=st.integers(-(2**31), 2**31 - 1),
    user_handle=st.binary(max_size=64),
    sign_count=U32,
    backup_eligible=st.booleans(),
    backup_state=st.booleans(),
    aaguid=st.binary(min_size=16, max_size=16),
    transports=st.lists(st.text(max_size=8), max_size=3).map(tuple),
    created_at=TIMES,
    last_used_at=st.none() | TIMES,
    quarantined=st.booleans(),
)
ARCHIVES = st.builds(
    Archive,
    archive_version=U64,
    confirmed=st.booleans(),
    mode=st.sampled_from(Mode),
    stored_at=TIMES,
    envelope_sha256=st.binary(max_size=32),
    wrapped=st.builds(
        WrappedEnvelope,
        mechanism=st.text(max_size=8),
        kek_epoch=U32,
        iv=st.binary(max_size=12),
        ciphertext=st.binary(max_size=64),
    ),
)
EVENTED = sorted(set(Operation) - {Operation.ATTEST}, key=lambda operation: operation.value)
GRANTS = st.builds(
    Grant,
    challenge=st.binary(max_size=32),
    credential_id=st.binary(max_size=32),
    operation=st.sampled_from(EVENTED),
    recipient=st.binary(max_size=32),
    version=U64,
    chain_head=st.binary(max_size=32),
    expires_at=TIMES,
    archive_versions=st.lists(U64, max_size=2).map(tuple),
    effect_at=st.none() | st.integers(1, 2**63).map(Millis),
)
POLICIES = st.builds(
    Policy,
    budget=st.integers(1, 100),
    cool_down_seconds=st.lists(st.integers(0, 604_800), max_size=8).map(sorted).map(tuple),
    on_exhaustion=st.sampled_from(OnExhaustion),
    releases_per_day=st.integers(1, 1_000),
    reset_grace_seconds=st.integers(86_400, 365 * 86_400),
)
LIVES = st.builds(
    Record,
    tenant=st.text(max_size=8),
    account=st.text(max_size=8),
    version=U64,
    chain_head=st.binary(max_size=32),
    life=U64,
    state=st.sampled_from(VaultState),
    mode=st.sampled_from(Mode),
    credentials=st.lists(CREDENTIALS, max_size=2).map(tuple),
    recovery_public_key=st.binary(max_size=32),
    policy=POLICIES,
    ledger=st.builds(Ledger, failures=U32, cool_down_until=TIMES, release_day=U64, releases=U32),
    archives=st.lists(ARCHIVES, max_size=2).map(tuple),
    grants=st.lists(GRANTS, max_size=2).map(tuple),
    account_erase_at=st.none() | st.integers(1, 2**63).map(Millis),
)
SET_ASIDE = st.builds(SetAside, record=LIVES, set_aside_at=TIMES, erase_at=TIMES)
RECORDS = st.builds(lambda life, aside: replace(life, set_aside=aside), LIVES, st.none() | SET_ASIDE)


@given(record=RECORDS)
def test_record_is_read_as_it_was_written(record: Record) -> None:
    assert decode_record(encode_record(record)) == record


@pytest.fixture
def state() -> record_pb2.RecordState:
    account = Account()
    account.enroll()
    return record_pb2.RecordState.FromString(encode_record(replace(account.held, version=7)))


@pytest.mark.parametrize("name", ["format", "state", "mode"])
@pytest.mark.parametrize("value", [0, 77])
def test_record_of_a_release_to_come_is_refused(state: record_pb2.RecordState, name: str, value: int) -> None:
    setattr(state, name, value)
    with pytest.raises(RecordRejected):
        decode_record(state.SerializeToString())


def test_record_whose_policy_breaks_a_rule_is_refused(state: record_pb2.RecordState) -> None:
    """A budget of nothing or of thousands never comes from us, whatever was done to get it under a seal."""
    for budget in (0, 101):
        state.policy.budget = budget
        with pytest.raises(RecordRejected, match="budget"):
            decode_record(state.SerializeToString())


@pytest.mark.parametrize("decode", [decode_record, decode_event, decode_vault])
@pytest.mark.parametrize("serialized", [b"\xff\xff", b""])
def test_bytes_that_do_not_parse_or_say_nothing_are_refused(
    decode: Callable[[bytes], object], serialized: bytes
) -> None:
    with pytest.raises(RecordRejected):
        decode(serialized)


@pytest.mark.parametrize("table", [MODES, STATES, OPERATIONS, OUTCOMES, ON_EXHAUSTION, SWEPT, REOPEN_TARGETS])
@pytest.mark.parametrize("number", [0, 77])
def test_number_that_no_table_knows_is_refused(table: EnumTable[Enum, int], number: int) -> None:
    with pytest.raises(RecordRejected):
        table.inverse(number)
    assert table.get(number) is None


@pytest.mark.parametrize(
    ("table", "members"),
    [
        (MODES, Mode),
        (STATES, VaultState),
        (OPERATIONS, EVENTED),
        (OUTCOMES, Outcome),
        (ON_EXHAUSTION, OnExhaustion),
        (SWEPT, Swept),
        (REOPEN_TARGETS, ReopenTarget),
    ],
)
def test_every_member_of_an_enum_has_a_number(table: EnumTable[Enum, int], members: Iterable[Enum]) -> None:
    """But for an attestation, which is no event of its own."""
    assert all(table.inverse(table[member]) is member for member in members)


def test_vault_row_is_read_as_it_was_written() -> None:
    token = FakeToken()
    version, sealed = make_vault(token, FIRST_NAMES, now=Millis(5), random=bytes)
    contents = open_vault(token, version=version, sealed=sealed).contents
    assert decode_vault(encode_vault(contents)) == contents
    assert (contents.version, contents.created_at, contents.checkpoint_sha256) == (1, 5, bytes(32))
    assert {key.name for key in contents.keys} == set(FIRST_NAMES)
    without = replace(contents, keys=tuple(key for key in contents.keys if key.name.purpose is not KeyPurpose.SEAL))
    with pytest.raises(RecordRejected, match="0 active epochs"):
        without.active_epoch(KeyPurpose.SEAL)


@pytest.mark.parametrize("size", [0, 1, 1019, 1020, 1021, 40_000])
def test_sealed_sizes_tell_a_class_of_1_kib_only(size: int) -> None:
    sealed = OneTimeKey(epoch=1, salt=bytes(32), key=bytes(32)).seal(
        Kind.RECORD, record_id=b"", version=1, plaintext=bytes(size)
    )
    assert len(sealed) == 37 + 16 + -(-(size + 4) // 1_024) * 1_024


def test_plaintext_larger_than_what_is_ever_sealed_is_a_fault_of_ours() -> None:
    key = OneTimeKey(epoch=1, salt=bytes(32), key=bytes(32))
    with pytest.raises(ValueError, match="larger than what is ever sealed"):
        key.seal(Kind.RECORD, record_id=b"", version=1, plaintext=bytes(MAX_PLAINTEXT_BYTES + 1))
