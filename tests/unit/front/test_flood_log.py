from __future__ import annotations

from strongroom_service.front.flood_log import LINES_A_SECOND, FloodLog
from tests.fakes.log import RecordingLog
from tests.fakes.rates import FakeSeconds


def test_flood_writes_so_many_lines_a_second_and_then_how_many_are_missing() -> None:
    log, clock = RecordingLog(), FakeSeconds()
    flood_log = FloodLog(log, clock=clock)
    for number in range(1_000):
        flood_log.info("rpc", number=number)
    assert [fields["number"] for _, fields in log.lines] == list(range(LINES_A_SECOND))
    clock.advance(1)
    flood_log.info("rpc", number=1_000)
    assert log.lines[LINES_A_SECOND:] == [
        ("refusals_not_logged", {"count": 1_000 - LINES_A_SECOND}),
        ("rpc", {"number": 1_000}),
    ]


def test_few_lines_are_all_written() -> None:
    log, clock = RecordingLog(), FakeSeconds()
    flood_log = FloodLog(log, clock=clock)
    for _ in range(10 * LINES_A_SECOND):
        flood_log.info("rpc")
        clock.advance(2 / LINES_A_SECOND)
    assert log.events() == ["rpc"] * (10 * LINES_A_SECOND)
