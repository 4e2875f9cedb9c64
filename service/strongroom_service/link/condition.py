"""What a keeper told of itself with its last probe."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from strongroom_service.telemetry.keeper_metrics import KeyUse, TokenCount, TokenOperation, TokenResult

if TYPE_CHECKING:
    from collections.abc import Iterable

    from strongroom.keeper.v1.frames_pb2 import ProbeReply, TokenOperationCount

_OPERATIONS: Final = {each.value: each for each in TokenOperation}
_RESULTS: Final = {each.value: each for each in TokenResult}
_USES: Final = {each.value: each for each in KeyUse}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEpoch:
    """An epoch in use, and when it was made."""

    use: KeyUse
    epoch: int
    created_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperCondition:
    """What is not as an operator would wish it, with which such a keeper goes on all the same; and what is counted.

    Attributes:
        memory_locked: its memory is kept out of swap.
        clock_beyond_ms: by how much its host's clock is ahead of (negative: behind) the time it goes by.
        clock_trusted: it begins and judges by that clock.
        token_operations: what it asked of the token since it last told.
        epochs: the key epochs that it uses.
    """

    memory_locked: bool
    clock_beyond_ms: int
    clock_trusted: bool
    token_operations: tuple[TokenCount, ...] = field(default=(), repr=False)
    epochs: tuple[KeyEpoch, ...] = ()

    @classmethod
    def read(cls, reply: ProbeReply) -> Self:
        """Return what a keeper said; names that a newer one says and this front does not know are left out."""
        return cls(
            memory_locked=reply.memory_locked,
            clock_beyond_ms=reply.clock_beyond_ms,
            clock_trusted=reply.clock_trusted,
            token_operations=tuple(_read_counts(reply.token_operations)),
            epochs=tuple(
                KeyEpoch(use=_USES[each.purpose], epoch=each.epoch, created_at_ms=each.created_at)
                for each in reply.epochs
                if each.purpose in _USES
            ),
        )


def _read_counts(messages: Iterable[TokenOperationCount]) -> Iterable[TokenCount]:
    for each in messages:
        if each.operation in _OPERATIONS and each.result in _RESULTS:
            yield TokenCount(
                operation=_OPERATIONS[each.operation],
                result=_RESULTS[each.result],
                count=each.count,
                seconds=each.microseconds / 1_000_000,
            )
