"""An ASGI application's caller, without a server between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

Message = MutableMapping[str, Any]
Header = tuple[bytes, bytes]


@dataclass
class Exchange:
    """One request, and what came of it.

    Attributes:
        chunks: the body, in the pieces that it comes in.
        stalls: whether the rest of the body never comes.
    """

    headers: Iterable[Header]
    chunks: Iterable[bytes] = (b"",)
    path: str = "/strongroom.v1.VaultService/GetVault"
    method: str = "POST"
    stalls: bool = False
    status: int = 0
    answer: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    complete: bool = False

    async def run(self, application: Callable[[Any, Any, Any], Awaitable[None]]) -> None:
        left = list(self.chunks)
        never = asyncio.Event()

        async def receive() -> Message:
            if not left:
                await never.wait()
            body = left.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(left) or self.stalls}

        async def send(message: Message) -> None:
            assert not self.complete
            if message["type"] == "http.response.start":
                assert self.status == 0
                self.status, self.answer = message["status"], dict(message["headers"])
            else:
                assert self.status
                self.body += message.get("body", b"")
                self.complete = not message.get("more_body", False)

        scope = {
            "type": "http",
            "method": self.method,
            "path": self.path,
            "root_path": "",
            "query_string": b"",
            "scheme": "https",
            "headers": list(self.headers),
            "client": ("192.0.2.7", 50123),
        }
        await application(scope, receive, send)
