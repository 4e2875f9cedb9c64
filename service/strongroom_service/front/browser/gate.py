"""What every request passes before Connect sees it: form, origin, path, content type, and a body that comes in time.

The library answers some of these itself, but not all of them, not before it has read the body, and some by a stack
trace in the log. What is turned away here was no RPC, and is counted by reason.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from connectrpc.code import Code
from connectrpc.errors import ConnectError

from strongroom_service.front.browser.cors import METHOD, PREFLIGHT_HEADERS, VARY, Cors, Header, OriginRefused
from strongroom_service.front.flood_log import FloodLog
from strongroom_service.telemetry.browser_metrics import BrowserMetrics, NotServed

if TYPE_CHECKING:
    from strongroom_service.front.guard import Log

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]

HEALTH_PATH: Final = "/health"
_CONTENT_TYPES: Final = frozenset(
    {
        b"application/proto",
        b"application/json",
        b"application/grpc-web",
        b"application/grpc-web+proto",
        b"application/grpc-web+json",
    }
)
_PLAIN: Final[Header] = (b"content-type", b"text/plain; charset=utf-8")
# Answers hold what is an account's own; and are what they say they are.
_ALWAYS: Final[tuple[Header, ...]] = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
_BESIDE_BYTES: Final = 32  # RFC 9113 section 6.5.2
_SHOWN_ORIGIN_BYTES: Final = 200


class _TurnedAway(Exception):
    def __init__(self, status: HTTPStatus, because: NotServed, *headers: Header) -> None:
        super().__init__(status)
        self.status = status
        self.because = because
        self.headers = headers


class Gate:
    """An ASGI application before another one."""

    def __init__(
        self,
        application: Application,
        *,
        paths: Iterable[str],
        cors: Cors,
        head_bytes: int,
        body_seconds: float,
        is_ready: Callable[[], bool],
        metrics: BrowserMetrics,
        log: Log,
    ) -> None:
        """Headers have at most `head_bytes`, counted as in HTTP/2.

        A request's body must be there within `body_seconds`, however small the pieces are that it comes in.
        """
        self._application = application
        self._paths = frozenset(paths)
        self._cors = cors
        self._head_bytes = head_bytes
        self._body_seconds = body_seconds
        self._is_ready = is_ready
        self._metrics = metrics
        self._log = log
        self._flood_log = FloodLog(log, clock=time.monotonic)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers: list[Header] = scope["headers"]
        answer = _Answer(send)
        try:
            answer.headers = (*_ALWAYS, *self._cors.check(headers))
            await self._answer(scope, headers, receive, answer)
        except OriginRefused as refused:
            shown = refused.args[0][:_SHOWN_ORIGIN_BYTES].decode("latin-1")
            self._flood_log.info("origin_refused", origin=shown)
            answer.headers = (*_ALWAYS, VARY)
            await self._turn_away(answer, _TurnedAway(HTTPStatus.FORBIDDEN, NotServed.ORIGIN))
        except _TurnedAway as turned_away:
            await self._turn_away(answer, turned_away)
        except Exception as error:  # noqa: BLE001  the last resort: the server below would log all that is at hand
            if answer.started:  # the caller stopped taking it
                self._flood_log.info("browser_answer_not_taken", error=type(error).__name__)
            else:
                self._log.error("browser_request_failed", error=type(error).__name__)
                await answer.give(HTTPStatus.INTERNAL_SERVER_ERROR)

    async def _answer(
        self, scope: MutableMapping[str, Any], headers: list[Header], receive: Receive, answer: _Answer
    ) -> None:
        if scope["path"] == HEALTH_PATH and scope["method"] == "GET":
            await answer.give(HTTPStatus.OK if self._is_ready() else HTTPStatus.SERVICE_UNAVAILABLE)
        elif scope["path"] not in self._paths:
            raise _TurnedAway(HTTPStatus.NOT_FOUND, NotServed.UNSUPPORTED)
        elif _is_preflight(scope["method"], headers):
            await answer.give(HTTPStatus.NO_CONTENT, *PREFLIGHT_HEADERS)
        else:
            _check_form(scope["method"], headers, most_bytes=self._head_bytes)
            too_slow = self._metrics.turned_away[NotServed.TOO_SLOW]
            in_time = _InTime(receive, seconds=self._body_seconds, on_slow=too_slow.inc)
            await self._application(scope, in_time, answer.pass_on)

    async def _turn_away(self, answer: _Answer, turned_away: _TurnedAway) -> None:
        self._metrics.turned_away[turned_away.because].inc()
        if not answer.started:
            await answer.give(turned_away.status, *turned_away.headers)


class _Answer:
    """The way back, which adds headers to whatever answer it is; the time among them (RFC 9110 section 6.6.1)."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.headers: tuple[Header, ...] = _ALWAYS
        self.started = False

    async def pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            message["headers"] = [*message["headers"], *self.headers, (b"date", formatdate(usegmt=True).encode())]
        await self._send(message)

    async def give(self, status: HTTPStatus, *headers: Header) -> None:
        body = b"" if status is HTTPStatus.NO_CONTENT else f"{status.phrase}\n".encode()
        length = () if status is HTTPStatus.NO_CONTENT else (_PLAIN, (b"content-length", str(len(body)).encode()))
        start = {"type": "http.response.start", "status": status.value, "headers": [*length, *headers]}
        await self.pass_on(start)
        await self._send({"type": "http.response.body", "body": body})


class _InTime:
    """The way in, which ends when the body has taken too long."""

    def __init__(self, receive: Receive, *, seconds: float, on_slow: Callable[[], None]) -> None:
        self._receive = receive
        self._on_slow = on_slow
        self._ends_at = asyncio.get_running_loop().time() + seconds
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()  # for the end of the connection
        try:
            async with asyncio.timeout_at(self._ends_at):
                message = await self._receive()
        except TimeoutError as error:
            self._on_slow()
            raise ConnectError(Code.DEADLINE_EXCEEDED, "The request took too long to arrive.") from error
        self._whole = not message.get("more_body", False)
        return message


def _is_preflight(method: str, headers: Iterable[Header]) -> bool:
    names = {name for name, _ in headers}
    return method == "OPTIONS" and {b"origin", b"access-control-request-method"} <= names


def _check_form(method: str, headers: Sequence[Header], *, most_bytes: int) -> None:
    if method != METHOD.decode():
        raise _TurnedAway(HTTPStatus.METHOD_NOT_ALLOWED, NotServed.UNSUPPORTED, (b"allow", METHOD))
    # The server below knows no limit for a head that comes in one piece.
    if sum(len(name) + len(value) + _BESIDE_BYTES for name, value in headers) > most_bytes:
        raise _TurnedAway(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, NotServed.UNSUPPORTED)
    if not all(value.isascii() for _, value in headers):
        raise _TurnedAway(HTTPStatus.BAD_REQUEST, NotServed.MALFORMED)
    types = [value.partition(b";")[0].strip().lower() for name, value in headers if name == b"content-type"]
    if len(types) != 1 or types[0] not in _CONTENT_TYPES:
        raise _TurnedAway(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, NotServed.UNSUPPORTED)
