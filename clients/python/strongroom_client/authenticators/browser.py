"""Passkeys that live in a browser or a phone: the tenant's page asks for them, and answers to this device."""

from __future__ import annotations

import atexit
import json
import os
import tempfile
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from strongroom_client.authenticators.browser_handover import Handover, ask_to_create, ask_to_sign
from strongroom_client.authenticators.browser_listener import BrowserListener
from strongroom_client.authenticators.port import Assertion, Attestation, AuthenticatorError

SIGN_SECONDS: Final = 110.0  # a ceremony lives for 120 s, and its answer has a way to go
CREATE_SECONDS: Final = 290.0  # 300 s


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What the person at the terminal is told.

    Attributes:
        check: eight characters that the page shows too.
        file: the file that leads to the page, for who has to open it by hand.
        opened: whether a browser was told to open it.
    """

    check: str
    file: Path | None
    opened: bool


class BrowserAuthenticator:
    """Has the page at `page` ask for passkeys. Implements the `Authenticator` port.

    Args:
        page: https address of the tenant's page for this, without a fragment; http on localhost for development.
        invite: told what to show the user, before each answer is waited for.
        open_link: opens an address in the user's browser; tells whether it could.
    """

    def __init__(
        self,
        *,
        page: str,
        invite: Callable[[Invitation], None],
        open_link: Callable[[str], bool] | None = None,
        sign_seconds: float = SIGN_SECONDS,
        create_seconds: float = CREATE_SECONDS,
    ) -> None:
        self._page = page
        self._invite = invite
        self._open_link = webbrowser.open if open_link is None else open_link
        self._sign_seconds = sign_seconds
        self._create_seconds = create_seconds
        self._origin = origin_of(page)
        self._listener: BrowserListener | None = None

    def make_credential(
        self,
        *,
        rp_id: str,
        origin: str,
        challenge: bytes,
        user_handle: bytes,
        user_name: str,
        algorithms: Sequence[int],
        exclude: Sequence[bytes],
        prf_input: bytes,
    ) -> Attestation:
        """See the port."""
        handover = ask_to_create(
            rp_id=rp_id,
            challenge=challenge,
            user_handle=user_handle,
            user_name=user_name,
            algorithms=tuple(algorithms),
            exclude=tuple(exclude),
            prf_input=prf_input,
        )
        answer = self._ask(handover, origin=origin, timeout_seconds=self._create_seconds)
        if not isinstance(answer, Attestation):
            raise AuthenticatorError("the browser answered something else")
        return answer

    def get_assertion(
        self, *, rp_id: str, origin: str, challenge: bytes, allow: Sequence[bytes], prf_input: bytes
    ) -> Assertion:
        """See the port."""
        handover = ask_to_sign(rp_id=rp_id, challenge=challenge, allow=tuple(allow), prf_input=prf_input)
        answer = self._ask(handover, origin=origin, timeout_seconds=self._sign_seconds)
        if not isinstance(answer, Assertion):
            raise AuthenticatorError("the browser answered something else")
        return answer

    def close(self) -> None:
        """Tell a page that still waits that all is done."""
        if self._listener is not None:
            atexit.unregister(self.close)
            self._listener.close()
            self._listener = None

    def _ask(self, handover: Handover, *, origin: str, timeout_seconds: float) -> Assertion | Attestation:
        if origin != self._origin:
            raise AuthenticatorError(f"the page is of {self._origin}, and the vault wants {origin}: see `origin`")
        listener = self._listening()
        link = f"{self._page}#{handover.fragment(port=listener.port)}"
        if listener.expect(handover, link=link):
            self._invite(Invitation(check=handover.check, file=None, opened=True))
            return listener.answer(timeout_seconds=timeout_seconds)
        with tempfile.TemporaryDirectory(prefix="strongroom-") as folder:
            file = _write_leading_file(Path(folder), link)
            opened = self._open_link(file.as_uri())
            self._invite(Invitation(check=handover.check, file=file, opened=opened))
            return listener.answer(timeout_seconds=timeout_seconds)

    def _listening(self) -> BrowserListener:
        if self._listener is None:
            self._listener = BrowserListener(origin=self._origin)
            atexit.register(self.close)  # the page is told at the end of the command, whichever it is
        return self._listener


def origin_of(page: str) -> str:
    """Return the origin of a page's address.

    Raises:
        ValueError: it is not https (http only on localhost), or has user, query or fragment.
    """
    parts = urlsplit(page)
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname == "localhost")
    if not secure or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc or "#" in page:
        raise ValueError("the page must be https://..., without user, query and fragment")
    if parts.netloc != parts.netloc.lower() or not page.isascii() or not page.isprintable() or " " in page:
        raise ValueError("the page must be written in lower-case ASCII, as browsers write its origin")
    default = {"https": ":443", "http": ":80"}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.removesuffix(default)}"


def _write_leading_file(folder: Path, link: str) -> Path:
    """Write a page for this user alone that leads to `link`.

    The link itself as an argument of the browser's would show its key to every user of this machine.
    """
    file = folder / "open-me.html"
    script = json.dumps(link).replace("<", "\\u003c")
    content = (
        f'<!doctype html><meta charset="utf-8"><title>Strongroom</title><script>location.replace({script})</script>\n'
    )
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(content)
    return file
