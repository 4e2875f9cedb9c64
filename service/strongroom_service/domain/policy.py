"""The limits of a record: copied into it at enrollment, changed afterwards only by the account's own assertion."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BUDGET = 100
MAX_RELEASES_PER_DAY = 1000
MAX_RUNGS = 96
MAX_COOL_DOWN_SECONDS = 7 * 86_400
MIN_RESET_GRACE_SECONDS = 86_400
MAX_RESET_GRACE_SECONDS = 365 * 86_400

FIRST_COOL_DOWN_FAILURE = 4
"""The counted failure after which the first cool-down begins: three slips cost nothing."""

DEFAULT_BUDGET = 10
DEFAULT_COOL_DOWN_SECONDS = (60, 300, 900, 3_600, 28_800, 86_400)
DEFAULT_RELEASES_PER_DAY = 20
DEFAULT_RESET_GRACE_SECONDS = 30 * 86_400


@unique
class OnExhaustion(Enum):
    """What happens when the counted failures reach the budget."""

    DESTROY = "destroy"
    LOCK = "lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The limits of one record.

    Attributes:
        budget: counted failures until exhaustion, 1 to 100.
        cool_down_seconds: at most 96 rungs, each 0 to 7 days, never falling; the first follows counted failure
            `FIRST_COOL_DOWN_FAILURE`, the last repeats until the budget. Empty: no cool-downs.
        on_exhaustion: has no default, every tenant must state it.
        releases_per_day: releases allowed per UTC day, 1 to 1000.
        reset_grace_seconds: how long a reset sets the old state aside, 1 to 365 days.

    Raises:
        ValueError: names every field that broke its rule, and the rule.
    """

    budget: int = DEFAULT_BUDGET
    cool_down_seconds: tuple[int, ...] = DEFAULT_COOL_DOWN_SECONDS
    on_exhaustion: OnExhaustion
    releases_per_day: int = DEFAULT_RELEASES_PER_DAY
    reset_grace_seconds: int = DEFAULT_RESET_GRACE_SECONDS

    def __post_init__(self) -> None:
        broken = "; ".join(self._broken_rules())
        if broken:
            raise ValueError(broken)

    def cool_down_after(self, failures: int) -> int:
        """Return the cool-down in seconds that follows counted failure number `failures`; 0 where there is none.

        None follows the failure that uses up the budget: what happens then is `on_exhaustion`'s to say.
        """
        if not self.cool_down_seconds or not FIRST_COOL_DOWN_FAILURE <= failures < self.budget:
            return 0
        rung = min(failures - FIRST_COOL_DOWN_FAILURE, len(self.cool_down_seconds) - 1)
        return self.cool_down_seconds[rung]

    def _broken_rules(self) -> Iterator[str]:
        rungs = self.cool_down_seconds
        if not 1 <= self.budget <= MAX_BUDGET:
            yield f"budget must be 1 to {MAX_BUDGET}"
        if len(rungs) > MAX_RUNGS:
            yield f"cool_down_seconds must have at most {MAX_RUNGS} rungs"
        if not all(0 <= rung <= MAX_COOL_DOWN_SECONDS for rung in rungs):
            yield f"cool_down_seconds must each be 0 to {MAX_COOL_DOWN_SECONDS}"
        if list(rungs) != sorted(rungs):
            yield "cool_down_seconds must not fall from one rung to the next"
        if not 1 <= self.releases_per_day <= MAX_RELEASES_PER_DAY:
            yield f"releases_per_day must be 1 to {MAX_RELEASES_PER_DAY}"
        if not MIN_RESET_GRACE_SECONDS <= self.reset_grace_seconds <= MAX_RESET_GRACE_SECONDS:
            yield f"reset_grace_seconds must be {MIN_RESET_GRACE_SECONDS} to {MAX_RESET_GRACE_SECONDS}"
