"""The example's web backend (clients/examples/app-backend) as a process, and a browser's part in speaking to it."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from deploy.development.environment import AUDIENCE, DevelopmentVault
from deploy.development.vault_folder import free_ports

PASSWORD: Final = "correct horse"
_COMMAND: Final = (sys.executable, "-P", "-m", "app_backend")
_START_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One response."""

    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:  # noqa: ANN401  whatever JSON is
        return json.loads(self.text)


@dataclass(frozen=True, kw_only=True)
class RunningBackend:
    """Where it is, and what it logs."""

    port: int
    log_file: Path

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.port}"

    def get(self, path: str, *, cookie: str = "", host: str = "") -> Answer:
        return self._ask("GET", path, b"", {"Cookie": cookie, "Host": host or f"localhost:{self.port}"})

    def post(self, path: str, body: bytes = b"", *, cookie: str = "", origin: str | None = None) -> Answer:
        """Post as the page itself does, or as a page of another origin; `origin` "" for none at all."""
        stated = self.origin if origin is None else origin
        return self._ask("POST", path, body, {"Cookie": cookie, "Origin": stated})

    def sign_in(self, name: str = "alice", password: str = PASSWORD) -> str:
        """Return the cookie of a new session."""
        answer = self.post("/sign-in", urlencode({"account": name, "password": password}).encode())
        assert answer.status == HTTPStatus.SEE_OTHER, answer.text
        return answer.headers["set-cookie"].partition(";")[0]

    def _ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection("localhost", self.port, timeout=30)
        try:
            connection.request(method, path, body, {name: value for name, value in headers.items() if value})
            response = connection.getresponse()
            text = response.read().decode()
            return Answer(
                status=response.status,
                headers={name.lower(): value for name, value in response.getheaders()},
                text=text,
            )
        finally:
            connection.close()


def address_for_pages(vault: DevelopmentVault) -> str:
    """Return where pages reach this vault, or where they would if it served them."""
    return vault.files.browser_url or "http://localhost:8443"


@contextmanager
def running_backend(
    vault: DevelopmentVault, folder: Path, *, port: int | None = None, page_folder: Path | None = None
) -> Iterator[RunningBackend]:
    """Serve the backend of the vault's tenant, with the user alice; by default a page that does nothing, anywhere."""
    port = port or free_ports(1)[0]
    _run("add-user", folder / "users.toml", "alice", words=f"{PASSWORD}\n")
    page = page_folder or _page_in(folder / "page")
    (folder / "well-known").mkdir()
    (folder / "well-known" / "webauthn").write_text('{"origins": ["https://notes.example"]}')
    settings = {
        "origin": f"http://localhost:{port}",
        "port": port,
        "page_folder": str(page),
        "users_file": "users.toml",
        "signing_key_file": str(vault.files.folder / "tenant-key.pem"),
        "well_known_folder": "well-known",
    }
    table = {
        "audience": AUDIENCE,
        "issuer": vault.tenant.issuer,
        "tenant": vault.tenant.name,
        "browser_url": address_for_pages(vault),
        "pins": list(vault.pins),
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    lines += ["[vault]", *(f"{name} = {json.dumps(value)}" for name, value in table.items())]
    (folder / "app.toml").write_text("\n".join(lines))
    backend = RunningBackend(port=port, log_file=folder / "backend.log")
    with backend.log_file.open("wb") as log:
        process = subprocess.Popen([*_COMMAND, "serve", folder / "app.toml"], stdout=log, stderr=log)
    try:
        _wait(backend, process)
        yield backend
    finally:
        process.terminate()
        process.wait(timeout=30)


def _run(*command: str | Path, words: str = "") -> str:
    return subprocess.run([*_COMMAND, *command], input=words, capture_output=True, text=True, check=True).stdout


def _page_in(folder: Path) -> Path:
    folder.mkdir()
    (folder / "index.html").write_text('<meta name="strongroom-settings" content="{{settings}}" />')
    (folder / "page.js").write_text("")
    return folder


def _wait(backend: RunningBackend, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            backend.get("/")
        except OSError:  # nobody listens yet
            assert process.poll() is None, backend.log_file.read_text()
            assert time.monotonic() < deadline, backend.log_file.read_text()
            time.sleep(_POLL_SECONDS)
        else:
            return
