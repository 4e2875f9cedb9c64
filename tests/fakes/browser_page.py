"""A browser with the tenant's page in it, as docs/browser-page.md has it, over a software passkey.

Written from that page and not from the client's code, so that each finds the other's mistakes.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import url2pathname

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom_client.authenticators.port import Assertion, Attestation, Authenticator

NONCE = b"n" * 12


def b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "==")


def fields(*parts: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def asked_in(link: str) -> dict[str, Any]:
    """What a link's fragment says."""
    fragment = urlsplit(link).fragment
    assert fragment.startswith("strongroom=")
    asked: dict[str, Any] = json.loads(unb64(fragment.removeprefix("strongroom=")))
    return asked


def check_of(asked: dict[str, Any]) -> str:
    digest = hashlib.sha256(fields(b"strongroom/v1/browser-check", unb64(asked["key"]), unb64(asked["challenge"])))
    shown = base64.b32encode(digest.digest()[:5]).decode()
    return f"{shown[:4]}-{shown[4:]}"


def link_in(file_url: str) -> str:
    """Where the file that the client has opened leads to."""
    content = Path(url2pathname(urlsplit(file_url).path)).read_text()
    found = re.search(r"location\.replace\((\".*?\")\)", content)
    assert found is not None
    link: str = json.loads(found[1])
    return link


def sealed(asked: dict[str, Any], answer: object) -> bytes:
    aad = fields(b"strongroom/v1/browser-answer", unb64(asked["challenge"]))
    return NONCE + AESGCM(unb64(asked["key"])).encrypt(NONCE, json.dumps(answer).encode(), aad)


@dataclass(frozen=True)
class Reply:
    status: int
    location: str | None
    text: str
    headers: dict[str, str]


def post(port: int, body: str, **changed: str | None) -> Reply:
    """Post a form as a browser does; `changed` headers by name with _ for -, None leaves one out."""
    headers: dict[str, str | None] = {
        "Host": f"127.0.0.1:{port}",
        "Origin": "https://vault.example",
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
        "Sec-Fetch-Site": "cross-site",
    }
    path = changed.pop("path", None) or "/strongroom/v1/answer"
    method = changed.pop("method", None) or "POST"
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(body.encode())
        response = connection.getresponse()
        return Reply(
            response.status, response.getheader("Location"), response.read().decode(), dict(response.getheaders())
        )
    finally:
        connection.close()


def form(sealed_answer: bytes) -> str:
    return urlencode({"sealed": b64(sealed_answer)})


@dataclass
class BrowserPage:
    """Opens what the client says, asks `authenticator`, and posts the answer; `meddle` may change it before."""

    authenticator: Authenticator
    origin: str
    meddle: Callable[[dict[str, Any]], dict[str, Any]] = lambda answer: answer
    seen: list[dict[str, Any]] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def open(self, file_url: str) -> bool:
        self.opened.append(file_url)
        self.threads.append(threading.Thread(target=self._visit, args=(link_in(file_url),)))
        self.threads[-1].start()
        return True

    def wait(self) -> None:
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()

    def _visit(self, link: str | None) -> None:
        while link is not None:
            asked = asked_in(link)
            self.seen.append(asked)
            answer = sealed(asked, self.meddle(self._answer(asked)))
            self.replies.append(post(asked["port"], form(answer), Origin=self.origin))
            link = self.replies[-1].location

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        common = {"rp_id": asked["rp_id"], "origin": self.origin, "challenge": unb64(asked["challenge"])}
        prf_input = unb64(asked["prf_input"])
        if asked["kind"] == "create":
            created = self.authenticator.make_credential(
                **common,
                user_handle=unb64(asked["user_handle"]),
                user_name=asked["user_name"],
                algorithms=asked["algorithms"],
                exclude=[unb64(one) for one in asked["exclude"]],
                prf_input=prf_input,
            )
            return {"v": 1, "kind": "create", **_members(created)}
        signed = self.authenticator.get_assertion(
            **common, allow=[unb64(one) for one in asked["allow"]], prf_input=prf_input
        )
        return {"v": 1, "kind": "get", **_members(signed)}


def _members(made: Attestation | Assertion) -> dict[str, Any]:
    values = {name: getattr(made, name) for name in type(made).__slots__}  # slots: its fields
    return {name: b64(value) if isinstance(value, bytes) else value for name, value in values.items()}
