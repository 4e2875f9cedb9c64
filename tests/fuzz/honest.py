"""Honest messages to start from: one account at one keeper, made once per process."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from strongroom.keeper.v1 import frames_pb2
from strongroom_service.keeper.formats.sealing import Kind, derive_one_time_key, parse_header
from tests.fakes.desk import Desk
from tests.fakes.person import Ceremony, Person
from tests.fakes.tenant import FakeTenant

NONCE = b"n" * 32
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
def alice() -> Person:
    """Enrolled, with a release behind her. Nothing that is judged from now on is ever committed."""
    person = Person(Desk(scratch(), tenant=TENANT))
    person.enroll()
    person.release()
    return person


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
        *(frames_pb2.KeeperCall(judge=call) for call in judged),
    )


def requests() -> tuple[bytes, ...]:
    """Serialized CeremonyRequests, one of each operation."""
    begun = (call.judge.ceremony for call in keeper_calls() if call.HasField("judge"))
    return tuple(Ceremony(ceremony, 0).statement.request for ceremony in begun)


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
