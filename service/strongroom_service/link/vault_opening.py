"""Opening the vault on a connection to a keeper: the first call of each, and again from time to time."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from strongroom_service.application.rows import VaultRow
from strongroom_service.domain.errors import Fault, Misconfigured, OutcomeUnknown, VersionConflict
from strongroom_service.link import codec, replies

if TYPE_CHECKING:
    from strongroom_service.link.connection import KeeperConnection

LoadVault = Callable[[], Awaitable[VaultRow | None]]
CommitVault = Callable[[VaultRow], Awaitable[None]]

_ID_KEY_BYTES: Final = 32
_MOST_SUCCESSORS: Final = 5


@dataclass(frozen=True, slots=True)
class IdKey:
    """What record ids are derived with: 32 bytes."""

    value: bytes = field(repr=False)


class VaultOpening:
    """Presents the vault's newest row to keepers, and commits the successors that they make of it.

    Attributes:
        id_key: what the keepers derived; None before the first success. All must derive the same.
    """

    def __init__(self, *, load_vault: LoadVault, commit_vault: CommitVault) -> None:
        self._load = load_vault
        self._commit = commit_vault
        self.id_key: IdKey | None = None

    async def open(self, connection: KeeperConnection) -> None:
        """Have the keeper open the newest row; renew the row if the keeper says that its key bundle is due.

        Raises:
            Misconfigured: the vault has no row, or this keeper's token holds another vault's keys.
            TokenFault, RecordRejected: as the keeper says.
            KeeperUnavailable: the keeper did not answer.
            StoreUnavailable: the row could not be read or written.
        """
        for _ in range(_MOST_SUCCESSORS):
            row = await self._load()
            if row is None:
                raise Misconfigured("the vault has no keys yet: run `strongroomd init`")
            opened = replies.vault_opened(await connection.send(codec.open_vault_call(row)))
            self._take(opened.id_key)
            if not opened.successor_sealed:
                return
            # Whoever came first, or whether ours landed: the next turn presents the row that stands.
            with suppress(VersionConflict, OutcomeUnknown):
                await self._commit(VaultRow(version=row.version + 1, sealed=opened.successor_sealed))
        raise Fault(f"the vault's row was still due for renewal after {_MOST_SUCCESSORS} successors")

    def _take(self, id_key: bytes) -> None:
        if len(id_key) != _ID_KEY_BYTES:
            raise Fault(f"keeper gave an id key of {len(id_key)} bytes")
        if self.id_key is None:
            self.id_key = IdKey(id_key)
        elif not hmac.compare_digest(self.id_key.value, id_key):
            raise Misconfigured("keepers derive different id keys: their tokens do not hold the same vault's keys")
