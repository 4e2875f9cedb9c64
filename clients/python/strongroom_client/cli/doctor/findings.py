"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique


@unique
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
        outcome: a FAIL keeps something from working, a WARN should be known, a SKIP could not be looked at.
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
