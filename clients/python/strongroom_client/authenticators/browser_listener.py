"""The listener on 127.0.0.1 that a page in the browser answers to. docs/browser-page.md, "Attacks", has the reasons.

One answer per ceremony, whole within seconds; whatever is not that gets a fixed text and is forgotten. Nothing is
logged, and no answer of ours repeats what was sent.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import Final
from urllib.parse import parse_qsl

from strongroom_client.authenticators.browser_handover import BadAnswer, Handover, decode, open_answer
from strongroom_client.authenticators.port import Assertion, Attestation, AuthenticatorError

ADDRESS: Final = "127.0.0.1"
PATH: Final = "/strongroom/v1/answer"
MAX_BODY_BYTES: Final = 64 * 1024
_FORM = "application/x-www-form-urlencoded"
_READ_SECONDS = 10.0
_NEXT_SECONDS = 2.0
_GOODBYE_SECONDS = 2.0
_DONE = "Done. Go back to the terminal; this page can be closed."
_HEADERS: Final = (
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; form-action 'none'"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("Connection", "close"),
)

Answer = Assertion | Attestation | AuthenticatorError


class Refused(Exception):
    """A request that is not the answer; `status` and text are what the browser is told."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(slots=True, eq=False)
class Page:
    """A page that has answered, and waits to be told where to go on; None: nowhere."""

    is_told: bool = False
    link: str | None = None
    is_gone: threading.Event = field(default_factory=threading.Event)


class BrowserListener:
    """Listens on a random port of 127.0.0.1 for answers of pages of `origin`."""

    def __init__(self, *, origin: str) -> None:
        self._origin = origin
        self._server = _Server((ADDRESS, 0), self._handler())
        self._changed = threading.Condition()
        self._handover: Handover | None = None
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._pages: list[Page] = []
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port, drawn by the operating system."""
        return self._server.server_address[1]

    def expect(self, handover: Handover, *, link: str) -> bool:
        """Take the answer of this ceremony from now on, and of no other.

        Returns whether a page that answered before is still there, and is now led to `link`.
        """
        with self._changed:
            self._handover = handover
            self._answers = SimpleQueue()
            return self._tell_pages(link)

    def answer(self, *, timeout_seconds: float) -> Assertion | Attestation:
        """Return the answer, and take no other.

        Raises:
            AuthenticatorError: the page says that it was refused, or nothing came in time.
        """
        try:
            answer = self._answers.get(timeout=timeout_seconds)
        except Empty:
            answer = AuthenticatorError("no answer came from the browser in time")
        finally:
            with self._changed:
                self._handover = None
        if isinstance(answer, AuthenticatorError):
            raise answer
        return answer

    def close(self) -> None:
        """Let a page that waits know that all is done, and stop listening."""
        with self._changed:
            self._handover = None
            pages = tuple(self._pages)
            self._tell_pages(None)
        for page in pages:
            page.is_gone.wait(_GOODBYE_SECONDS)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, body: bytes) -> Page:
        """Take the form that a page posted; the page then waits.

        Raises:
            Refused: there is nothing to answer, or it is not the answer.
        """
        sealed = _sealed(body)
        with self._changed:
            if self._handover is None:
                raise Refused(HTTPStatus.GONE, "Nothing waits for an answer.")
            answer: Answer
            try:
                answer = open_answer(sealed, handover=self._handover)
            except BadAnswer:
                raise Refused(HTTPStatus.FORBIDDEN, "This is not the answer.") from None
            except AuthenticatorError as error:
                answer = error
            self._handover = None  # one use, before anybody can come a second time
            self._answers.put(answer)
            self._pages.append(page := Page())
            return page

    def where_next(self, page: Page) -> str | None:
        """Wait for what comes after the answer that was taken: another ceremony's link, or None."""
        with self._changed:
            self._changed.wait_for(lambda: page.is_told, timeout=_NEXT_SECONDS)
            if not page.is_told:
                self._pages.remove(page)
            return page.link

    def _tell_pages(self, link: str | None) -> bool:
        """Tell the newest page to go to `link`, and all others to go nowhere; return whether there is one."""
        pages, self._pages = self._pages, []
        for page in pages:
            page.is_told = True
            page.link = link if page is pages[-1] else None
        self._changed.notify_all()
        return bool(pages)

    def check(self, *, method: str, path: str, header: Callable[[str], list[str]]) -> int:
        """Check all that stands before the body; return the body's length.

        Raises:
            Refused: it is not a form that a page of our origin posts to us.
        """
        if header("Host") != [f"{ADDRESS}:{self.port}"]:
            raise Refused(HTTPStatus.MISDIRECTED_REQUEST, "Not this host.")  # a name that was made to lead here
        if path != PATH:
            raise Refused(HTTPStatus.NOT_FOUND, "Nothing is here.")
        if method != "POST":
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "An answer is posted.")
        if header("Origin") != [self._origin]:
            raise Refused(HTTPStatus.FORBIDDEN, "Not from this page.")
        if header("Sec-Fetch-Mode") not in ([], ["navigate"]) or header("Sec-Fetch-Dest") not in ([], ["document"]):
            raise Refused(HTTPStatus.FORBIDDEN, "An answer is a form that a page posts, in no frame.")
        if header("Content-Type") != [_FORM] or header("Transfer-Encoding") or header("Expect"):
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "An answer is a form.")
        lengths = header("Content-Length")
        if len(lengths) != 1 or not (lengths[0].isascii() and lengths[0].isdecimal()):
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "How long is it?")
        if len(lengths[0]) > len(str(MAX_BODY_BYTES)) or int(lengths[0]) > MAX_BODY_BYTES:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "That is too long for an answer.")
        return int(lengths[0])

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handler(_Handler):
            """Bound to this listener, since the library makes handlers itself."""

            answers_to = listener

        return Handler


def _sealed(body: bytes) -> bytes:
    try:
        [(name, value)] = parse_qsl(body.decode("ascii"), strict_parsing=True, max_num_fields=1)
        if name != "sealed":
            raise ValueError
        return decode(value)
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST, "An answer is a form with one field.") from None


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # who drips bytes into a connection must not keep the command from ending
    allow_reuse_address = False
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a connection that breaks is the other side's affair."""


class _Handler(BaseHTTPRequestHandler):
    answers_to: BrowserListener
    timeout = _READ_SECONDS
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        """Handle one, and close: whatever follows in the same connection is not looked at."""
        super().handle_one_request()
        self.close_connection = True

    def do_POST(self) -> None:
        """Take an answer."""
        self._respond("POST")

    def do_GET(self) -> None:
        """Refuse."""
        self._respond("GET")

    def _respond(self, method: str) -> None:
        listener = self.answers_to
        try:
            length = listener.check(method=method, path=self.path, header=lambda name: self.headers.get_all(name, []))
            body = self.rfile.read(length)
            if len(body) != length:
                raise Refused(HTTPStatus.BAD_REQUEST, "It was cut short.")
            page = listener.take(body)
        except Refused as refused:
            self._send(refused.status, str(refused))
            return
        try:
            link = listener.where_next(page)
            if link is None:
                self._send(HTTPStatus.OK, _DONE)
            else:
                self._send(HTTPStatus.SEE_OTHER, "", ("Location", link))
        finally:
            page.is_gone.set()

    def _send(self, status: HTTPStatus, text: str, *further: tuple[str, str]) -> None:
        body = f"{text}\n".encode()
        self.send_response(status)
        for name, value in (*_HEADERS, *further, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        """Say nothing of what is running."""
        return "strongroom"

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no HTTP without repeating it."""
        del message, explain
        self._send(HTTPStatus(code), "This is not a request.")

    def log_message(self, *_: object) -> None:
        """Log nothing: a line would hold what a page or an attacker sent."""
