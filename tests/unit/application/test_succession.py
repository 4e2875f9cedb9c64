from __future__ import annotations

from dataclasses import replace

from strongroom_service.application.evidence import VaultStanding
from strongroom_service.application.succession import (
    check_standing,
    check_succession,
    check_vault_row,
    missing_between,
)
from strongroom_service.domain.checkpoints import NO_CHECKPOINT, CheckpointHead
from strongroom_service.domain.clock import Millis

FIRST = CheckpointHead(
    serial=1, made_at=Millis(10), vault_version=2, leaves=0, root=bytes(32), previous_sha256=NO_CHECKPOINT
)
SECOND = replace(FIRST, serial=2, vault_version=4, previous_sha256=FIRST.digest)
THIRD = replace(FIRST, serial=3, vault_version=5, previous_sha256=SECOND.digest)


def named(*heads: CheckpointHead) -> list[str]:
    return [finding.named.value for finding in check_succession(heads)]


def test_each_goes_on_from_the_one_before() -> None:
    assert named(FIRST, SECOND, THIRD) == []
    assert named(FIRST) == []


def test_gap_is_told_and_nothing_wrong() -> None:
    assert named(FIRST, THIRD) == []
    assert list(missing_between([FIRST, THIRD, replace(THIRD, serial=6)])) == [2, 4, 5]


def test_another_predecessor_is_named() -> None:
    assert named(FIRST, replace(SECOND, previous_sha256=bytes(32))) == ["unlinked"]


def test_two_of_one_serial_are_a_fork_unless_they_are_the_same() -> None:
    assert named(FIRST, SECOND, replace(SECOND, made_at=Millis(11))) == ["forked"]
    assert named(FIRST, SECOND, SECOND) == []


def test_later_one_of_an_older_database_is_named() -> None:
    assert named(FIRST, replace(SECOND, vault_version=2)) == ["restored"]


def test_vault_row_keeps_the_newest_or_one_after_it() -> None:
    assert [list(check_vault_row(SECOND, version=version)) for version in (4, 5)] == [[], []]
    assert [finding.named.value for finding in check_vault_row(SECOND, version=3)] == ["restored"]


def standing(serial: int, digest: bytes) -> VaultStanding:
    return VaultStanding(serial=serial, digest=digest, made_at=Millis(1), now=Millis(2), horizon=Millis(0))


def test_what_the_row_says_is_compared_with_the_newest() -> None:
    assert list(check_standing(SECOND, standing(2, SECOND.digest))) == []
    assert list(check_standing(SECOND, standing(3, THIRD.digest))) == []
    for kept, name in ((standing(1, FIRST.digest), "restored"), (standing(2, THIRD.digest), "forked")):
        assert [finding.named.value for finding in check_standing(SECOND, kept)] == [name]
