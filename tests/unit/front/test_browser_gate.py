from __future__ import annotations

import base64
import json
import os

import pytest
from google.protobuf.descriptor import Descriptor

from strongroom.v1 import resources_pb2
from strongroom.v1 import vault_service_pb2 as pb
from strongroom_service.front.browser.codecs import JsonCodec
from strongroom_service.front.unreadable import UNREADABLE
from strongroom_service.telemetry.browser_metrics import NotServed
from tests.fakes.asgi import Exchange, Header
from tests.fakes.browser import AUTHORIZATION, JSON, MAX_BYTES, MAX_HEAD_BYTES, PAGE, BrowserBench

NONCE = {"nonce": base64.b64encode(os.urandom(32)).decode()}
ASKED = json.dumps(NONCE).encode()
ORIGIN: Header = (b"origin", PAGE.encode())
PREFLIGHT: tuple[Header, ...] = (ORIGIN, (b"access-control-request-method", b"POST"))


async def test_call_is_answered_and_counted() -> None:
    bench = BrowserBench()
    exchange = await bench.post(ASKED)
    assert (exchange.status, exchange.complete) == (200, True)
    assert base64.b64decode(json.loads(exchange.body)["reply"]) == b"record"
    assert (exchange.answer[b"cache-control"], exchange.answer[b"x-content-type-options"]) == (b"no-store", b"nosniff")
    assert bench.handled("OK") == 1


async def test_answer_is_for_the_page_that_asked() -> None:
    exchange = await BrowserBench().post(ASKED, headers=(AUTHORIZATION, *JSON, ORIGIN))
    assert exchange.answer[b"access-control-allow-origin"] == PAGE.encode()
    assert b"access-control-allow-credentials" not in exchange.answer
    assert b"Origin" in exchange.answer[b"vary"]


async def test_who_is_no_page_gets_no_permission_for_one() -> None:
    exchange = await BrowserBench().post(ASKED)
    assert exchange.status == 200
    assert [name for name in exchange.answer if name.startswith(b"access-control-")] == []


@pytest.mark.parametrize(
    "origins",
    [
        (b"null",),
        (b"",),
        (b"*",),
        (b"http://notes.example",),
        (b"https://notes.example:443",),
        (b"https://notes.example:8443",),
        (b"https://notes.example.evil.example",),
        (b"https://evil.notes.example",),
        (b"https://evil.example/https://notes.example",),
        (b"https://notes.example, https://evil.example",),
        (b"https://NOTES.example",),
        (b"\xff\xfe",),
        (PAGE.encode(), b"https://evil.example"),
        (b"https://evil.example", PAGE.encode()),
        (PAGE.encode(), PAGE.encode()),
    ],
)
async def test_any_other_origin_is_refused_before_all_else(origins: tuple[bytes, ...]) -> None:
    bench = BrowserBench()
    headers = [*((b"origin", origin) for origin in origins), AUTHORIZATION, *JSON, *PREFLIGHT[1:]]
    for method in ("POST", "OPTIONS"):
        exchange = await bench.ask(Exchange(headers, (ASKED,), method=method))
        assert (exchange.status, exchange.body) == (403, b"Forbidden\n")
        assert [name for name in exchange.answer if name.startswith(b"access-control-")] == []
    assert bench.turned_away(NotServed.ORIGIN) == 2
    assert bench.handled("OK") == 0


async def test_flood_of_strange_pages_fills_no_log() -> None:
    bench = BrowserBench()
    for _ in range(300):
        await bench.ask(Exchange([(b"origin", b"https://evil.example")]))
    assert bench.turned_away(NotServed.ORIGIN) == 300
    assert len(bench.log.lines) <= 110  # fifty a second, over two at most


async def test_long_origin_is_logged_in_part() -> None:
    bench = BrowserBench()
    await bench.ask(Exchange([(b"origin", b"https://" + b"x" * 10_000)]))
    [(event, fields)] = bench.log.lines
    assert event == "origin_refused"
    assert len(str(fields["origin"])) == 200


async def test_preflight_names_one_method_and_no_wildcard() -> None:
    exchange = await BrowserBench().ask(Exchange(PREFLIGHT, method="OPTIONS"))
    assert (exchange.status, exchange.answer[b"access-control-allow-methods"]) == (204, b"POST")
    assert b"*" not in b"".join(value for name, value in exchange.answer.items() if name.startswith(b"access-control"))


@pytest.mark.parametrize(
    ("exchange", "status", "reason"),
    [
        (Exchange((AUTHORIZATION, *JSON), path="/"), 404, NotServed.UNSUPPORTED),
        (
            Exchange((AUTHORIZATION, *JSON), path="/strongroom.v1.TenantService/EraseAccount"),
            404,
            NotServed.UNSUPPORTED,
        ),
        (Exchange((AUTHORIZATION, *JSON), path="/strongroom.v1.VaultService/"), 404, NotServed.UNSUPPORTED),
        (Exchange((AUTHORIZATION, *JSON), method="GET"), 405, NotServed.UNSUPPORTED),
        (Exchange((), method="OPTIONS"), 405, NotServed.UNSUPPORTED),
        (Exchange((AUTHORIZATION,)), 415, NotServed.UNSUPPORTED),
        (Exchange(((b"content-type", b"text/plain"),)), 415, NotServed.UNSUPPORTED),
        (Exchange(((b"content-type", b"application/grpc"),)), 415, NotServed.UNSUPPORTED),
        (Exchange(((b"content-type", b"application/connect+proto"),)), 415, NotServed.UNSUPPORTED),
        (Exchange((*JSON, *JSON)), 415, NotServed.UNSUPPORTED),
        (Exchange((*JSON, (b"x-request-id", b"\xff"))), 400, NotServed.MALFORMED),
        (Exchange((*JSON, (b"x-more", b"x" * MAX_HEAD_BYTES))), 431, NotServed.UNSUPPORTED),
        (Exchange((*JSON, *[(b"x", b"")] * (MAX_HEAD_BYTES // 33))), 431, NotServed.UNSUPPORTED),
    ],
)
async def test_what_is_no_call_is_turned_away_and_counted(exchange: Exchange, status: int, reason: NotServed) -> None:
    bench = BrowserBench()
    await bench.ask(exchange)
    assert (exchange.status, exchange.complete) == (status, True)
    assert bench.turned_away(reason) == 1
    assert bench.log.lines == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"application/proto", b"\xff" * 8),
        (b"application/json", b""),
        (b"application/json", b"{"),
        (b"application/json", b"[]"),
        (b"application/json", b"\xff\xfe"),
        (b"application/json", b'{"nonce": 5}'),
        (b"application/json", b'{"nonce": ["QUFB"]}'),
        (b"application/json", b'{"nonse": "QUFB"}'),
        (b"application/json", b'{"nonce": "QUFB", "nonce": "QUFB"}'),
        (b"application/json", b'{"nonce": ' + b"[" * 50_000),
        (b"application/json", b'{"nonce": [' + b'"",' * 2_048 + b'""]}'),
        (b"application/json", b'{"nonce": ' + b"9" * 50_000 + b"}"),
        (b"application/grpc-web+proto", b"\0\0\0\0\x04\xff\xff\xff\xff"),
        (b"application/grpc-web+json", b"\0\0\0\0\x02[]"),
    ],
)
async def test_body_that_is_no_message_is_an_invalid_field_and_counted(kind: bytes, body: bytes) -> None:
    bench = BrowserBench()
    timeouts = ((b"connect-timeout-ms", b"5000"), (b"grpc-timeout", b"5S"))
    exchange = await bench.post(body, headers=(AUTHORIZATION, (b"content-type", kind), *timeouts))
    told = exchange.body.decode("latin-1")
    assert bench.handled("InvalidArgument") == 1
    assert "A field of the request breaks a rule." in told.replace("%20", " ")
    assert [fields["reason"] for _, fields in bench.log.lines] == ["INVALID_FIELD"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 12),  # no message at all
        (b"\0\0\0\0\0" * 2, 12),  # two
        (b"\0\0\0\0", 3),  # a prefix cut short
        (b"\0\0\0\0\x09nonce", 3),  # a message cut short
        (b"\x7f\0\0\0\0", 3),  # flags that there are not
        (b"\x01\0\0\0\x03abc", 13),  # compressed, by what nobody agreed on
        (b"\0\xff\xff\xff\xff", 8),  # four gigabytes announced
    ],
)
async def test_frames_that_are_none_are_answered_by_a_status(body: bytes, code: int) -> None:
    bench = BrowserBench()
    headers = (AUTHORIZATION, (b"content-type", b"application/grpc-web+proto"), (b"grpc-timeout", b"5S"))
    exchange = await bench.post(body, headers=headers)
    assert (exchange.status, exchange.complete) == (200, True)
    assert f"grpc-status: {code}\r\n".encode() in exchange.body
    assert "browser_request_failed" not in bench.log.events()


@pytest.mark.parametrize("said", [b"", b"0", b"-1", b"1e3", b"99999999999", b"1_0", b" 5000"])
async def test_deadline_that_is_none_lets_nothing_through(said: bytes) -> None:
    headers = (AUTHORIZATION, (b"content-type", b"application/json"), (b"connect-timeout-ms", said))
    exchange = await BrowserBench().post(ASKED, headers=headers)
    assert json.loads(exchange.body)["code"] in {"invalid_argument", "deadline_exceeded"}


async def test_body_that_does_not_come_ends_in_time() -> None:
    bench = BrowserBench(body_seconds=0.05)
    for kind in (b"application/json", b"application/grpc-web"):
        exchange = Exchange((AUTHORIZATION, (b"content-type", kind)), (b"{",), stalls=True)
        await bench.ask(exchange)
        assert exchange.complete
    assert bench.turned_away(NotServed.TOO_SLOW) == 2


async def test_large_body_is_not_read_to_its_end() -> None:
    bench = BrowserBench()
    exchange = Exchange((AUTHORIZATION, *JSON), [b" " * 16_384] * 7, stalls=True)
    await bench.ask(exchange)
    assert (exchange.status, json.loads(exchange.body)["code"]) == (429, "resource_exhausted")


async def test_message_of_the_largest_size_is_read() -> None:
    """Control: it is its size that was refused above."""
    exchange = await BrowserBench().post(ASKED + b" " * (MAX_BYTES - len(ASKED)))
    assert exchange.status == 200


@pytest.mark.parametrize("packed", [(b"content-encoding", b"gzip"), (b"content-encoding", b"br")])
async def test_packed_message_is_not_unpacked(packed: Header) -> None:
    exchange = await BrowserBench().post(os.urandom(100), headers=(AUTHORIZATION, *JSON, packed))
    assert (exchange.status, json.loads(exchange.body)["code"]) == (501, "unimplemented")


async def test_health_is_told_to_anybody() -> None:
    for ready, status in ((True, 200), (False, 503)):
        exchange = await BrowserBench(ready=ready).ask(Exchange((), path="/health", method="GET"))
        assert exchange.status == status


async def test_no_header_makes_another_peer_of_a_caller() -> None:
    """The address of the connection is what rates count, whatever a caller says of proxies."""
    bench = BrowserBench()
    forwarded = (
        (b"x-forwarded-for", b"203.0.113.9"),
        (b"forwarded", b"for=203.0.113.9"),
        (b"x-real-ip", b"203.0.113.9"),
    )
    await bench.post(ASKED, headers=(AUTHORIZATION, *JSON, *forwarded))
    assert [key for key in bench.rate_keys if key.startswith("peer:")] == ["peer:read:192.0.2.7"]


def test_json_takes_nobody_long_to_refuse() -> None:
    """By its size alone it could hold forty thousand strings; the largest that is good has few, and is read."""
    for piece in (b'""', b"{}", b"[]"):
        many = b'{"attestation": {"transports": [' + (piece + b",") * 30_000 + b'""]}}'
        read: object = JsonCodec().decode(many, pb.CompleteRegistrationRequest)
        assert read is UNREADABLE
    largest = pb.AddCredentialRequest(
        ceremony=bytes(2_500),
        assertion=resources_pb2.Assertion(
            webauthn=resources_pb2.WebAuthnAssertion(client_data_json=bytes(4_096), authenticator_data=bytes(4_096))
        ),
        attest_ceremony=bytes(2_500),
        attestation=resources_pb2.Attestation(attestation_object=bytes(32_768), transports=["hybrid"] * 8),
        sealed_envelope=bytes(16_500),
    )
    assert JsonCodec().decode(JsonCodec().encode(largest), pb.AddCredentialRequest) == largest


def messages(descriptor: Descriptor, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths of a message and of all that it holds."""
    inner = [(field.message_type, field.json_name) for field in descriptor.fields]
    return [path, *(deeper for kind, name in inner if kind is not None for deeper in messages(kind, (*path, name)))]


@pytest.mark.parametrize("name", ["prf", "clientExtensionResults", "hmacGetSecret", "prfFirst", "seed"])
def test_secret_of_a_passkey_has_no_field_that_would_take_it(name: str) -> None:
    """A page that sends what it must keep is told so, and its message is not taken."""
    tried = 0
    for method in pb.DESCRIPTOR.services_by_name["VaultService"].methods:
        for path in messages(method.input_type):
            content: dict[str, object] = {name: {"results": {"first": "AAAA"}}}
            for key in reversed(path):
                content = {key: content}
            kind = getattr(pb, method.input_type.name)
            assert JsonCodec().decode(json.dumps(content).encode(), kind) is UNREADABLE
            tried += 1
    assert tried > 30
