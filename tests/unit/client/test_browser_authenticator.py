"""Passkeys of a browser: the way to the page and back."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from strongroom_client.authenticators.browser import Invitation, origin_of
from strongroom_client.authenticators.port import (
    AuthenticatorError,
    CredentialExcluded,
    NoMatchingCredential,
)
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from tests.fakes.browser_page import BrowserPage, b64, check_of
from tests.fakes.browser_scene import ORIGIN, browser_of, create, sign


@pytest.fixture
def software(tmp_path: Path) -> InsecureSoftwareAuthenticator:
    return InsecureSoftwareAuthenticator(state_path=tmp_path / "passkeys.json")


@pytest.fixture
def page(software: InsecureSoftwareAuthenticator) -> BrowserPage:
    return BrowserPage(software, ORIGIN)


def test_page_creates_and_signs_in_one_tab(software: InsecureSoftwareAuthenticator, page: BrowserPage) -> None:
    told: list[Invitation] = []
    with browser_of(page.open, told=told) as authenticator:
        created = create(authenticator)
        signed = sign(authenticator, created.credential_id, challenge=b"d" * 32)
    page.wait()
    assert len(page.opened) == 1, "the page that answered is led on"
    assert [reply.status for reply in page.replies] == [303, 200]
    assert "can be closed" in page.replies[-1].text
    assert created.prf_output == signed.prf_output
    assert signed.credential_id == created.credential_id
    assert json.loads(signed.client_data_json)["challenge"] == b64(b"d" * 32)
    assert [one.check for one in told] == [check_of(asked) for asked in page.seen]
    assert page.seen[0]["key"] != page.seen[1]["key"]
    assert len(page.seen[0]["key"]) == 43, "256 bits"


def test_link_is_in_no_argument_and_for_its_user_alone(page: BrowserPage) -> None:
    seen: list[tuple[int, int]] = []

    def open_link(file_url: str) -> bool:
        assert file_url.startswith("file:///")
        file = Path(url2pathname(urlsplit(file_url).path))
        seen.append((stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)))
        return page.open(file_url)

    with browser_of(open_link) as authenticator:
        create(authenticator)
    assert seen == [(0o600, 0o700)]
    assert not Path(url2pathname(urlsplit(page.opened[0]).path)).exists(), "gone with the ceremony"


def test_prf_output_crosses_sealed_only(page: BrowserPage, monkeypatch: pytest.MonkeyPatch) -> None:
    crossed: list[bytes] = []
    sendall = socket.socket.sendall

    def watched(self: socket.socket, data: bytes, *flags: int) -> None:
        crossed.append(bytes(data))
        sendall(self, data, *flags)

    monkeypatch.setattr(socket.socket, "sendall", watched)
    with browser_of(page.open) as authenticator:
        created = create(authenticator)
    page.wait()
    assert created.prf_output is not None
    sent = b"".join(crossed)
    assert b"sealed=" in sent
    for form_of_it in (created.prf_output, b64(created.prf_output).encode(), created.prf_output.hex().encode()):
        assert form_of_it not in sent
    assert page.seen[0]["key"].encode() not in sent, "the key never travels back"


def test_browser_that_cannot_be_opened_is_told(page: BrowserPage) -> None:
    told: list[Invitation] = []

    def by_hand(file_url: str) -> bool:
        page.open(file_url)
        return False

    with browser_of(by_hand, told=told) as authenticator:
        create(authenticator)
    assert (told[0].opened, told[0].file is None) == (False, False)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("NotAllowedError", NoMatchingCredential), ("InvalidStateError", CredentialExcluded), ("Odd", AuthenticatorError)],
)
def test_refusal_of_the_browser_is_told_in_our_words(name: str, kind: type[Exception], page: BrowserPage) -> None:
    page.meddle = lambda _: {"v": 1, "kind": "error", "name": name}
    with browser_of(page.open) as authenticator, pytest.raises(kind) as refused:
        create(authenticator)
    assert name not in str(refused.value)


def test_page_of_another_origin_than_the_vaults_is_not_opened(page: BrowserPage) -> None:
    with browser_of(page.open) as authenticator, pytest.raises(AuthenticatorError, match="see `origin`"):
        create(authenticator, origin="https://elsewhere.example")
    assert page.opened == []


def test_answer_that_does_not_come_ends_in_time() -> None:
    with browser_of(lambda _: True, seconds=0.05) as authenticator, pytest.raises(AuthenticatorError, match="in time"):
        create(authenticator)


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://vault.example/passkey", "https://vault.example"),
        ("https://vault.example:443/", "https://vault.example"),
        ("https://vault.example:8443/", "https://vault.example:8443"),
        ("http://localhost:8000/x", "http://localhost:8000"),
    ],
)
def test_origin_is_as_browsers_write_it(written: str, origin: str) -> None:
    assert origin_of(written) == origin


@pytest.mark.parametrize(
    "written",
    [
        "http://vault.example/",
        "http://127.0.0.1/",
        "https://user@vault.example/",
        "https://vault.example/#x",
        "https://vault.example/#",
        "https://vault.example/?x",
        "https://Vault.example/",
        "https:///x",
        "javascript:alert(1)",
        "https://vault.example/a b",
    ],
)
def test_page_that_would_show_the_link_to_others_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="the page must"):
        origin_of(written)
