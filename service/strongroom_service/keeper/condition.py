"""What an operator should know of a keeper, told with each probe: it has no port where it could be asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from strongroom.keeper.v1 import frames_pb2
from strongroom_service.domain.epochs import EpochState
from strongroom_service.keeper.token.port import KeyPurpose
from strongroom_service.telemetry.keeper_metrics import KeyUse

if TYPE_CHECKING:
    from strongroom_service.domain.clock import Millis
    from strongroom_service.keeper.formats.vault_row import VaultContents
    from strongroom_service.telemetry.keeper_metrics import TokenCount

_USES: Final = {
    KeyPurpose.KEK: KeyUse.KEK,
    KeyPurpose.SEAL: KeyUse.SEAL,
    KeyPurpose.TRANSPORT: KeyUse.TRANSPORT,
    KeyPurpose.IDENTITY: KeyUse.IDENTITY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Attributes as in `ProbeReply`."""

    memory_locked: bool
    clock_beyond: Millis
    clock_trusted: bool
    token_operations: tuple[TokenCount, ...] = field(default=(), repr=False)

    def reply(self, contents: VaultContents | None) -> frames_pb2.ProbeReply:
        """Return the answer to a probe; `contents` is of the vault row that is open."""
        return frames_pb2.ProbeReply(
            memory_locked=self.memory_locked,
            clock_beyond_ms=self.clock_beyond,
            clock_trusted=self.clock_trusted,
            token_operations=[_count_message(each) for each in self.token_operations],
            epochs=() if contents is None else _epochs_in_use(contents),
        )


def _count_message(count: TokenCount) -> frames_pb2.TokenOperationCount:
    return frames_pb2.TokenOperationCount(
        operation=count.operation.value,
        result=count.result.value,
        count=count.count,
        microseconds=round(count.seconds * 1_000_000),
    )


def _epochs_in_use(contents: VaultContents) -> list[frames_pb2.EpochInUse]:
    """The first epochs have no time of their own: they are as old as the vault."""
    return [
        frames_pb2.EpochInUse(
            purpose=_USES[key.name.purpose].value,
            epoch=key.name.epoch,
            created_at=key.state_at or contents.created_at,
        )
        for key in contents.keys
        if key.state is EpochState.ACTIVE and key.name.purpose in _USES
    ]
