"""A front that presents another vault row than the newest."""

from __future__ import annotations

import pytest

from strongroom.keeper.v1 import frames_pb2
from tests.fakes.desk import Desk, refused_for
from tests.fakes.person import Person

DAY = 86_400


def open_vault(desk: Desk, *, version: int, sealed: bytes) -> frames_pb2.OpenVaultReply:
    call = frames_pb2.OpenVaultCall(version=version, sealed=sealed)
    return desk.call(frames_pb2.KeeperCall(open_vault=call)).open_vault


def test_older_vault_row_is_refused_by_the_keeper_that_opened_a_newer_one(desk: Desk) -> None:
    desk.clock.advance(seconds=DAY + 1)
    desk.restart()
    open_vault(desk, version=2, sealed=desk.renewed_vault)
    with refused_for("STALE"):
        open_vault(desk, version=1, sealed=desk.vault_sealed)
    Person(desk).enroll()


def test_vault_row_under_another_version_is_refused_and_the_open_one_stays(desk: Desk) -> None:
    for version in (2, 2**64 - 1):
        with refused_for("RecordRejected"):
            open_vault(desk, version=version, sealed=desk.vault_sealed)
    Person(desk).enroll()


@pytest.mark.parametrize("sealed", [b"", b"\1", bytes(200), b"\1" + bytes(200)], ids=len)
def test_vault_row_that_is_none_is_refused_and_the_open_one_stays(desk: Desk, sealed: bytes) -> None:
    with refused_for("RecordRejected"):
        open_vault(desk, version=2, sealed=sealed)
    Person(desk).enroll()


def test_record_in_place_of_the_vault_row_is_refused(alice: Person) -> None:
    row = alice.desk.row("alice")
    assert row is not None
    alice.release()
    with refused_for("RecordRejected"):
        open_vault(alice.desk, version=row.version, sealed=row.sealed)


def test_nothing_is_answered_before_the_vault_is_open(desk: Desk) -> None:
    desk.vault_sealed = bytes(200)
    with refused_for("RecordRejected"):
        desk.restart()
    with refused_for("Misconfigured"):
        desk.describe("alice")


def test_call_without_a_question_is_a_fault(desk: Desk) -> None:
    with refused_for("Misconfigured"):
        desk.call(frames_pb2.KeeperCall())


def test_token_that_is_lost_ends_the_keeper(alice: Person) -> None:
    """Its calls fail with a fault, never with a guess, and the process asks to be replaced."""
    alice.desk.lose_token()
    with refused_for("TokenFault"):
        alice.desk.describe("alice")
    assert alice.desk.handler.spent
