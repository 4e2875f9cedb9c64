"""The example's web backend: the tokens it mints are good at a running vault, and nobody else gets one."""

from __future__ import annotations

import html
import json
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jwt
import pytest

from app_backend.account_tokens import KeyFault, load_key
from app_backend.sessions import LIFETIME_SECONDS, RESET_SECONDS, Sessions
from app_backend.settings import SettingsFault, load_settings
from deploy.development.environment import AUDIENCE, DevelopmentVault
from strongroom_client.account_tokens import AccountTokenFrom
from strongroom_client.client import VaultClient
from strongroom_client.errors import AccountTokenRejected, ScopeMissing
from strongroom_client.memory import AccountRef
from strongroom_client.memory_folder import MemoryFolder
from strongroom_client.session import VaultSettings
from strongroom_client.transport import Address, GrpcConnection
from strongroom_client.verification.bundles import Trust
from tests.integration.examples.backend import PASSWORD, Answer, RunningBackend, address_for_pages, running_backend


@pytest.fixture(scope="module")
def backend(development_vault: DevelopmentVault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBackend]:
    with running_backend(development_vault, tmp_path_factory.mktemp("backend")) as backend:
        yield backend


def _client(vault: DevelopmentVault, memory: Path, token: str) -> VaultClient:
    account = str(jwt.decode(token, options={"verify_signature": False})["sub"])
    owner = AccountRef(vault=AUDIENCE, tenant=vault.tenant.name, account=account)
    address = Address(target=vault.address, root_certificates=vault.ca_file)
    return VaultClient(
        settings=VaultSettings(owner=owner, trust=Trust(pins=frozenset(bytes.fromhex(pin) for pin in vault.pins))),
        connection=GrpcConnection(address, account_token=AccountTokenFrom(lambda: token)),
        memory=MemoryFolder(memory, owner=owner),
    )


def test_token_of_who_is_signed_in_is_good_at_the_vault(
    development_vault: DevelopmentVault, backend: RunningBackend, tmp_path: Path
) -> None:
    answer = backend.post("/vault-token", cookie=backend.sign_in())
    assert answer.status == HTTPStatus.OK
    assert answer.headers["cache-control"] == "no-store"
    minted = answer.json()
    claims = jwt.decode(minted["token"], options={"verify_signature": False})
    assert jwt.get_unverified_header(minted["token"]) == {
        "alg": "ES256",
        "kid": development_vault.tenant.kid,
        "typ": "strongroom-account+jwt",
    }
    assert claims["exp"] - claims["iat"] == 3_600
    assert claims["exp"] == minted["expires_at"]
    assert (claims["iss"], claims["aud"], claims["scope"]) == (development_vault.tenant.issuer, AUDIENCE, "vault")
    assert re.fullmatch("[0-9a-f]{32}", claims["sub"])
    with _client(development_vault, tmp_path, minted["token"]) as client:
        assert client.vault().version == 0  # which the vault signs for the account in the token
        with pytest.raises(ScopeMissing):
            client.reset()


def test_token_signed_by_another_key_is_not_good_at_the_vault(
    development_vault: DevelopmentVault, backend: RunningBackend, tmp_path: Path
) -> None:
    token = backend.post("/vault-token", cookie=backend.sign_in()).json()["token"]
    forged = token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB")
    with _client(development_vault, tmp_path, forged) as client, pytest.raises(AccountTokenRejected):
        client.vault()


def test_token_that_may_reset_is_minted_against_the_password_once_more(backend: RunningBackend) -> None:
    cookie = backend.sign_in()
    wrong = backend.post("/vault-token/reset", json.dumps({"password": "guessed"}).encode(), cookie=cookie)
    assert wrong.status == HTTPStatus.FORBIDDEN
    right = backend.post("/vault-token/reset", json.dumps({"password": PASSWORD}).encode(), cookie=cookie)
    assert jwt.decode(right.json()["token"], options={"verify_signature": False})["scope"] == "vault reset"


@pytest.mark.parametrize("path", ["/vault-token", "/vault-token/reset"])
def test_nobody_else_gets_a_token(backend: RunningBackend, path: str) -> None:
    signed_out = backend.sign_in()
    assert backend.post("/sign-out", cookie=signed_out).status == HTTPStatus.SEE_OTHER
    for cookie in ("", "session=", f"session={secrets.token_urlsafe(32)}", signed_out, "session=\xff"):
        answer = backend.post(path, json.dumps({"password": PASSWORD}).encode(), cookie=cookie)
        assert (answer.status, answer.text) == (HTTPStatus.UNAUTHORIZED, "Sign in first.\n")
        assert "accountToken" not in backend.get("/", cookie=cookie).text


def test_page_of_another_origin_gets_no_token_and_signs_nobody_in(backend: RunningBackend) -> None:
    cookie = backend.sign_in()
    form = f"account=alice&password={PASSWORD}".encode()
    for origin in ("", "null", "https://evil.example", f"{backend.origin}.evil.example", "http://localhost"):
        for path, body in (("/vault-token", b""), ("/sign-in", form), ("/sign-out", b"")):
            assert backend.post(path, body, cookie=cookie, origin=origin).status == HTTPStatus.FORBIDDEN
    assert backend.get("/", cookie=cookie, host="evil.example").status == HTTPStatus.MISDIRECTED_REQUEST
    assert backend.get("/vault-token", cookie=cookie).status == HTTPStatus.NOT_FOUND
    assert backend.post("/vault-token", cookie=cookie).status == HTTPStatus.OK


def test_wrong_password_and_unknown_name_are_refused_alike(backend: RunningBackend) -> None:
    answers = [
        backend.post("/sign-in", f"account={name}&password=guessed".encode()) for name in ("alice", "nobody", "%00")
    ]
    assert {(answer.status, answer.text) for answer in answers} == {
        (HTTPStatus.FORBIDDEN, "There is no such user, or the password is another one.\n")
    }
    assert not any("set-cookie" in answer.headers for answer in answers)


def test_cookie_is_out_of_reach_of_scripts_and_other_sites(backend: RunningBackend) -> None:
    answer = backend.post("/sign-in", f"account=alice&password={PASSWORD}".encode())
    cookie = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= cookie
    assert answer.headers["location"] == "/"


def test_page_holds_the_settings_of_who_is_signed_in_and_speaks_to_the_vault_alone(
    development_vault: DevelopmentVault, backend: RunningBackend
) -> None:
    answer = backend.get("/", cookie=backend.sign_in())
    written = _written(answer)
    token = jwt.decode(written.pop("accountToken"), options={"verify_signature": False})
    assert written == {
        "vault": address_for_pages(development_vault),
        "tenant": development_vault.tenant.name,
        "account": token["sub"],
        "userName": "alice",
        "pins": list(development_vault.pins),
        "signOut": "/sign-out",
        "mayReset": False,
    }
    policy = answer.headers["content-security-policy"].split("; ")
    assert f"connect-src 'self' {address_for_pages(development_vault)}" in policy
    assert {"default-src 'none'", "frame-ancestors 'none'", "script-src 'self' 'wasm-unsafe-eval'"} <= set(policy)
    assert answer.headers["cache-control"] == "no-store"


def _written(answer: Answer) -> dict[str, Any]:
    """What the page is told."""
    content = re.search('content="([^"]*)"', answer.text)
    assert content is not None
    written: dict[str, Any] = json.loads(html.unescape(content[1]))
    return written


def test_page_may_reset_after_a_sign_in_that_asks_for_it(backend: RunningBackend) -> None:
    form = f"account=alice&password={PASSWORD}&reset=yes".encode()
    cookie = backend.post("/sign-in", form).headers["set-cookie"].partition(";")[0]
    written = _written(backend.get("/", cookie=cookie))
    assert written["mayReset"] is True
    assert jwt.decode(written["accountToken"], options={"verify_signature": False})["scope"] == "vault reset"
    token = backend.post("/vault-token", cookie=cookie).json()["token"]
    assert jwt.decode(token, options={"verify_signature": False})["scope"] == "vault"


def test_well_known_files_are_served_as_json_and_no_others(backend: RunningBackend) -> None:
    answer = backend.get("/.well-known/webauthn")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"origins": ["https://notes.example"]}
    for path in ("/.well-known/assetlinks.json", "/.well-known/..%2fusers.toml", "/users.toml", "/..%2fapp.toml"):
        assert backend.get(path).status == HTTPStatus.NOT_FOUND


def test_no_secret_is_in_an_address_or_in_the_log(backend: RunningBackend) -> None:
    cookie = backend.sign_in()
    backend.get("/", cookie=cookie)
    token = backend.post("/vault-token", cookie=cookie).json()["token"]
    backend.post("/vault-token/reset", json.dumps({"password": PASSWORD}).encode(), cookie=cookie)
    deadline = time.monotonic() + 10
    while "POST /vault-token/reset" not in (log := backend.log_file.read_text()):
        assert time.monotonic() < deadline, log
        time.sleep(0.05)
    assert "POST /vault-token HTTP" in log  # calls are logged; what they carry is not
    for secret in (token, token.partition(".")[2], cookie.partition("=")[2], PASSWORD, "horse"):
        assert secret not in log
    assert not re.search(r'"(GET|POST) \S*[?&]', log)


def test_session_ends() -> None:
    now = 0.0
    sessions = Sessions(clock=lambda: now)
    cookie = sessions.begin(name="alice", account="a", to_reset=True)
    session = sessions.find(cookie)
    assert session is not None
    assert sessions.may_reset(session)
    now = float(RESET_SECONDS)
    assert not sessions.may_reset(session)
    now = LIFETIME_SECONDS - 1.0
    assert sessions.find(cookie) is not None
    now = float(LIFETIME_SECONDS)
    assert sessions.find(cookie) is None


def test_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    key_file = tmp_path / "key.pem"
    subprocess.run([sys.executable, "-P", "-m", "app_backend", "new-key", key_file], check=True)
    load_key(key_file)
    key_file.chmod(0o640)
    with pytest.raises(KeyFault, match="must be 0600"):
        load_key(key_file)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ('origin = "http://notes.example"', "origin must be https://"),
        ('origin = "https://notes.example"\nissuer = "x"', "unknown settings: issuer"),
    ],
)
def test_settings_that_break_a_rule_are_refused(tmp_path: Path, line: str, rule: str) -> None:
    file = tmp_path / "app.toml"
    file.write_text(
        f'{line}\nport = 1\npage_folder = "p"\nusers_file = "u"\nsigning_key_file = "k"\n[vault]\naudience = "a"\n'
        f'issuer = "i"\ntenant = "t"\nbrowser_url = "b"\npins = ["{"0" * 64}"]\n'
    )
    with pytest.raises(SettingsFault, match=rule):
        load_settings(file)
