"""The routes.

    GET  /                     the page for who is signed in, else the sign-in
    POST /sign-in, /sign-out   forms of those pages
    POST /vault-token          an account token for who is signed in: {"token", "expires_at"}
    POST /vault-token/reset    the same with the scope `reset`, against the password once more (JSON: {"password"})
    GET  /.well-known/...      what Android, iOS and browsers ask an RP ID for

A POST counts only from the page's own origin, which browsers state and pages cannot choose; the cookie is HttpOnly and
SameSite=Strict besides. Nothing secret is ever part of an address, so that no log, history or Referer can hold it.
"""

from __future__ import annotations

import html
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from app_backend.account_tokens import USE, USE_AND_RESET, TokenIssuer
from app_backend.demo_users import DemoUsers
from app_backend.sessions import LIFETIME_SECONDS, Session, Sessions
from app_backend.settings import Settings

_SIGN_IN: Final = Path(__file__).with_name("sign-in.html")
_MAX_BODY_BYTES: Final = 4_096
_STATIC: Final = {"page.js": "text/javascript", "page.css": "text/css", "icon.svg": "image/svg+xml"}
_WELL_KNOWN: Final = ("webauthn", "assetlinks.json", "apple-app-site-association")
_PLACE_OF_SETTINGS: Final = "{{settings}}"


class Refused(Exception):
    """A request that is answered with nothing but a status and a line."""

    def __init__(self, status: HTTPStatus, line: str) -> None:
        super().__init__(line)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The handlers, over what they need."""

    settings: Settings
    users: DemoUsers
    issuer: TokenIssuer
    sessions: Sessions

    def application(self) -> Starlette:
        """Return it as an ASGI application."""
        routes = [
            Route("/", self.page),
            Route("/sign-in", self.sign_in, methods=["POST"]),
            Route("/sign-out", self.sign_out, methods=["POST"]),
            Route("/vault-token", self.vault_token, methods=["POST"]),
            Route("/vault-token/reset", self.reset_token, methods=["POST"]),
            Route("/.well-known/{name}", self.well_known),
            Route("/{name}", self.static),
        ]
        return Starlette(routes=routes, exception_handlers={Refused: _refusal})

    async def page(self, request: Request) -> Response:
        """Answer with the page; who is signed in is written into it, with an account token to begin with."""
        self._require_our_host(request)
        session = self.sessions.find(self._cookie(request))
        if session is None:
            return self._answer(_SIGN_IN.read_text(encoding="utf-8"), "text/html")
        written = html.escape(json.dumps(self._page_settings(session)))
        return self._answer(self._read("index.html").replace(_PLACE_OF_SETTINGS, written), "text/html")

    async def sign_in(self, request: Request) -> Response:
        """Begin a session."""
        form = {name: values[-1] for name, values in parse_qs(await self._body(request)).items()}
        name, password = form.get("account", ""), form.get("password", "")
        account = await run_in_threadpool(self.users.account_of, name, password)
        if account is None:
            raise Refused(HTTPStatus.FORBIDDEN, "There is no such user, or the password is another one.")
        self.sessions.end(self._cookie(request))
        # For who has lost everything. A product checks more than a password before it believes that.
        to_reset = form.get("reset") == "yes"
        cookie = self.sessions.begin(name=name, account=account, to_reset=to_reset)
        return self._redirect(cookie, seconds=LIFETIME_SECONDS)

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        await self._body(request)
        self.sessions.end(self._cookie(request))
        return self._redirect("", seconds=0)

    async def vault_token(self, request: Request) -> Response:
        """Mint an account token for who is signed in."""
        await self._body(request)
        return self._token(self._signed_in(request), scope=USE)

    async def reset_token(self, request: Request) -> Response:
        """Mint one that may set the vault aside: only against the password, which a stolen session does not have."""
        body, session = await self._body(request), self._signed_in(request)
        try:
            password = json.loads(body)["password"]
        except (ValueError, KeyError, TypeError):
            raise Refused(HTTPStatus.BAD_REQUEST, 'The body must be {"password": "..."}.') from None
        account = await run_in_threadpool(self.users.account_of, session.name, str(password))
        if account != session.account:
            raise Refused(HTTPStatus.FORBIDDEN, "The password is another one.")
        return self._token(session, scope=USE_AND_RESET)

    async def well_known(self, request: Request) -> Response:
        """Answer with a file that says who may use passkeys of this domain."""
        name, folder = request.path_params["name"], self.settings.well_known_folder
        if folder is None or name not in _WELL_KNOWN or not (folder / name).is_file():
            raise Refused(HTTPStatus.NOT_FOUND, "There is no such file.")
        return self._answer((folder / name).read_text(encoding="utf-8"), "application/json")

    async def static(self, request: Request) -> Response:
        """Answer with a file of the page."""
        name = request.path_params["name"]
        if name not in _STATIC:
            raise Refused(HTTPStatus.NOT_FOUND, "There is no such page.")
        return self._answer(self._read(name), _STATIC[name])

    def _page_settings(self, session: Session) -> Mapping[str, object]:
        vault = self.settings.vault
        may_reset = self.sessions.may_reset(session)
        scope = USE_AND_RESET if may_reset else USE
        token = self.issuer.issue(session.account, scope=scope, now_seconds=int(time.time()))
        return {
            "vault": vault.browser_url,
            "tenant": vault.tenant,
            "account": session.account,
            "userName": session.name,
            "accountToken": token.token,
            "pins": list(vault.pins),
            "signOut": "/sign-out",
            "mayReset": may_reset,
        }

    def _token(self, session: Session, *, scope: str) -> Response:
        token = self.issuer.issue(session.account, scope=scope, now_seconds=int(time.time()))
        return JSONResponse(asdict(token), headers=self._headers())

    def _signed_in(self, request: Request) -> Session:
        session = self.sessions.find(self._cookie(request))
        if session is None:
            raise Refused(HTTPStatus.UNAUTHORIZED, "Sign in first.")
        return session

    async def _body(self, request: Request) -> str:
        """Return the body of a POST that comes from our own page."""
        self._require_our_host(request)
        if request.headers.get("origin") != self.settings.origin:
            raise Refused(HTTPStatus.FORBIDDEN, "This request does not come from this page.")
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_BODY_BYTES:
                raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "That is too long.")
        return body.decode("utf-8", errors="replace")

    def _require_our_host(self, request: Request) -> None:
        # A name that somebody else points at this machine (DNS rebinding) gets nothing.
        if request.headers.get("host") != self.settings.host:
            raise Refused(HTTPStatus.MISDIRECTED_REQUEST, "This is not the name of this page.")

    def _read(self, name: str) -> str:
        return (self.settings.page_folder / name).read_text(encoding="utf-8")

    @property
    def _cookie_name(self) -> str:
        return "__Host-session" if self.settings.is_https else "session"

    def _cookie(self, request: Request) -> str:
        return request.cookies.get(self._cookie_name, "")

    def _redirect(self, cookie: str, *, seconds: int) -> Response:
        response = RedirectResponse("/", status_code=HTTPStatus.SEE_OTHER, headers=self._headers())
        response.set_cookie(
            self._cookie_name, cookie, max_age=seconds, secure=self.settings.is_https, httponly=True, samesite="strict"
        )
        return response

    def _answer(self, content: str, kind: str) -> Response:
        return Response(content, media_type=kind, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        policy = (
            "default-src 'none'",
            "script-src 'self' 'wasm-unsafe-eval'",
            "style-src 'self'",
            "img-src 'self'",
            f"connect-src 'self' {self.settings.vault.browser_url}",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
        return {
            "Content-Security-Policy": "; ".join(policy),
            "Cache-Control": "no-store",  # pages and answers hold account tokens
            "Cross-Origin-Opener-Policy": "same-origin",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
            "Referrer-Policy": "same-origin",  # with no-referrer a form has no origin
            "X-Content-Type-Options": "nosniff",
        }


def _refusal(_: Request, refused: Exception) -> Response:
    status = refused.status if isinstance(refused, Refused) else HTTPStatus.INTERNAL_SERVER_ERROR
    return PlainTextResponse(f"{refused}\n", status_code=status, headers={"Cache-Control": "no-store"})
