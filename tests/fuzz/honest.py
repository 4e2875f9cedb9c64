"""Honest messages to start from: accounts at one keeper, made once per process."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from strongroom.keeper.v1 import frames_pb2, operator_pb2, record_pb2
from strongroom.v1 import resources_pb2
from strongroom_service.keeper.formats.sealing import Kind, derive_one_time_key, parse_header
from tests.fakes.desk import Desk, refused_for
from tests.fakes.owner import SET_ASIDE, Owner
from tests.fakes.passkey import Forgery
from tests.fakes.person import Ceremony, Person
from tests.fakes.tenancy import CANCEL, ERASE, Tenancy
from tests.fakes.tenant import FakeTenant

NONCE = b"n" * 32
KEY_TO_COME = ed25519.Ed25519PrivateKey.from_private_bytes(b"r" * 32).public_key().public_bytes_raw()
POLICY = resources_pb2.Policy(
    budget=20,
    cool_down_seconds=[60, 300],
    on_exhaustion=resources_pb2.ON_EXHAUSTION_LOCK,
    releases_per_day=9,
    reset_grace_seconds=86_400,
)
VECTORS = Path(__file__).resolve().parents[1] / "vectors"
TENANT = FakeTenant(
    ec_key=ec.derive_private_key(7, ec.SECP256R1()), ed_key=ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
)

_SCRATCH = tempfile.TemporaryDirectory(prefix="strongroom-fuzz-")


def vectors(name: str) -> Any:  # noqa: ANN401  whatever the file holds
    """A file of test vectors."""
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


def scratch() -> Path:
    """A folder that goes with the process."""
    return Path(_SCRATCH.name)


@functools.cache
def alice() -> Owner:
    """Enrolled, with a release behind her. Nothing that is judged from now on is ever committed."""
    owner = Owner(Desk(scratch(), tenant=TENANT))
    owner.enroll()
    owner.release()
    return owner


@functools.cache
def carol() -> Owner:
    """Her vault is set aside by a reset, asked for with NONCE, and her account is to be erased."""
    owner = Owner(alice().desk, "carol")
    owner.enroll()
    owner.reset(NONCE)
    Tenancy(owner.desk).order(ERASE, "carol")
    return owner


@functools.cache
def dave() -> tuple[Owner, Ceremony]:
    """His second passkey is in quarantine; with the ceremony that lifts it."""
    owner = Owner(alice().desk, "dave")
    owner.enroll()
    first, second = owner.passkey, owner.add()
    owner.passkey = second
    owner.release()
    with refused_for("NOT_VERIFIED"):
        owner.release(forgery=Forgery(sign_count=1))
    owner.passkey = first
    return owner, owner.begin_lift(second)


@functools.cache
def granted() -> Ceremony:
    """A release that was granted and can be answered again."""
    ceremony = alice().begin_release()
    alice().complete(ceremony)
    return ceremony


@functools.cache
def keeper_calls() -> tuple[frames_pb2.KeeperCall, ...]:
    """One of each kind, all good."""
    grant, person = granted(), alice()
    desk, row = person.desk, person.row()
    token, events = desk.account_token("alice"), desk.store.events[desk.record_id("alice")]
    store, release, delete = person.begin_store(), person.begin_release(), person.begin_delete()
    bob = Person(desk, "bob")
    judged = (
        person.judge_call(store, envelope=b"an envelope"),
        person.judge_call(release),
        person.judge_call(delete),
        person.recovery_call(release),
        bob.judge_call(bob.begin_registration()),
    )
    fulfil = frames_pb2.FulfilCall(
        account_token=token, row=row, ceremony=grant.ceremony, operation=frames_pb2.OPERATION_RELEASE
    )
    page = frames_pb2.ListEventsCall(
        account_token=token,
        nonce=NONCE,
        row=row,
        page_token=desk.list_events("alice", events=events[:1]).next_page_token,
        events=events[1:],
    )
    begin = frames_pb2.BeginCall(account_token=token, request=release.statement.request, row=row)
    record = frames_pb2.DescribeRecordCall(account_token=token, nonce=NONCE, row=row)
    service = frames_pb2.DescribeServiceCall(account_token=token, nonce=NONCE)
    vault = frames_pb2.OpenVaultCall(version=desk.vault_version, sealed=desk.vault_sealed)
    return (
        frames_pb2.KeeperCall(open_vault=vault),
        frames_pb2.KeeperCall(probe=frames_pb2.ProbeCall()),
        frames_pb2.KeeperCall(describe_service=service),
        frames_pb2.KeeperCall(describe_record=record),
        frames_pb2.KeeperCall(begin=begin),
        frames_pb2.KeeperCall(fulfil=fulfil),
        frames_pb2.KeeperCall(list_events=page),
        *(frames_pb2.KeeperCall(judge=call) for call in (*judged, *changes(), *orders())),
        frames_pb2.KeeperCall(fulfil=reset_again()),
        frames_pb2.KeeperCall(list_tenant_events=feed()),
    )


def changes() -> tuple[frames_pb2.JudgeCall, ...]:
    """What changes who may sign, and under which limits."""
    person = alice()
    removal, recovery = person.begin_removal(person.passkey), person.begin_recovery(KEY_TO_COME)
    policy, addition = person.begin_policy(POLICY), person.begin_addition()
    reopening, (lifting, lift) = carol().begin_reopening(SET_ASIDE), dave()
    return (
        person.addition_call(addition),
        person.judge_call(removal, envelope=b"without"),
        person.judge_call(recovery, envelope=b"recoverable"),
        person.judge_call(policy),
        carol().judge_call(reopening),
        carol().recovery_call(reopening),
        lifting.judge_call(lift),
    )


def attest_request() -> bytes:
    """The serialized CeremonyRequest of an `attest`."""
    return alice().begin_addition().attest.statement.request


def orders() -> tuple[frames_pb2.JudgeCall, ...]:
    """What no passkey signs for."""
    tenancy = Tenancy(alice().desk)
    return (
        alice().reset_call(NONCE),
        tenancy.judge_call(ERASE, nonce=NONCE),
        tenancy.judge_call(CANCEL, "carol", nonce=NONCE),
    )


def reset_again() -> frames_pb2.FulfilCall:
    """A reset that was granted, asked for once more."""
    call = carol().reset_call(NONCE)
    return frames_pb2.FulfilCall(
        account_token=call.account_token, row=call.row, operation=call.operation, nonce=call.nonce
    )


def feed() -> frames_pb2.ListTenantEventsCall:
    """A page of the feed, from its second event on."""
    desk = alice().desk
    tenancy = Tenancy(desk)
    cursor = tenancy.page(limit=1).next_cursor
    return tenancy.feed_call(cursor=cursor, events=desk.store.feed[1:8])


@functools.cache
def operator_calls() -> tuple[operator_pb2.OperatorCall, ...]:
    """What operators' commands ask, one of each kind."""
    carol()
    desk = alice().desk
    row, record_id = alice().row(), desk.record_id("alice")
    rows = [desk.store.rows[each] for each in sorted(desk.store.rows)]
    events = desk.store.events[record_id][::-1]
    place = operator_pb2.EventPlace(record_id=record_id, version=events[0].version)
    opening = frames_pb2.OpenVaultCall(version=desk.vault_version, sealed=desk.vault_sealed)
    return (
        operator_pb2.OperatorCall(open_vault=opening),
        operator_pb2.OperatorCall(open_records=operator_pb2.OpenRecordsCall(rows=rows)),
        operator_pb2.OperatorCall(open_events=operator_pb2.OpenEventsCall(record_id=record_id, events=events)),
        operator_pb2.OperatorCall(find_place=operator_pb2.FindPlaceCall(sealed=events[0].sealed, places=[place])),
        operator_pb2.OperatorCall(checkpoint_rows=operator_pb2.CheckpointRowsCall(rows=rows)),
        operator_pb2.OperatorCall(finish_checkpoint=operator_pb2.FinishCheckpointCall()),
        operator_pb2.OperatorCall(export_record=operator_pb2.ExportRecordCall(row=row)),
        operator_pb2.OperatorCall(export_events=operator_pb2.ExportEventsCall(events=events)),
        operator_pb2.OperatorCall(finish_export=operator_pb2.FinishExportCall()),
        operator_pb2.OperatorCall(set_horizon=operator_pb2.SetHorizonCall(horizon=desk.clock.now())),
        operator_pb2.OperatorCall(accept_older=operator_pb2.AcceptOlderCall(row=row)),
        operator_pb2.OperatorCall(sweep=operator_pb2.SweepCall(row=carol().row())),
        operator_pb2.OperatorCall(list_keys=operator_pb2.ListKeysCall()),
        operator_pb2.OperatorCall(
            change_key=operator_pb2.ChangeKeyCall(
                purpose=record_pb2.KEY_PURPOSE_KEK, epoch=1, change=operator_pb2.KEY_CHANGE_RETIRE
            )
        ),
        operator_pb2.OperatorCall(survey=operator_pb2.SurveyCall(rows=[carol().row()])),
        operator_pb2.OperatorCall(rewrap=operator_pb2.RewrapCall(row=carol().row(), chain_head=bytes(32))),
    )


def requests() -> tuple[bytes, ...]:
    """Serialized CeremonyRequests, one of each operation."""
    begun = (call.judge.ceremony for call in keeper_calls() if call.judge.ceremony)
    return (*(Ceremony(ceremony, 0).statement.request for ceremony in begun), attest_request())


def records() -> tuple[bytes, ...]:
    """The plaintext of the account's record."""
    row = alice().row()
    return (_opened(Kind.RECORD, version=row.version, sealed=row.sealed),)


def events() -> tuple[bytes, ...]:
    """The plaintexts of the account's events."""
    desk = alice().desk
    rows = desk.store.events[desk.record_id("alice")]
    return tuple(_opened(Kind.EVENT, version=row.version, sealed=row.sealed) for row in rows)


def vault_rows() -> tuple[bytes, ...]:
    """The plaintext of the vault row."""
    desk = alice().desk
    key = derive_one_time_key(desk.token, parse_header(desk.vault_sealed))
    return (key.open(Kind.VAULT, record_id=b"vault", version=desk.vault_version, sealed=desk.vault_sealed),)


def _opened(kind: Kind, *, version: int, sealed: bytes) -> bytes:
    desk = alice().desk
    key = derive_one_time_key(desk.token, parse_header(sealed))
    return key.open(kind, record_id=desk.record_id("alice"), version=version, sealed=sealed)
