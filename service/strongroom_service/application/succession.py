"""Checkpoints beside one another, and beside the vault's row: does each go on from the one before?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from strongroom_service.domain.chains import Finding, Named

if TYPE_CHECKING:
    from strongroom_service.application.evidence import VaultStanding
    from strongroom_service.domain.checkpoints import CheckpointHead


def check_succession(heads: Sequence[CheckpointHead]) -> Iterator[Finding]:
    """Yield what is wrong among checkpoints, which are given in order of their serials; gaps are nothing wrong."""
    for earlier, later in pairwise(heads):
        if later.serial == earlier.serial:
            if later.digest != earlier.digest:
                yield _finding(Named.FORKED, f"there are two checkpoints of serial {later.serial}")
        elif later.serial == earlier.serial + 1 and later.previous_sha256 != earlier.digest:
            yield _finding(Named.UNLINKED, f"checkpoint {later.serial} goes on from another one than {earlier.serial}")
        elif later.vault_version <= earlier.vault_version:
            why = f"checkpoint {later.serial} was made of an older database than {earlier.serial}"
            yield _finding(Named.RESTORED, why)


def missing_between(heads: Sequence[CheckpointHead]) -> Iterator[int]:
    """Yield the serials that are not there between the first and the last."""
    for earlier, later in pairwise(heads):
        yield from range(earlier.serial + 1, later.serial)


def check_vault_row(newest: CheckpointHead, *, version: int) -> Iterator[Finding]:
    """Yield what is wrong with the vault's row of this version: it keeps `newest`, or one after it."""
    if version < newest.vault_version:
        why = f"the vault's row is at {version}, checkpoint {newest.serial} was kept at {newest.vault_version}"
        yield _finding(Named.RESTORED, f"the database is older than its checkpoint: {why}")


def check_standing(newest: CheckpointHead, standing: VaultStanding) -> Iterator[Finding]:
    """Yield what is wrong with what the vault's row says, as a keeper has opened it."""
    if standing.serial < newest.serial:
        why = f"the vault's row keeps checkpoint {standing.serial}, and {newest.serial} has been made"
        yield _finding(Named.RESTORED, why)
    elif standing.serial == newest.serial and standing.digest != newest.digest:
        yield _finding(Named.FORKED, f"the vault's row keeps another checkpoint of serial {newest.serial}")


def _finding(named: Named, why: str) -> Finding:
    return Finding(named=named, record_id=b"", version=0, why=why)
