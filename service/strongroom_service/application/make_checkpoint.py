"""Making a checkpoint: a keeper opens every row and signs where each chain is; the vault's row keeps its digest.

First the file is written whole and durably, then the vault's row is committed, then the file is given its name. Cut
short in between, the next run finds the draft and knows by the vault's row whether it counts.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from strongroom_service.application.stores import HistoryScan, VaultStore
from strongroom_service.domain.chains import Finding, Named
from strongroom_service.domain.errors import OutcomeUnknown, RecordRejected, VersionConflict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from strongroom_service.application.evidence import CheckpointKeeper, VaultStanding
    from strongroom_service.application.rows import RecordRow, VaultRow
    from strongroom_service.domain.checkpoints import CheckpointHead, Leaf, SignedCheckpoint

_ROWS_AT_ONCE: Final = 16
_MOST_TRIES: Final = 5


class CheckpointDraft(Protocol):
    """A checkpoint that is being written."""

    def add(self, leaf: Leaf) -> None:
        """Write the next leaf."""

    def finish(self, signed: SignedCheckpoint) -> None:
        """Write the head, in place of one that was written before, and make all of it durable."""


class CheckpointSource(HistoryScan, VaultStore, Protocol):
    """Everything that is stored, and the vault's row to be replaced."""


async def make_checkpoint(
    source: CheckpointSource,
    *,
    keeper: CheckpointKeeper,
    draft: CheckpointDraft,
    last_leaves: Iterator[Leaf],
) -> CheckpointHead:
    """Write a checkpoint of all rows as they are at their turn into `draft`, and commit that it was made.

    Every record of `last_leaves`, those of the last checkpoint, must have a row at or above its leaf: a database that
    was put back gets no checkpoint that would make it look right.

    Raises:
        RecordRejected: it has not, or a row does not open, or another checkpoint was made meanwhile.
        Fault: database or keeper failed; no checkpoint was made, unless it is OutcomeUnknown.
    """
    standing = await keeper.open_vault(await _vault_row(source))
    remembered = Remembered(last_leaves)
    after = b""
    while record_ids := await source.scan_record_ids(after=after, limit=_ROWS_AT_ONCE):
        rows = [await _row(source, record_id) for record_id in record_ids]
        for leaf in await keeper.add_leaves(_checked(rows, remembered)):
            draft.add(leaf)
        after = record_ids[-1]
    remembered.end()
    return await _sign_and_commit(source, keeper=keeper, draft=draft, standing=standing)


async def _sign_and_commit(
    vault: VaultStore, *, keeper: CheckpointKeeper, draft: CheckpointDraft, standing: VaultStanding
) -> CheckpointHead:
    for _ in range(_MOST_TRIES):
        made = await keeper.finish_checkpoint()
        head = made.signed.head
        if (head.serial, head.previous_sha256) != (standing.serial + 1, standing.digest):
            raise RecordRejected("another checkpoint was made meanwhile")
        draft.finish(made.signed)
        with suppress(VersionConflict, OutcomeUnknown):
            await vault.commit_vault(made.successor)
            return head
        row = await _vault_row(vault)  # somebody renewed the key bundle, or ours landed after all
        if row == made.successor:
            return head
        await keeper.open_vault(row)
    raise OutcomeUnknown(
        "the vault's row was changed by others again and again; whether the last commit landed is unknown"
    )


async def _row(source: HistoryScan, record_id: bytes) -> RecordRow:
    row = await source.load_record(record_id)
    if row is None:
        why = "there are events of it, but it has no row: verify the events"
        raise RecordRejected(str(Finding(named=Named.ROW_REMOVED, record_id=record_id, version=1, why=why)))
    return row


async def _vault_row(vault: VaultStore) -> VaultRow:
    row = await vault.load_vault()
    if row is None:
        raise RecordRejected("the vault has no row")
    return row


def _checked(rows: Sequence[RecordRow], remembered: Remembered) -> Sequence[RecordRow]:
    for row in rows:
        remembered.check(row)
    return rows


class Remembered:
    """The last checkpoint's leaves beside the rows, both in order of record ids."""

    def __init__(self, leaves: Iterator[Leaf]) -> None:
        self._leaves = leaves
        self._next = next(leaves, None)

    def check(self, row: RecordRow) -> None:
        """Take the next row. Raises RecordRejected: a leaf before it has none, or it is below its own."""
        if self._next is None or self._next.record_id > row.record_id:
            return
        leaf = self._next
        if leaf.record_id < row.record_id:
            raise RecordRejected(_put_back(leaf, "has no row"))
        if leaf.version > row.version:
            raise RecordRejected(_put_back(leaf, f"is at {row.version}"))
        self._next = next(self._leaves, None)

    def end(self) -> None:
        """Know that there are no more rows. Raises as `check`."""
        if self._next is not None:
            raise RecordRejected(_put_back(self._next, "has no row"))


def _put_back(leaf: Leaf, why: str) -> str:
    named = Named.PUT_BACK if why != "has no row" else Named.ROW_REMOVED
    why = f"the last checkpoint has seen it there, now it {why}: verify that checkpoint"
    return str(Finding(named=named, record_id=leaf.record_id, version=leaf.version, why=why))
