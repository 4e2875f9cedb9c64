"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from strongroom_service.domain.errors import StrongroomError

if TYPE_CHECKING:
    from collections.abc import Callable


class Outcome(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: the check's name, snake_case; scripts go by it.
        outcome: a FAIL must be mended before real users are served, a WARN be known, a SKIP could not be looked at.
        found: what there is, without secrets.
        remedy: what to do; empty where nothing is to be done.
    """

    check: str
    outcome: Outcome
    found: str
    remedy: str = ""


def ok(check: str, found: str) -> Finding:
    """Return that all is well."""
    return Finding(check, Outcome.OK, found)


def warn(check: str, found: str, remedy: str) -> Finding:
    """Return what should be known."""
    return Finding(check, Outcome.WARN, found, remedy)


def fail(check: str, found: str, remedy: str) -> Finding:
    """Return what must be mended."""
    return Finding(check, Outcome.FAIL, found, remedy)


def skip(check: str, found: str) -> Finding:
    """Return why it could not be looked at."""
    return Finding(check, Outcome.SKIP, found)


def attempt(check: str, look: Callable[[], str], remedy: str) -> Finding:
    """Return what `look` says it found; a failure if it raises one of our errors."""
    try:
        return ok(check, look())
    except StrongroomError as error:
        return fail(check, str(error), remedy)
