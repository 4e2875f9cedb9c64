"""What the page's server owes the page: its policy, its settings, and nobody signed in or out by another site."""

from __future__ import annotations

import html
import http.client
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlencode

import pytest

from deploy.development.page_bundle import COPIED, WEB
from deploy.development.page_server import PageServer, PageSettings

VAULT = "https://vault.example:8443"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PageServer]:
    for name in COPIED:
        (tmp_path / name).write_bytes((WEB / "page" / name).read_bytes())
    (tmp_path / "page.js").write_text("")
    settings = PageSettings(
        folder=tmp_path,
        vault=VAULT,
        tenant='no"tes',
        pins=("ab" * 32,),
        issue_token=lambda account, scope: f"<{account} & {scope}>",
    )
    with PageServer(settings) as server:
        yield server


def ask(
    server: PageServer, method: str, path: str, *, form: Mapping[str, str] | None = None, **headers: str
) -> tuple[int, Mapping[str, str], str]:
    """Ask the server as a browser at its own address does, but for what `headers` say otherwise."""
    host = server.origin.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=10)
    body = None if form is None else urlencode(form)
    sent = {"Host": host, **({} if form is None else {"Origin": server.origin}), **headers}
    connection.request(method, path, body=body, headers=sent)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.getheaders()), text


def signed_in(server: PageServer, **form: str) -> str:
    """Sign alice in and return her cookie."""
    status, headers, _ = ask(server, "POST", "/sign-in", form={"account": "alice", **form})
    assert (status, headers["Location"]) == (303, "/")
    return headers["Set-Cookie"].partition(";")[0]


def settings_in(page: str) -> dict[str, object]:
    """Return what the page is told."""
    found = re.search(r'name="strongroom-settings" content="([^"]*)"', page)
    assert found is not None
    told: dict[str, object] = json.loads(html.unescape(found[1]))
    return told


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css", "/icon.svg", "/missing"])
def test_everything_comes_with_a_policy_that_names_the_vault_alone(server: PageServer, path: str) -> None:
    _, headers, _ = ask(server, "GET", path)
    assert headers["Content-Security-Policy"].split("; ") == [
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "img-src 'self'",
        f"connect-src {VAULT}",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
    assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_page_holds_no_inline_script_style_or_handler() -> None:
    for name in COPIED:
        if name.endswith(".html"):
            page = (WEB / "page" / name).read_text(encoding="utf-8")
            assert re.findall(r"<script(?![^>]*\bsrc=)|<style| style=| on\w+=|javascript:", page) == []


def test_who_signs_in_is_told_who_they_are_and_nobody_else_is(server: PageServer) -> None:
    _, _, before = ask(server, "GET", "/")
    assert "strongroom-settings" not in before
    cookie = signed_in(server)
    _, _, page = ask(server, "GET", "/", Cookie=cookie)
    assert settings_in(page) == {
        "vault": VAULT,
        "tenant": 'no"tes',
        "account": "alice",
        "userName": "alice",
        "accountToken": "<alice & vault>",
        "pins": ["ab" * 32],
        "signOut": "/sign-out",
        "mayReset": False,
    }
    assert "<alice" not in page, "the token's own characters are no markup"
    ask(server, "POST", "/sign-out", form={}, Cookie=cookie)
    _, _, after = ask(server, "GET", "/", Cookie=cookie)
    assert "strongroom-settings" not in after


def test_sign_in_that_may_reset_says_so(server: PageServer) -> None:
    _, _, page = ask(server, "GET", "/", Cookie=signed_in(server, reset="yes"))
    told = settings_in(page)
    assert (told["accountToken"], told["mayReset"]) == ("<alice & vault reset>", True)


def test_cookie_is_for_this_site_and_no_script(server: PageServer) -> None:
    _, headers, _ = ask(server, "POST", "/sign-in", form={"account": "alice"})
    assert headers["Set-Cookie"].split("; ")[1:] == ["Path=/", "HttpOnly", "SameSite=Strict"]


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
def test_form_of_another_site_is_refused(server: PageServer, path: str, origin: str) -> None:
    cookie = signed_in(server)
    status, headers, _ = ask(server, "POST", path, form={"account": "mallory"}, Origin=origin, Cookie=cookie)
    assert (status, "Set-Cookie" in headers) == (403, False)
    assert settings_in(ask(server, "GET", "/", Cookie=cookie)[2])["account"] == "alice"


def test_other_name_for_this_machine_gets_nothing(server: PageServer) -> None:
    status, _, text = ask(server, "GET", "/", Host="evil.example", Cookie=signed_in(server))
    assert status == 421
    assert "alice" not in text


@pytest.mark.parametrize("account", ["", "Alice", "a b", "a" * 65, "../x", "<b>"])
def test_account_of_another_form_is_refused(server: PageServer, account: str) -> None:
    assert ask(server, "POST", "/sign-in", form={"account": account})[0] == 400


@pytest.mark.parametrize("path", ["/index.html", "/../page_server.py", "//etc/passwd", "/page.js/x", "/sign-in"])
def test_nothing_else_is_served(server: PageServer, path: str) -> None:
    assert ask(server, "GET", path)[0] == 404


def test_form_that_is_too_long_is_refused_unread(server: PageServer) -> None:
    assert ask(server, "POST", "/sign-in", form={"account": "a" * 5_000})[0] == 403
