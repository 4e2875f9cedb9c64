"""What the listener for browsers reads: bodies in each format, and whole requests, each of which gets one answer."""

from __future__ import annotations

import asyncio
import base64
import functools
import json

from strongroom.v1 import vault_service_pb2 as pb
from strongroom_service.front.browser.codecs import BinaryCodec, JsonCodec
from tests.fakes.asgi import Exchange
from tests.fakes.browser import AUTHORIZATION, BrowserBench
from tests.fuzz import honest
from tests.fuzz.target import Target

TYPES = (
    b"application/proto",
    b"application/json",
    b"application/grpc-web",
    b"application/grpc-web+proto",
    b"application/grpc-web+json",
)
STATUSES = {200, 400, 401, 403, 415, 429, 501, 503}
"""What a browser may be told by HTTP's status: never 500, never a broken answer."""


class Unread(Exception):
    """The codec's way to refuse."""


def additions() -> list[pb.AddCredentialRequest]:
    (call,) = (call for call in honest.changes() if call.HasField("attestation"))
    fields = ("ceremony", "assertion", "attest_ceremony", "attestation", "sealed_envelope", "transport_key_id")
    return [pb.AddCredentialRequest(**{name: getattr(call, name) for name in fields})]


def read(codec: BinaryCodec | JsonCodec, data: bytes) -> None:
    """Read the largest request there is; what was taken is read again from what it is written as."""
    message: object = codec.decode(data, pb.AddCredentialRequest)
    if not isinstance(message, pb.AddCredentialRequest):
        raise Unread
    assert codec.decode(codec.encode(message), pb.AddCredentialRequest) == message


@functools.cache
def bench() -> BrowserBench:
    return BrowserBench()


def whole_request(data: bytes) -> None:
    """Send a request: its first byte chooses the format, its second how large the pieces are; the rest is the body."""
    kind, size, body = TYPES[data[0] % len(TYPES)] if data else TYPES[0], data[1:2], data[2:]
    step = 1 + (size[0] if size else 0)
    chunks = [body[at : at + step] for at in range(0, len(body), step)] or [b""]
    timeouts = ((b"connect-timeout-ms", b"5000"), (b"grpc-timeout", b"5S"))
    exchange = Exchange((AUTHORIZATION, (b"content-type", kind), *timeouts), chunks)
    asyncio.run(exchange.run(bench().gate))
    assert exchange.complete, exchange
    assert exchange.status in STATUSES, exchange
    assert "browser_request_failed" not in bench().log.events()
    bench().log.lines.clear()
    if exchange.status != 200:
        raise Unread


def whole_requests() -> list[bytes]:
    nonce = pb.GetVaultRequest(nonce=honest.NONCE).SerializeToString()
    text = json.dumps({"nonce": base64.b64encode(honest.NONCE).decode()}).encode()
    framed = [b"\0" + len(body).to_bytes(4, "big") + body for body in (nonce, text)]
    bodies = (nonce, text, framed[0], framed[0], framed[1])
    return [bytes((kind, 255)) + body for kind, body in enumerate(bodies)]


TARGETS = {
    "browser_binary": Target(
        parse=functools.partial(read, BinaryCodec()),
        refusals=(Unread,),
        seeds=lambda: [each.SerializeToString() for each in additions()],
    ),
    "browser_json": Target(
        parse=functools.partial(read, JsonCodec()),
        refusals=(Unread,),
        seeds=lambda: [JsonCodec().encode(each) for each in additions()] + [b"[" * 5_000, b'{"ceremony":1e999}'],
    ),
    "browser_request": Target(parse=whole_request, refusals=(Unread,), seeds=whole_requests),
}
