"""Changing a key of the vault: a keeper makes the row in which it is done, and every keeper in reach is given it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from strongroom_service.application.make_checkpoint import Remembered
from strongroom_service.domain.errors import Misconfigured, OutcomeUnknown, VersionConflict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from strongroom_service.application.evidence import VaultStanding
    from strongroom_service.application.rows import RecordRow, VaultRow
    from strongroom_service.application.stores import HistoryScan, VaultStore
    from strongroom_service.domain.checkpoints import Leaf
    from strongroom_service.domain.clock import Millis
    from strongroom_service.domain.epochs import EpochChange, EpochState, RotatedKey

_ROWS_AT_ONCE: Final = 16
_EVENTS_AT_ONCE: Final = 256
_MOST_TRIES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStanding:
    """A key as the vault's row names it; `rotated` is None for the index key, `fingerprint` empty but for identity."""

    label: str
    rotated: RotatedKey | None
    epoch: int
    state: EpochState
    state_at: Millis
    check_value: bytes
    fingerprint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """All keys, the bundle that clients are shown, and how long a change takes to reach every keeper."""

    keys: tuple[KeyStanding, ...] = field(repr=False)
    created_at: Millis
    bundle_serial: int
    bundle_not_after: Millis
    spread_ms: int

    def of(self, rotated: RotatedKey, state: EpochState) -> KeyStanding | None:
        """Return the newest key of a kind that is in `state`."""
        found = [key for key in self.keys if key.rotated is rotated and key.state is state]
        return max(found, key=lambda key: key.epoch, default=None)

    def next_epoch(self, rotated: RotatedKey) -> int:
        """Return the epoch of the key that would be made next."""
        return 1 + max(key.epoch for key in self.keys if key.rotated is rotated)

    def named(self, label: str) -> KeyStanding:
        """Return the key with this label.

        Raises:
            Misconfigured: there is none.
        """
        for key in self.keys:
            if key.label == label:
                return key
        raise Misconfigured(f"there is no key {label}: see `strongroomd keys list`")


@dataclass(frozen=True, slots=True)
class KeyStep:
    """One change of one key."""

    rotated: RotatedKey
    epoch: int
    change: EpochChange


class KeyKeeper(Protocol):
    """What changing keys asks of a keeper. Every method raises KeeperUnavailable, TokenFault or Misconfigured."""

    async def open_vault(self, row: VaultRow) -> VaultStanding:
        """See `evidence.CheckpointKeeper.open_vault`."""

    async def list_keys(self) -> KeyRing:
        """Return the keys of the vault that is open."""

    async def change_key(self, step: KeyStep) -> VaultRow:
        """Return the vault's row in which `step` is done.

        Raises:
            Misconfigured: it may not be, or not yet.
        """

    async def survey(self, rows: Sequence[RecordRow]) -> int:
        """Count which keys `rows` need, for a later step of this connection; return how many it has seen.

        Raises:
            RecordRejected: one does not open.
        """


async def change_key(vault: VaultStore, *, keepers: Sequence[KeyKeeper], step: KeyStep) -> None:
    """Have the first of `keepers` make the step, commit it, and give all of them the new row.

    Raises:
        Misconfigured: the step may not be, or not yet; nothing changed.
        OutcomeUnknown: it may have been made: list the keys.
        Fault: database or keeper failed; once it is committed, keepers take it up by themselves.
    """
    made = await _committed(vault, keeper=keepers[0], step=step)
    for keeper in keepers:
        await keeper.open_vault(made)


async def _committed(vault: VaultStore, *, keeper: KeyKeeper, step: KeyStep) -> VaultRow:
    for _ in range(_MOST_TRIES):
        await keeper.open_vault(await _row(vault))
        made = await keeper.change_key(step)
        with suppress(VersionConflict, OutcomeUnknown):
            await vault.commit_vault(made)
            return made
        if await _row(vault) == made:  # it landed after all; else somebody renewed the bundle, or made a checkpoint
            return made
    raise OutcomeUnknown("the vault's row was changed by others again and again: list the keys to see how they stand")


async def _row(vault: VaultStore) -> VaultRow:
    row = await vault.load_vault()
    if row is None:
        raise Misconfigured("the vault has no keys yet: run `strongroomd init`")
    return row


async def survey(scan: HistoryScan, *, keeper: KeyKeeper, last_leaves: Iterator[Leaf]) -> int:
    """Have the keeper open every record to see which keys it needs; return how many there are.

    Every leaf of the last checkpoint must have a row at or above it: a key is not retired by what a database that was
    put back does not show.

    Raises:
        RecordRejected: one has not, or does not open.
        Fault: database or keeper failed.
    """
    remembered = Remembered(last_leaves)
    seen, after = 0, b""
    while record_ids := await scan.scan_record_ids(after=after, limit=_ROWS_AT_ONCE):
        rows = [row for each in record_ids if (row := await scan.load_record(each)) is not None]
        for row in rows:
            remembered.check(row)
        seen = await keeper.survey(rows)
        after = record_ids[-1]
    remembered.end()
    return seen


async def count_events(scan: HistoryScan, *, needs: Callable[[bytes], bool]) -> int:
    """Return how many sealed events, of all that are kept, `needs` is true of.

    Raises:
        RecordRejected: an event is no sealed form.
        StoreUnavailable: the database gave no answer.
    """
    count, after = 0, b""
    while record_ids := await scan.scan_record_ids(after=after, limit=_ROWS_AT_ONCE):
        for record_id in record_ids:
            version = 0
            while events := await scan.scan_events(record_id, after_version=version, limit=_EVENTS_AT_ONCE):
                count += sum(needs(event.sealed) for event in events)
                version = events[-1].version
        after = record_ids[-1]
    return count
