"""What an error of PostgreSQL says of the transaction it came from: rolled back for certain, or nothing."""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import errors

from strongroom_service.domain.errors import Fault, OutcomeUnknown, StoreUnavailable

# PostgreSQL answers these with a transaction that is certainly rolled back. Everything else after the statement was
# sent, above all 08 (connection), 57 (shutdown, cancelled) and 40003, says nothing about a commit under way.
_ROLLED_BACK_CLASSES: Final = frozenset({"0A", "22", "23", "25", "40", "42", "53", "54", "55"})
_COMPLETION_UNKNOWN: Final = "40003"


class RolledBack(StoreUnavailable):
    """The database rolled the transaction back in favour of another (40001, 40P01): it may be tried again."""


class Refused(StoreUnavailable):
    """The database refused what is in the statement; another one might pass."""


def translate(error: psycopg.Error) -> Fault:
    """Return the fault that `error` of a statement stands for; OutcomeUnknown unless it was certainly rolled back."""
    message = describe(error)
    if isinstance(error, (errors.SerializationFailure, errors.DeadlockDetected)):
        return RolledBack(message)
    state = error.sqlstate
    if state is not None and state[:2] in _ROLLED_BACK_CLASSES and state != _COMPLETION_UNKNOWN:
        return Refused(f"refused: {message}")
    if isinstance(error, (psycopg.DataError, psycopg.ProgrammingError)) and state is None:
        return Refused(f"never sent: {message}")
    return OutcomeUnknown(message)


def describe(error: Exception) -> str:
    """Return the error's class, state and first line, without what DETAIL may quote of a row."""
    state = getattr(error, "sqlstate", None)
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}{f' ({state})' if state else ''}: {lines[0]}"
