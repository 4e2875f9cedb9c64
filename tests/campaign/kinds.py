"""The kinds of faults, each with how often it strikes in a whole campaign and the stage that it needs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.campaign import callers, host, processes, stages, token
from tests.campaign.checker import EXPECTED, Limits
from tests.campaign.scene import Scene
from tests.campaign.stages import StruckVault

LIMITS: Final = Limits(
    budget=stages.BUDGET,
    cool_down_seconds=stages.COOL_DOWN_SECONDS,
    releases_per_day=stages.RELEASES_PER_DAY,
)
# A clock that is set is followed as far as the tolerance, so from one end of it to the other.
SET_CLOCK_LIMITS: Final = Limits(
    budget=stages.BUDGET,
    cool_down_seconds=stages.CLOCK_COOL_DOWN_SECONDS,
    releases_per_day=stages.CLOCK_RELEASES_PER_DAY,
    clock_tolerance_seconds=2.0 * stages.CLOCK_TOLERANCE_SECONDS,
    clock_is_true=False,
)


def _nothing_more(_: Scene) -> list[str]:
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind.

    Attributes:
        injections: of a whole campaign.
        strike: does it once, and returns when the fault was over (time.monotonic()).
        stage: makes a served vault in a folder.
        expected: what clients may be told meanwhile.
        also: complaints that need more than histories, once all is over.
        settle: what must be done before histories can be read.
    """

    name: str
    injections: int
    strike: Callable[[Scene], float]
    stage: Callable[[Path], AbstractContextManager[StruckVault]] = stages.plain
    limits: Limits = LIMITS
    expected: frozenset[str] = EXPECTED
    also: Callable[[Scene], list[str]] = _nothing_more
    settle: Callable[[Scene], None] = lambda _: None


# Codes that mean a wrong set-up are told as such, and nothing is tried again.
_WITH_SETUP: Final = EXPECTED | {"INTERNAL"}

KINDS: Final = (
    Kind(name="sigkill_keeper", injections=60, strike=processes.kill_keeper),
    Kind(name="sigkill_front", injections=30, strike=processes.kill_front),
    Kind(name="sigkill_parent", injections=20, strike=processes.kill_parent),
    Kind(name="sigstop_keeper", injections=60, strike=processes.stop_keeper),
    Kind(name="sigstop_front", injections=40, strike=processes.stop_front),
    Kind(name="sigstop_parent", injections=25, strike=processes.stop_parent),
    Kind(name="sigkill_front_at_step", injections=24, strike=processes.kill_front_at_step),
    Kind(name="sigkill_keepers_at_step", injections=30, strike=processes.kill_keepers_at_step),
    Kind(name="sigkill_parent_at_step", injections=20, strike=processes.kill_parent_at_step),
    Kind(name="sigstop_front_at_step", injections=24, strike=processes.stop_front_at_step),
    Kind(name="sigstop_keepers_at_step", injections=30, strike=processes.stop_keepers_at_step),
    Kind(
        name="token_error",
        injections=70,
        strike=token.token_error,
        stage=stages.failing_token,
        expected=_WITH_SETUP,
    ),
    Kind(
        name="token_hang",
        injections=40,
        strike=token.token_hang,
        stage=stages.failing_token,
        also=token.loops_on_a_pin,
    ),
    Kind(
        name="token_lost",
        injections=24,
        strike=token.token_lost,
        stage=stages.failing_token,
        also=token.loops_on_a_pin,
    ),
    Kind(name="pin_refused", injections=20, strike=token.pin_refused, stage=stages.failing_token),
    Kind(name="disk_full", injections=20, strike=host.disk_full, stage=stages.small_disk),
    Kind(name="database_locked", injections=24, strike=host.database_locked),
    Kind(name="no_descriptors", injections=24, strike=host.no_descriptors),
    Kind(
        name="clock_jump",
        injections=100,
        strike=host.clock_jump,
        stage=stages.set_clock,
        limits=SET_CLOCK_LIMITS,
    ),
    Kind(name="call_cancelled", injections=450, strike=callers.call_cancelled),
)
