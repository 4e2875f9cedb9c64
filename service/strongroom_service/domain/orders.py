"""Changes that no passkey asserts: reset by an account token, erasure by the tenant, upkeep by the operator.

Pure, as `decisions`: what is returned must be committed before anything of it is told, and a refusal changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from strongroom_service.domain.attempts import EMPTY_LEDGER
from strongroom_service.domain.ceremonies import ASSERTION_CEREMONY_SECONDS, Operation
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.decisions import Decided
from strongroom_service.domain.errors import Reason, Refusal
from strongroom_service.domain.events import NO_EVIDENCE, Event, Outcome, Swept
from strongroom_service.domain.lives import set_aside, to_tombstone
from strongroom_service.domain.preconditions import require_vault
from strongroom_service.domain.records import GENESIS_HEAD, MAX_GRANTS, Grant, VaultState

if TYPE_CHECKING:
    from strongroom_service.domain.records import Record

ACCOUNT_ERASURE_SECONDS = 30 * 86_400
"""How long the erasure of an account waits, shown to the account, before it takes effect."""

_HOLDING = frozenset({VaultState.INERT, VaultState.LIVE})


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for without a ceremony. `nonce` is the caller's; `swept` as in `decisions.Attempt`."""

    operation: Operation
    nonce: bytes
    now: Millis
    swept: tuple[Swept, ...] = ()


def decide_order(record: Record | None, order: Order) -> Decided:
    """Decide a reset, or an erasure asked for or taken back.

    Raises:
        Refusal: NO_VAULT, VAULT_EXHAUSTED, RESET_PENDING, ERASURE_PENDING or NO_ERASURE_PENDING.
        ValueError: the operation is none of these.
    """
    match order.operation:
        case Operation.RESET:
            return _reset(record, order)
        case Operation.ERASE_ACCOUNT:
            return _erase(record, order)
        case Operation.CANCEL_ERASE_ACCOUNT:
            return _cancel(record, order)
        case _:
            message = f"{order.operation.value} is not done without a ceremony"
            raise ValueError(message)


def decide_sweep(record: Record, *, swept: tuple[Swept, ...], now: Millis) -> Decided:
    """Make durable that what was due is gone. `record` is already without it."""
    return _kept_up(record, operation=Operation.SWEEP, swept=swept, now=now)


def decide_rewrap(record: Record, *, swept: tuple[Swept, ...], now: Millis) -> Decided:
    """Move a record to the keys in use. Its envelopes are wrapped anew already; nothing else of it changes."""
    return _kept_up(record, operation=Operation.REWRAP, swept=swept, now=now)


def _kept_up(record: Record, *, operation: Operation, swept: tuple[Swept, ...], now: Millis) -> Decided:
    moved = replace(record, version=record.version + 1, grants=_unexpired(record, now=now))
    event = Event(
        version=moved.version,
        at=now,
        operation=operation,
        outcome=Outcome.GRANTED,
        reason="",
        failures=moved.ledger.failures,
        evidence=NO_EVIDENCE,
        swept=swept,
    )
    return Decided(record=moved, event=event, refusal=None)


def _reset(record: Record | None, order: Order) -> Decided:
    if record is not None and record.set_aside is not None:
        # Else a thief of logins would reset twice, and the first reset's victim had lost what it keeps.
        raise Refusal(Reason.RESET_PENDING)
    vault = require_vault(record)
    if vault.state is VaultState.INERT:
        raise Refusal(Reason.NO_VAULT, detail="nothing was stored yet: it can be registered anew")
    aside = set_aside(vault, now=order.now)
    emptied = replace(to_tombstone(vault, VaultState.EMPTY), ledger=EMPTY_LEDGER, set_aside=aside)
    return _ordered(emptied, order, effect_at=aside.erase_at)


def _erase(record: Record | None, order: Order) -> Decided:
    if record is None or (record.state not in _HOLDING and record.set_aside is None):
        raise Refusal(Reason.NO_VAULT)
    if record.account_erase_at is not None:
        raise Refusal(Reason.ERASURE_PENDING)
    erase_at = Millis(order.now + ACCOUNT_ERASURE_SECONDS * 1_000)
    return _ordered(replace(record, account_erase_at=erase_at), order, effect_at=erase_at)


def _cancel(record: Record | None, order: Order) -> Decided:
    if record is None or record.account_erase_at is None:
        raise Refusal(Reason.NO_ERASURE_PENDING)
    return _ordered(replace(record, account_erase_at=None), order, effect_at=None)


def _ordered(changed: Record, order: Order, *, effect_at: Millis | None) -> Decided:
    version = changed.version + 1
    grant = Grant(
        challenge=order.nonce,
        credential_id=b"",
        operation=order.operation,
        recipient=b"",
        version=version,
        chain_head=GENESIS_HEAD,
        expires_at=Millis(order.now + ASSERTION_CEREMONY_SECONDS * 1_000),
        archive_versions=(),
        effect_at=effect_at,
    )
    kept = _unexpired(changed, now=order.now)
    moved = replace(changed, version=version, grants=(*kept, grant)[-MAX_GRANTS:])
    event = Event(
        version=version,
        at=order.now,
        operation=order.operation,
        outcome=Outcome.GRANTED,
        reason="",
        failures=moved.ledger.failures,
        evidence=NO_EVIDENCE,
        swept=order.swept,
        erase_at=effect_at,
    )
    return Decided(record=moved, event=event, refusal=None)


def _unexpired(record: Record, *, now: Millis) -> tuple[Grant, ...]:
    return tuple(grant for grant in record.grants if now < grant.expires_at)
