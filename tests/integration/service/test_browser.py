"""A real service with [browser]: what pages may and may not do with it."""

from __future__ import annotations

import base64
import http.client
import json
import os
from collections.abc import Mapping

import pytest

from deploy.development.environment import DevelopmentVault

PAGE = "http://localhost"
PATH = "/strongroom.v1.VaultService/GetServiceInfo"


def request(
    vault: DevelopmentVault, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection((vault.files.browser_url or "").removeprefix("http://"), timeout=10)
    connection.request(method, path, body, dict(headers))
    answer = connection.getresponse()
    told = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    connection.close()
    return told


def ask(vault: DevelopmentVault, **headers: str) -> tuple[int, dict[str, str], bytes]:
    own = {
        "content-type": "application/json",
        "connect-timeout-ms": "5000",
        "authorization": f"Bearer {vault.issue_token('alice')}",
    }
    body = json.dumps({"nonce": base64.b64encode(os.urandom(32)).decode()}).encode()
    return request(vault, "POST", PATH, own | headers, body)


def test_page_of_a_tenants_origin_is_answered_and_may_read_it(development_vault: DevelopmentVault) -> None:
    status, headers, body = ask(development_vault, origin=PAGE)
    assert (status, headers["access-control-allow-origin"]) == (200, PAGE)
    assert "access-control-allow-credentials" not in headers
    assert {"reply", "receipt"} == set(json.loads(body))


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "*",
        "https://localhost",
        "http://localhost:80",
        "http://localhost:8737",
        "http://localhost:*",
        "http://localhost/",
        "http://LOCALHOST",
        "http://localhost.example.org",
        "http://evil.example",
        f"{PAGE} {PAGE}",
    ],
)
def test_page_of_another_origin_is_refused_and_told_nothing(development_vault: DevelopmentVault, origin: str) -> None:
    status, headers, body = ask(development_vault, origin=origin)
    assert (status, body) == (403, b"Forbidden\n")
    assert [name for name in headers if name.startswith("access-control-")] == []


def test_preflight_allows_what_the_protocols_send(development_vault: DevelopmentVault) -> None:
    wish = {"origin": PAGE, "access-control-request-method": "POST"}
    status, headers, body = request(development_vault, "OPTIONS", PATH, wish)
    assert (status, body, headers["access-control-allow-origin"]) == (204, b"", PAGE)
    assert headers["access-control-allow-methods"] == "POST"
    allowed = set(headers["access-control-allow-headers"].split(", "))
    assert {"authorization", "connect-protocol-version", "connect-timeout-ms", "content-type"} <= allowed


def test_preflight_of_another_origin_is_refused(development_vault: DevelopmentVault) -> None:
    wish = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    status, headers, _ = request(development_vault, "OPTIONS", PATH, wish)
    assert status == 403
    assert [name for name in headers if name.startswith("access-control-")] == []
