"""Texts that people read: rules that callers are told, and details that stay in the log, word for word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from strongroom_service.domain.ceremonies import Delete, Mode, Operation
from strongroom_service.domain.credentials import PolicyViolated, PolicyViolation
from strongroom_service.domain.errors import InvalidField, Refusal
from strongroom_service.domain.lives import revive_set_aside
from strongroom_service.domain.orders import Order, decide_order
from strongroom_service.domain.preconditions import check_may_recover
from strongroom_service.domain.records import find_credential
from strongroom_service.domain.successes import NOTHING, Brought, apply_success
from tests.fakes.account import (
    ADD,
    LIFT,
    OTHER_PASSKEY,
    PASSKEY,
    RECOVERY,
    REGISTER,
    RELEASE,
    REMOVE,
    REMOVE_FIRST,
    REOPEN_CLOSED,
    SET_RECOVERY,
    STORE,
    WRONG,
    Account,
)


def enrolled() -> Account:
    account = Account()
    account.enroll()
    return account


def full(account: Account) -> None:
    for number in range(2, 17):
        account.complete(account.begin(replace(ADD, credential_id=bytes([number]) * 16)))


def add_a_seventeenth(account: Account) -> None:
    full(account)
    account.begin(replace(ADD, credential_id=bytes([17]) * 16))


def remove_the_last(account: Account) -> None:
    account.record = replace(account.held, recovery_public_key=b"")
    account.begin(REMOVE_FIRST)


def store_at_first_in_another_mode(_: Account) -> None:
    account = Account()
    account.complete(account.begin(REGISTER))
    account.begin(replace(STORE, mode=Mode.VAULT_HELD))


def set_the_same_recovery(account: Account) -> None:
    account.begin(replace(SET_RECOVERY, recovery_public_key=RECOVERY))


INVALID: list[tuple[Callable[[Account], object], str, str]] = [
    (
        lambda account: account.begin(REOPEN_CLOSED),
        "request.reopen.target",
        "must be what is set aside or closed",
    ),
    (
        lambda account: account.begin(replace(ADD, credential_id=PASSKEY)),
        "request.add_credential.credential_id",
        "must not be in the vault already",
    ),
    (
        store_at_first_in_another_mode,
        "request.store.mode",
        "must at first be the mode chosen at registration",
    ),
    (add_a_seventeenth, "request.add_credential", "must not be the vault's passkey number 17"),
    (
        lambda account: account.begin(REMOVE),
        "request.remove_credential.credential_id",
        "must be in the vault",
    ),
    (
        remove_the_last,
        "request.remove_credential.credential_id",
        "must not be the last passkey while there is no recovery credential",
    ),
    (set_the_same_recovery, "request.set_recovery.recovery_public_key", "must be another than before"),
    (
        lambda account: account.begin(LIFT),
        "request.lift_quarantine.credential_id",
        "must be a quarantined passkey",
    ),
]


@pytest.mark.parametrize(("asks", "field", "rule"), INVALID, ids=[field for _, field, _ in INVALID])
def test_rule_that_a_field_broke_is_told(asks: Callable[[Account], object], field: str, rule: str) -> None:
    with pytest.raises(InvalidField) as caught:
        asks(enrolled())
    assert (caught.value.field, caught.value.rule, caught.value.detail) == (field, rule, f"{field}: {rule}")
    assert str(caught.value) == "INVALID_FIELD"


def inert(_: Account) -> Account:
    account = Account()
    account.complete(account.begin(REGISTER))
    return account


def complete_a_dead_one(account: Account) -> None:
    waiting = account.begin(RELEASE)
    account.complete(account.begin(RELEASE))
    account.complete(waiting)


DETAILS: list[tuple[Callable[[Account], object], str]] = [
    (lambda account: inert(account).begin(RELEASE), "nothing was stored yet"),
    (
        lambda account: inert(account).order(Operation.RESET),
        "nothing was stored yet: it can be registered anew",
    ),
    (lambda _: check_may_recover(Operation.SET_POLICY), "the recovery credential may not set_policy"),
    (complete_a_dead_one, "the record has moved on"),
    (lambda account: find_credential(account.held, OTHER_PASSKEY), "unknown credential"),
]


@pytest.mark.parametrize(("asks", "detail"), DETAILS, ids=[detail for _, detail in DETAILS])
def test_why_a_request_was_refused_is_in_the_log(asks: Callable[[Account], object], detail: str) -> None:
    with pytest.raises(Refusal) as caught:
        asks(enrolled())
    assert caught.value.detail == detail


def test_why_an_attempt_was_not_granted_is_in_event_and_log_alike() -> None:
    account = enrolled()
    for checked, reason in (
        (WRONG, "wrong_signature: signature"),
        (PolicyViolated(violation=PolicyViolation.ORIGIN), "origin"),
    ):
        decided = account.complete(account.begin(RELEASE), checked)
        assert decided is not None
        assert decided.refusal is not None
        assert decided.event.reason == decided.refusal.detail == reason


def store_without_envelope(account: Account) -> None:
    apply_success(account.held, account.begin(STORE).request, brought=NOTHING, now=account.now)


def add_without_passkey(account: Account) -> None:
    brought = Brought(archive=account.held.archives[0])
    apply_success(account.held, account.begin(ADD).request, brought=brought, now=account.now)


def register_by_assertion(account: Account) -> None:
    request = replace(account.begin(Delete()).request, parameters=REGISTER)
    apply_success(account.held, request, brought=NOTHING, now=account.now)


def order_a_release(account: Account) -> None:
    decide_order(account.held, Order(operation=Operation.RELEASE, nonce=bytes(32), now=account.now))


BUGS: list[tuple[Callable[[Account], object], str]] = [
    (store_without_envelope, "what stores an envelope was completed without one"),
    (add_without_passkey, "an addition was completed without its passkey"),
    (register_by_assertion, "register cannot be completed by an assertion"),
    (order_a_release, "release is not done without a ceremony"),
    (lambda account: revive_set_aside(account.held), "nothing is set aside"),
]


@pytest.mark.parametrize(("asks", "text"), BUGS, ids=[text for _, text in BUGS])
def test_step_that_was_not_checked_before_fails_by_name(asks: Callable[[Account], object], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        asks(enrolled())
