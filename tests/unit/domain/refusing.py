"""Demands a refusal, and for exactly one reason, that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from strongroom_service.domain.errors import InvalidField, Reason, Refusal
from tests.fakes.account import Account


@contextmanager
def refused(account: Account, reason: Reason, *, seconds: int | None = None) -> Iterator[None]:
    """What is done in here is refused unjudged; where `seconds` are given, with so long to wait."""
    before, events = account.record, len(account.events)
    with pytest.raises(Refusal) as caught:
        yield
    assert caught.value.reason is reason
    assert seconds is None or caught.value.retry_after_ms == 1_000 * seconds
    assert (account.record, len(account.events)) == (before, events)


@contextmanager
def invalid(account: Account, field: str) -> Iterator[None]:
    """What is done in here names a field that does not fit the record."""
    before = account.record
    with pytest.raises(InvalidField) as caught:
        yield
    assert caught.value.field == field
    assert caught.value.rule
    assert account.record == before
