"""A history walked: whole ones have nothing to find, and each thing that is wrong has its name, place and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from strongroom_service.domain.chains import ChainWalk, Finding, KeptHead, Look, Named, Opened, Strange, Unread
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.records import GENESIS_HEAD, next_head

RECORD_ID = bytes(range(32))
EVENTS = [f"event {version}".encode() for version in range(1, 7)]
UNREAD, STRANGE = Unread(), Strange()


def heads() -> list[bytes]:
    """The chain head at each version, from the genesis on."""
    found = [GENESIS_HEAD]
    for event in EVENTS:
        found.append(next_head(found[-1], event))
    return found


HEADS = heads()
CHECKPOINT = "checkpoint 3"


def kept(version: int, head: bytes, *, named: Named = Named.ALTERED) -> Mapping[int, Sequence[KeptHead]]:
    return {version: [KeptHead(chain_head=head, kept_by=CHECKPOINT, named=named)]}


def opened(version: int, *, at: int = 0) -> Opened:
    return Opened(HEADS[version - 1], Millis(at))


def walk(
    versions: Sequence[int],
    *,
    looks: Mapping[int, Look] | None = None,
    sealed: Mapping[int, bytes] | None = None,
    heads_kept: Mapping[int, Sequence[KeptHead]] | None = None,
    begin: int = 0,
) -> ChainWalk:
    """Walk over the events of `versions`, unread unless `looks` says otherwise."""
    chain = ChainWalk(RECORD_ID, kept=heads_kept or {}, from_version=begin, from_head=HEADS[begin])
    for version in versions:
        event = (sealed or {}).get(version, EVENTS[version - 1])
        chain.take(version=version, sealed=event, look=(looks or {}).get(version, UNREAD))
    return chain


def told(chain: ChainWalk) -> list[tuple[Named, int, str]]:
    assert all(finding.record_id == RECORD_ID for finding in chain.findings)
    return [(finding.named, finding.version, finding.why) for finding in chain.findings]


@pytest.mark.parametrize("begin", [0, 2])
@pytest.mark.parametrize("look", ["unread", "opened"])
def test_whole_history_has_nothing_to_find(begin: int, look: str) -> None:
    versions = range(begin + 1, 7)
    looks: dict[int, Look] = {version: opened(version) for version in versions} if look == "opened" else {}
    chain = walk(versions, looks=looks, begin=begin, heads_kept={**kept(4, HEADS[4]), **kept(6, HEADS[6])})
    chain.end(version=6, chain_head=HEADS[6])
    assert (told(chain), chain.version) == ([], 6)


def test_walk_begins_at_the_genesis_unless_it_is_told_otherwise() -> None:
    chain = ChainWalk(RECORD_ID, kept={})
    chain.take(version=1, sealed=EVENTS[0], look=opened(1))
    chain.end(version=1, chain_head=HEADS[1])
    assert (told(chain), chain.version) == ([], 1)


def test_gap_is_named_by_what_is_missing() -> None:
    assert told(walk([1, 3])) == [(Named.REMOVED, 2, "there is no such event")]
    assert told(walk([2])) == [(Named.REMOVED, 1, "there is no such event")]
    assert told(walk([1, 5])) == [(Named.REMOVED, 2, "there are no events 2 to 4")]


def test_after_a_gap_nothing_is_said_of_the_chain_until_a_keeper_tells_it() -> None:
    other = kept(3, bytes(32))
    assert len(told(walk([1, 3], heads_kept=other))) == 1
    found = told(walk([1, 3], looks={3: opened(3)}, heads_kept=other))
    assert [named for named, _, _ in found] == [Named.REMOVED, Named.ALTERED]
    blind = walk([1, 3, 4])
    blind.end(version=4, chain_head=bytes(32))
    assert len(told(blind)) == 1
    seeing = walk([1, 3, 4], looks={3: opened(3)})
    seeing.end(version=4, chain_head=HEADS[4])
    assert len(told(seeing)) == 1


def test_event_of_another_chain_is_named_by_the_one_that_does_not_go_on_from_it() -> None:
    forged = {2: b"of an attempt that was not committed"}
    chain = walk([1, 2, 3], looks={version: opened(version) for version in (1, 2, 3)}, sealed=forged)
    why = "an event of this record and version, but none of the chain that the next event goes on from"
    assert told(chain) == [(Named.INSERTED, 2, why)]
    chain.end(version=3, chain_head=HEADS[3])
    assert len(chain.findings) == 1, "the chain goes on from what the next event says"


def test_strange_event_is_left_to_others_and_the_chain_goes_on_after_the_next_that_opens() -> None:
    looks: dict[int, Look] = {1: opened(1), 2: STRANGE, 3: opened(3)}
    chain = walk([1, 2, 3], looks=looks, sealed={2: b"strange"}, heads_kept={**kept(2, HEADS[2]), **kept(3, HEADS[3])})
    chain.end(version=3, chain_head=HEADS[3])
    assert told(chain) == []
    lost = walk([1, 2], looks={2: STRANGE}, sealed={2: b"strange"})
    lost.end(version=2, chain_head=HEADS[2])
    assert told(lost) == []


def test_events_that_end_below_the_row_are_cut() -> None:
    chain = walk([1, 2])
    chain.end(version=4, chain_head=HEADS[4])
    assert told(chain) == [(Named.CUT, 3, "the events end at 2, the row is at 4")]


def test_row_that_goes_by_another_event_is_named() -> None:
    chain = walk([1, 2])
    chain.end(version=2, chain_head=None)
    assert told(chain) == []
    chain.end(version=2, chain_head=bytes(32))
    why = "an event of this record and version, but not the one the row goes by"
    assert told(chain) == [(Named.INSERTED, 2, why)]


def test_row_below_its_events_is_compared_all_the_same() -> None:
    chain = walk([1, 2, 3])
    chain.end(version=2, chain_head=HEADS[3])
    assert told(chain) == []


def test_alteration_lies_between_the_heads_that_were_kept() -> None:
    altered = {3: b"altered"}
    heads_kept = {**kept(2, HEADS[2]), **kept(4, HEADS[4]), **kept(6, HEADS[6])}
    chain = walk(range(1, 7), sealed=altered, heads_kept=heads_kept)
    why = "the chain does not pass through the head of checkpoint 3: something is altered between versions 3 and 4"
    assert told(chain) == [(Named.ALTERED, 4, why)], "from there on it goes by what was kept"
    chain.end(version=6, chain_head=HEADS[6])
    assert len(chain.findings) == 1


def test_alteration_after_where_the_walk_began_is_said_to_lie_there() -> None:
    chain = walk([3, 4], sealed={3: b"altered"}, heads_kept=kept(4, HEADS[4]), begin=2)
    assert "between versions 3 and 4" in told(chain)[0][2]


def test_head_that_is_no_word_on_the_chain_does_not_lead_it() -> None:
    """What a keeper's log has and the chain has not was never committed; the chain itself is as it was."""
    chain = walk([1, 2, 3], heads_kept=kept(2, bytes(32), named=Named.NOT_COMMITTED))
    chain.end(version=3, chain_head=HEADS[3])
    assert [(named, version) for named, version, _ in told(chain)] == [(Named.NOT_COMMITTED, 2)]


def test_each_head_that_was_kept_is_compared() -> None:
    both = [
        KeptHead(chain_head=HEADS[2], kept_by="one", named=Named.ALTERED),
        KeptHead(chain_head=bytes(32), kept_by="other", named=Named.FORKED),
    ]
    found = told(walk([1, 2, 3], heads_kept={2: both}))
    assert [(named, version) for named, version, _ in found] == [(Named.FORKED, 2)]
    assert "the head of other" in found[0][2]


def test_finding_is_one_line() -> None:
    of_record = Finding(named=Named.CUT, record_id=b"\xab\xcd", version=7, why="because")
    of_database = Finding(named=Named.RESTORED, record_id=b"", version=0, why="because")
    assert str(of_record) == "cut: record abcd version 7: because"
    assert str(of_database) == "restored: because"


GONE = "events up to this one are gone before their time"
OTHER_BASE = "the head that is kept in place of older events is not that before this one"


def beginning(look: Opened, *, head: bytes, horizon: int) -> list[tuple[Named, int, str]]:
    """What is told of a history that begins with version 3, and goes on as it should."""
    chain = ChainWalk(RECORD_ID, kept={}, from_version=2, from_head=head, horizon=Millis(horizon))
    chain.take(version=3, sealed=EVENTS[2], look=look)
    chain.take(version=4, sealed=EVENTS[3], look=opened(4, at=horizon + 9))
    chain.end(version=4, chain_head=HEADS[4])
    return told(chain)


def test_history_may_begin_with_an_event_of_the_horizon() -> None:
    for at in (0, 99, 100):
        assert beginning(opened(3, at=at), head=HEADS[2], horizon=100) == []


def test_history_that_begins_after_the_horizon_has_lost_more() -> None:
    assert beginning(opened(3, at=101), head=HEADS[2], horizon=100) == [(Named.REMOVED, 2, GONE)]


def test_head_in_place_of_older_events_must_be_the_one_before() -> None:
    assert beginning(opened(3, at=100), head=HEADS[1], horizon=100) == [(Named.ALTERED, 3, OTHER_BASE)]


def test_time_of_the_first_event_is_nothing_to_a_whole_history() -> None:
    chain = ChainWalk(RECORD_ID, kept={})
    chain.take(version=1, sealed=EVENTS[0], look=opened(1, at=7))
    assert told(chain) == []


def test_beginning_is_looked_at_wherever_events_are_gone_be_it_the_first_alone() -> None:
    for begin in (1, 2):
        chain = ChainWalk(RECORD_ID, kept={}, from_version=begin, from_head=HEADS[begin], horizon=Millis(10))
        chain.take(version=begin + 1, sealed=EVENTS[begin], look=opened(begin + 1, at=11))
        assert told(chain) == [(Named.REMOVED, begin, "events up to this one are gone before their time")]
