"""A browser authenticator, and a ceremony of its own that somebody else tries to answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from strongroom_client.authenticators.browser import BrowserAuthenticator, Invitation
from strongroom_client.authenticators.port import (
    Assertion,
    Attestation,
    AuthenticatorError,
)
from tests.fakes.browser_page import BrowserPage, asked_in, b64, link_in

ORIGIN = "https://vault.example"
PAGE = f"{ORIGIN}/passkey"
CHALLENGE = b"c" * 32
PRF_INPUT = b"p" * 32


@contextmanager
def browser_of(
    open_link: Callable[[str], bool], *, told: list[Invitation] | None = None, seconds: float = 30
) -> Iterator[BrowserAuthenticator]:
    invitations: list[Invitation] = [] if told is None else told
    authenticator = BrowserAuthenticator(
        page=PAGE,
        invite=invitations.append,
        open_link=open_link,
        sign_seconds=seconds,
        create_seconds=seconds,
    )
    with closing(authenticator):
        yield authenticator


def create(authenticator: BrowserAuthenticator, *, origin: str = ORIGIN) -> Attestation:
    return authenticator.make_credential(
        rp_id="vault.example",
        origin=origin,
        challenge=CHALLENGE,
        user_handle=b"u" * 32,
        user_name="alice",
        algorithms=[-8, -7],
        exclude=[],
        prf_input=PRF_INPUT,
    )


def sign(authenticator: BrowserAuthenticator, allow: bytes, *, challenge: bytes = CHALLENGE) -> Assertion:
    return authenticator.get_assertion(
        rp_id="vault.example", origin=ORIGIN, challenge=challenge, allow=[allow], prf_input=PRF_INPUT
    )


class Scene:
    """A ceremony under way, whose answer somebody else tries to give before the page does."""

    def __init__(self, page: BrowserPage) -> None:
        self._page = page
        self._file = ""
        self.asked: dict[str, Any] = {}
        self._ready = threading.Event()
        self.result: list[Attestation | Exception] = []

    def open(self, file_url: str) -> bool:
        self._file = file_url
        self.asked = asked_in(link_in(file_url))
        self._ready.set()
        return True

    def run(self, authenticator: BrowserAuthenticator) -> None:
        try:
            self.result.append(create(authenticator))
        except AuthenticatorError as error:
            self.result.append(error)

    def wait(self) -> None:
        assert self._ready.wait(30)

    @contextmanager
    def under_way(self) -> Iterator[int]:
        """Yield the port; then the honest page answers, and must be heard."""
        with browser_of(self.open) as authenticator:
            thread = threading.Thread(target=self.run, args=(authenticator,))
            thread.start()
            self.wait()
            yield int(self.asked["port"])
            assert self.result == [], "nobody else was heard"
            self._page.open(self._file)
            thread.join(30)
        self._page.wait()
        assert [type(one) for one in self.result] == [Attestation]

    def answer(self, **changed: object) -> dict[str, Any]:
        return {
            "v": 1,
            "kind": "create",
            "credential_id": b64(b"i" * 32),
            "client_data_json": b64(json.dumps({"challenge": b64(CHALLENGE)}).encode()),
            "attestation_object": b64(b"a"),
            "transports": ["usb"],
            "prf_output": None,
            **changed,
        }
