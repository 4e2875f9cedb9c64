"""Serves the page to whoever says to be somebody: the smallest stand-in for a product's web server.

It shows what a real one owes the page: who is signed in and with which account token, written into the page; a content
security policy that lets the page speak to the vault and to nobody else; and no framing.
"""

from __future__ import annotations

import html
import json
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qs

_COOKIE: Final = "session"
_ACCOUNT: Final = re.compile(r"[a-z0-9.-]{1,64}")
_MAX_FORM_BYTES: Final = 4_096
_PLACE: Final = "{{settings}}"
_TYPES: Final = {
    "/page.js": "text/javascript; charset=utf-8",
    "/page.css": "text/css; charset=utf-8",
    "/icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSettings:
    """What the page is to know beside who is signed in.

    Attributes:
        folder: what `build_page` built.
        vault: address of the vault's listener for browsers, without a path.
        tenant: the vault's name for this product.
        pins: identity fingerprints of the vault.
        issue_token: makes an account token of an account, and a scope.
        framed: whether other pages may frame this one; never but in the test that shows why not.
    """

    folder: Path
    vault: str
    tenant: str
    pins: tuple[str, ...]
    issue_token: Callable[[str, str], str]
    framed: bool = False


@dataclass(frozen=True, slots=True)
class _Session:
    account: str
    may_reset: bool


def content_security_policy(vault: str, *, framed: bool = False) -> str:
    """Return the page's policy: its own files, the vault, and nothing else. WebAssembly is zstd's."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self' 'wasm-unsafe-eval'",
            "style-src 'self'",
            "img-src 'self'",
            f"connect-src {vault}",
            "form-action 'self'",
            "base-uri 'none'",
            *(() if framed else ("frame-ancestors 'none'",)),
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


class PageServer:
    """The server, on http://localhost; a context manager. Sessions live as long as it."""

    def __init__(self, settings: PageSettings, *, port: int = 0) -> None:
        self.settings = settings
        self.sessions: dict[str, _Session] = {}
        owner = self

        class Handler(_Handler):
            server_of = owner

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="page", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def sign_everybody_in(self, account: str) -> None:
        """Take everybody without a session for `account`: for a page in a frame, which gets no cookie of its own."""
        self.sessions[""] = _Session(account, may_reset=False)

    @property
    def origin(self) -> str:
        """Where it is."""
        return f"http://localhost:{self._server.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server_of: PageServer
    protocol_version = "HTTP/1.1"
    server_version = "page"
    sys_version = ""

    def do_GET(self) -> None:
        if not self._is_ours():
            return
        path = self.path.partition("?")[0]
        if path == "/":
            session = self._session()
            page = self._file("sign-in.html") if session is None else self._page(session)
            self._answer(HTTPStatus.OK, page, kind="text/html; charset=utf-8")
        elif path in _TYPES:
            self._answer(HTTPStatus.OK, self._file(path[1:]), kind=_TYPES[path])
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"There is no such page.\n")

    def do_POST(self) -> None:
        form = self._form()
        # Another site's form must not sign anybody in or out: browsers name the origin that a form came from.
        if form is None or not self._is_ours() or self.headers.get("Origin") != self.server_of.origin:
            self._answer(HTTPStatus.FORBIDDEN, b"This form is not of this page.\n")
        elif self.path == "/sign-in":
            self._sign_in(form)
        elif self.path == "/sign-out":
            self.server_of.sessions.pop(self._cookie(), None)
            self._redirect(f"{_COOKIE}=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict")
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"There is no such page.\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Say nothing: what goes wrong shows in the browser."""

    def _sign_in(self, form: Mapping[str, str]) -> None:
        account = form.get("account", "")
        if not _ACCOUNT.fullmatch(account):
            self._answer(HTTPStatus.BAD_REQUEST, b"An account has 1 to 64 of a-z, 0-9, dot and dash.\n")
            return
        session = secrets.token_urlsafe(32)
        self.server_of.sessions[session] = _Session(account, form.get("reset") == "yes")
        self._redirect(f"{_COOKIE}={session}; Path=/; HttpOnly; SameSite=Strict")

    def _page(self, session: _Session) -> bytes:
        settings = self.server_of.settings
        written = {
            "vault": settings.vault,
            "tenant": settings.tenant,
            "account": session.account,
            "userName": session.account,
            "accountToken": settings.issue_token(session.account, "vault reset" if session.may_reset else "vault"),
            "pins": list(settings.pins),
            "signOut": "/sign-out",
            "mayReset": session.may_reset,
        }
        return self._file("index.html").replace(_PLACE.encode(), html.escape(json.dumps(written)).encode())

    def _file(self, name: str) -> bytes:
        return (self.server_of.settings.folder / name).read_bytes()

    def _is_ours(self) -> bool:
        # A name that somebody else points at this machine (DNS rebinding) gets nothing.
        if self.headers.get("Host") == self.server_of.origin.removeprefix("http://"):
            return True
        self._answer(HTTPStatus.MISDIRECTED_REQUEST, b"This is not the name of this page.\n")
        return False

    def _form(self) -> dict[str, str] | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MAX_FORM_BYTES:
            self.close_connection = True
            return None
        sent = self.rfile.read(int(length)).decode("ascii", errors="replace")
        return {name: values[-1] for name, values in parse_qs(sent).items()}

    def _session(self) -> _Session | None:
        return self.server_of.sessions.get(self._cookie())

    def _cookie(self) -> str:
        try:
            morsel = SimpleCookie(self.headers.get("Cookie", "")).get(_COOKIE)
        except CookieError:
            return ""
        return "" if morsel is None else morsel.value

    def _redirect(self, cookie: str) -> None:
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("Location", "/")
        self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, status: HTTPStatus, content: bytes, *, kind: str = "text/plain; charset=utf-8") -> None:
        settings = self.server_of.settings
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", content_security_policy(settings.vault, framed=settings.framed))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "same-origin")  # with no-referrer a form has no origin
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
        self.send_header("Cache-Control", "no-store")  # it holds an account token
        self.end_headers()
        self.wfile.write(content)
