"""Lives of a record that end, are set aside, come back or are due to be erased. Pure."""

from __future__ import annotations

from dataclasses import replace

from strongroom_service.domain.clock import Millis
from strongroom_service.domain.events import Swept
from strongroom_service.domain.records import GENESIS_HEAD, Record, SetAside, VaultState


def to_tombstone(record: Record, state: VaultState) -> Record:
    """Erase what could be opened or asserted. Version, life, policy, ledger and what is set aside stay.

    What is set aside survives the end of the newer life, however that ends: a thief of logins could otherwise reset,
    enroll and delete, and so erase at once what a reset must keep for its owner.
    """
    return replace(record, state=state, credentials=(), recovery_public_key=b"", archives=(), grants=())


def drop_grants_of(record: Record, credential_id: bytes) -> Record:
    """Forget what a credential was granted: it is trusted no longer."""
    return replace(record, grants=tuple(grant for grant in record.grants if grant.credential_id != credential_id))


def set_aside(record: Record, *, now: Millis) -> SetAside:
    """Return `record` as it is set aside now. Its grace starts once it cools down no longer."""
    kept = replace(record, grants=(), set_aside=None, account_erase_at=None)
    starts_at = max(now, record.ledger.cool_down_until)
    erase_at = Millis(starts_at + record.policy.reset_grace_seconds * 1_000)
    return SetAside(record=kept, set_aside_at=now, erase_at=erase_at)


def lengthen_grace(aside: SetAside, charged: Record, *, now: Millis) -> SetAside:
    """Return what is set aside after a failure to reopen it: its grace stands still while it waits.

    Only what is waited longer counts: a vault that is closed already was given its week before.
    """
    waits_until = max(now, aside.record.ledger.cool_down_until)
    longer_ms = max(0, charged.ledger.cool_down_until - waits_until)
    return replace(aside, record=charged, erase_at=Millis(aside.erase_at + longer_ms))


def revive_set_aside(record: Record) -> Record:
    """Bring back what was set aside in place of the newer life, as a life of its own.

    Raises:
        ValueError: nothing is set aside; that is checked before anything is judged.
    """
    if record.set_aside is None:
        message = "nothing is set aside"
        raise ValueError(message)
    return replace(
        record.set_aside.record,
        version=record.version,
        chain_head=GENESIS_HEAD,
        life=record.life + 1,
        grants=(),
        set_aside=None,
        account_erase_at=record.account_erase_at,
    )


def without_due(record: Record, *, now: Millis) -> tuple[Record, tuple[Swept, ...]]:
    """Return the record without what is due to be erased, and what that was.

    Every rule is applied to this: what is due is gone, whether or not a change has made that durable yet.
    """
    if record.account_erase_at is not None and now >= record.account_erase_at:
        erased = to_tombstone(record, VaultState.ERASED)
        return replace(erased, set_aside=None, account_erase_at=None), (Swept.ACCOUNT,)
    if record.set_aside is not None and now >= record.set_aside.erase_at:
        return replace(record, set_aside=None), (Swept.SET_ASIDE,)
    return record, ()
