"""What the demo holds its parts to. A check raises or returns; nothing is only reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

_Refusal = TypeVar("_Refusal", bound=Exception)


class CheckFailed(Exception):
    """Something that the demo shows does not hold."""


def require(holds: bool, claim: str) -> None:  # noqa: FBT001  read as an assertion, which `python -O` would drop
    """Stop unless `claim` holds.

    Raises:
        CheckFailed: it does not.
    """
    if not holds:
        raise CheckFailed(f"this does not hold: {claim}")


def require_refusal(refusal: type[_Refusal], action: Callable[[], object]) -> _Refusal:
    """Do `action`, which must be refused by raising `refusal`, and return that.

    Raises:
        CheckFailed: it was done.
        Exception: it failed in another way.
    """
    try:
        action()
    except refusal as refused:
        return refused
    raise CheckFailed(f"{refusal.__name__} was to be raised, and nothing was refused")
