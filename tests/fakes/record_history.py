"""Counts an account's failures from its history alone, without looking at the record."""

from __future__ import annotations

from collections.abc import Sequence

from strongroom_service.domain.ceremonies import ORDERS, Operation
from strongroom_service.domain.events import Event, Outcome, Swept

_UNASSERTED = ORDERS | {Operation.SWEEP, Operation.REWRAP}


def check_history(events: Sequence[Event], *, most: int) -> None:
    """Each wrong signature since the last success of its life is in the count, and no count goes beyond the budget.

    Raises:
        AssertionError: an event tells another count, or tells of a life that cannot be there.
    """
    own, aside = 0, None
    for event in events:
        if event.swept:
            assert event.swept in {(Swept.ACCOUNT,), (Swept.SET_ASIDE,)}
            aside = None
        counted = aside if event.about_set_aside else own
        assert counted is not None, "an event about what is set aside, where nothing is"
        if event.outcome in {Outcome.FAILED, Outcome.EXHAUSTED}:
            # At the budget a closed vault stays there; before it each failure counts one.
            closed = event.outcome is Outcome.EXHAUSTED and event.failures == counted
            counted = counted if closed else counted + 1
        elif event.outcome is Outcome.GRANTED and event.operation not in _UNASSERTED:
            counted = 0
        if event.operation is Operation.RESET:
            own, aside, counted = 0, own, 0
        elif event.about_set_aside and event.outcome is Outcome.GRANTED:
            own, aside = 0, None
        elif event.about_set_aside:
            gone = event.outcome is Outcome.EXHAUSTED and event.erase_at is None
            aside = None if gone else counted
        else:
            own = counted
        assert event.failures == counted <= most
