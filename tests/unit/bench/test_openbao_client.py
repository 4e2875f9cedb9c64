from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from tests.bench.openbao_client import OpenBaoClient, Prepared, WrongAnswer

PREPARED = Prepared(
    port=1, authority_pem=b"", token="root", keys=100, record="record", ciphertext="vault:v1:", envelope="envelope"
)
READ = b'{"data": {"record": "record"}}'
DECRYPTED = b'{"data": {"plaintext": "envelope"}}'


class Sent:
    def __init__(self) -> None:
        self.all = b""

    def write(self, content: bytes) -> None:
        self.all += content


def answering(*answers: bytes) -> tuple[OpenBaoClient, Sent]:
    reader, sent = asyncio.StreamReader(), Sent()
    reader.feed_data(b"".join(answers))
    reader.feed_eof()
    return OpenBaoClient(PREPARED, reader, cast("Any", sent)), sent


def ok(content: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content)


def chunked(content: bytes) -> bytes:
    parts = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (content[:5], content[5:]))
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + parts + b"0\r\n\r\n"


NOTHING = b"HTTP/1.1 204 No Content\r\nDate: today\r\n\r\n"


async def test_three_steps_are_a_read_a_write_and_a_decryption() -> None:
    bao, sent = answering(chunked(READ), NOTHING, ok(DECRYPTED))
    await bao.three_steps(7)
    lines = [line for line in sent.all.decode().split("\r\n") if line.endswith("HTTP/1.1")]
    paths = [line.rpartition("}")[2] or line for line in lines]
    assert paths == ["GET /v1/kv/7 HTTP/1.1", "POST /v1/kv/7 HTTP/1.1", "POST /v1/transit/decrypt/bench HTTP/1.1"]
    assert sent.all.count(b"X-Vault-Token: root\r\n") == 3


@pytest.mark.parametrize(
    ("read", "decrypted"),
    [(b'{"data": {"record": "another"}}', DECRYPTED), (READ, b'{"data": {"plaintext": "another"}}')],
)
async def test_what_comes_must_be_what_was_put_there(read: bytes, decrypted: bytes) -> None:
    bao, _ = answering(ok(read), NOTHING, ok(decrypted))
    with pytest.raises(WrongAnswer):
        await bao.three_steps(7)


async def test_a_refusal_ends_the_bench() -> None:
    bao, _ = answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
    with pytest.raises(WrongAnswer, match="403"):
        await bao.call("GET", "/v1/kv/1")


def test_each_client_begins_at_a_key_of_its_own() -> None:
    firsts = [next(PREPARED.keys_from(number)) for number in range(64)]
    assert len(set(firsts)) == 64
