"""The three steps that a release contains, on OpenBao: over one TLS connection that is kept, as small as can be."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Final

SECRETS: Final = "kv"
KEY: Final = "bench"
_OK: Final = frozenset({b"200", b"204"})


class WrongAnswer(Exception):
    """OpenBao answered something else than what was put there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An OpenBao that holds `keys` values of version 1 of its KV engine, and a ciphertext of its transit engine.

    Attributes:
        record: what each value holds, and is written again; text.
        envelope: what was encrypted, in base64, as its API has it.
    """

    port: int
    authority_pem: bytes
    token: str = field(repr=False)
    keys: int
    record: str = field(repr=False)
    ciphertext: str = field(repr=False)
    envelope: str = field(repr=False)

    def keys_from(self, number: int) -> Iterator[int]:
        """Return keys for ever, for client `number` from a place of its own on."""
        return itertools.chain(range(number * 37 % self.keys, self.keys), itertools.cycle(range(self.keys)))


class OpenBaoClient:
    """HTTP/1.1 by hand, for the answers that these calls get: the load generator is not to be what is measured."""

    def __init__(self, prepared: Prepared, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._prepared = prepared
        self._reader = reader
        self._writer = writer
        self._write_body = json.dumps({"record": prepared.record}).encode()
        self._decrypt_body = json.dumps({"ciphertext": prepared.ciphertext}).encode()

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, prepared: Prepared) -> AsyncIterator[OpenBaoClient]:
        """Connect."""
        context = ssl.create_default_context(cadata=prepared.authority_pem.decode("ascii"))
        reader, writer = await asyncio.open_connection("localhost", prepared.port, ssl=context)
        try:
            yield cls(prepared, reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def three_steps(self, key: int) -> None:
        """Read a value, write it durably, decrypt an envelope.

        Raises:
            WrongAnswer: what came is not what was put there.
        """
        path = f"/v1/{SECRETS}/{key}"
        read = json.loads(await self.call("GET", path))
        await self.call("POST", path, self._write_body)
        decrypted = json.loads(await self.call("POST", f"/v1/transit/decrypt/{KEY}", self._decrypt_body))
        if read["data"]["record"] != self._prepared.record or decrypted["data"]["plaintext"] != self._prepared.envelope:
            raise WrongAnswer("not what was put there")

    async def call(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Make one call and return what came.

        Raises:
            WrongAnswer: it was not taken.
        """
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-Vault-Token: {self._prepared.token}\r\n"
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        self._writer.write(f"{head}{length}\r\n".encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        status, *lines = answer.lower().split(b"\r\n")
        content = await self._content(dict(line.split(b": ", 1) for line in lines if line))
        if status.split(b" ")[1] not in _OK:
            raise WrongAnswer(f"{method} {path}: {status!r} {content!r}")
        return content

    async def _content(self, headers: dict[bytes, bytes]) -> bytes:
        if headers.get(b"transfer-encoding") != b"chunked":
            return await self._reader.readexactly(int(headers.get(b"content-length", b"0")))
        parts = []
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            parts.append(await self._reader.readexactly(size))
            await self._reader.readexactly(2)
        await self._reader.readexactly(2)
        return b"".join(parts)
