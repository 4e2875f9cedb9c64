"""A front between client and vault that cheats: it changes one kind of request or response, or loses answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from google.protobuf.message import Message

from strongroom_client.errors import Unavailable
from strongroom_client.steps import Rpc
from tests.fakes.vault import FakeVault

AnyMessage: TypeAlias = Any
"""Whichever message an RPC has: tests spoil its fields by name."""
Spoil: TypeAlias = Callable[[AnyMessage], Message | None]


@dataclass
class CheatingFront:
    """Implements the client's Connection over `vault`.

    `spoil_requests` and `spoil_responses` change copies of messages in place, or return others. `lose` counts, per RPC,
    answers to lose after the vault has given them.
    """

    vault: FakeVault
    spoil_requests: dict[Rpc, Spoil] = field(default_factory=dict)
    spoil_responses: dict[Rpc, Spoil] = field(default_factory=dict)
    lose: dict[Rpc, int] = field(default_factory=dict)
    seen: list[tuple[Rpc, Message]] = field(default_factory=list)

    def close(self) -> None:
        """Nothing to close."""

    def call(self, rpc: Rpc, request: Message) -> Message:
        self.seen.append((rpc, request))
        response = self.vault.call(rpc, _spoilt(request, self.spoil_requests.get(rpc)))
        if self.lose.get(rpc, 0) > 0:
            self.lose[rpc] -= 1
            raise Unavailable("lost")
        return _spoilt(response, self.spoil_responses.get(rpc))


def _spoilt(message: Message, spoil: Spoil | None) -> Message:
    if spoil is None:
        return message
    copy = type(message)()
    copy.CopyFrom(message)
    return spoil(copy) or copy
