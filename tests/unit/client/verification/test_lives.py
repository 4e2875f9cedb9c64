from __future__ import annotations

import pytest

from strongroom.v1 import ceremony_pb2, event_pb2
from strongroom_client.verification.lives import Account, Life

NOTHING = ceremony_pb2.CeremonyRequest()


def exhausted(*, about_set_aside: bool = False, ends: bool = False) -> event_pb2.Event:
    event = event_pb2.Event(outcome=event_pb2.EVENT_OUTCOME_EXHAUSTED, about_set_aside=about_set_aside)
    if ends:
        event.erase_time.FromSeconds(1)
    return event


@pytest.mark.parametrize("closes", [True, False])
def test_what_is_set_aside_outlives_its_attempts_only_where_it_closed(*, closes: bool) -> None:
    """A life that closed still has an end to wait for; one that was destroyed has none."""
    account = Account(aside=Life(passkeys={b"id": b"key"}))
    account.follow(NOTHING, exhausted(about_set_aside=True, ends=closes))
    assert (account.aside is not None) == closes


def test_exhaustion_of_one_life_says_nothing_of_the_other() -> None:
    account = Account(life=Life(passkeys={b"new": b"key"}), aside=Life(passkeys={b"old": b"key"}))
    account.follow(NOTHING, exhausted())
    assert account.life == Life()
    assert account.aside == Life(passkeys={b"old": b"key"})


def test_vault_that_closed_and_is_reset_is_what_is_set_aside() -> None:
    account = Account(life=Life(passkeys={b"id": b"key"}))
    account.follow(NOTHING, exhausted())
    account.follow_order(event_pb2.Event(kind=event_pb2.EVENT_KIND_RESET))
    assert account.aside == Life(passkeys={b"id": b"key"})
    assert account.life == Life()


def test_erasure_that_was_due_leaves_nothing() -> None:
    account = Account(life=Life(passkeys={b"new": b"key"}), aside=Life(), used_up=Life())
    account.sweep(event_pb2.Event(swept=[event_pb2.SWEPT_ACCOUNT]))
    assert account == Account()
