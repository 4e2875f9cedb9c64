"""A page that hands PRF results to a server in every way that pages have: what the watch on traffic must catch."""

from __future__ import annotations

import base64
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self

WAYS: Final = {
    "raw": "fetch('/raw', {method: 'POST', body: secret})",
    "json": "fetch('/json', {method: 'POST', body: JSON.stringify(credential.toJSON())})",
    "inside": "fetch('/inside', {method: 'POST', body: new Blob(['12345', secret, '6789'])})",
    "form": "(() => { const form = new FormData(); form.append('file', new Blob([secret]));"
    " return fetch('/form', {method: 'POST', body: form}); })()",
    "hex": "fetch('/hex', {headers: {'x-secret': hex}})",
    "HEX": "fetch('/hex-up', {method: 'POST', body: hex.toUpperCase()})",
    "address": "fetch('/address?' + encoded.replaceAll('+', '-').replaceAll('/', '_'))",
    "shifted": "fetch('/shifted', {method: 'POST', body: btoa('x' + binary + 'yz')})",
    "list": "fetch('/list', {method: 'POST', body: JSON.stringify({prf: Array.from(bytes)})})",
    "object": "fetch('/object', {method: 'POST', body: JSON.stringify(bytes)})",
    "beacon": "navigator.sendBeacon('/beacon', new Blob([secret]))",
    "image": "(() => { new Image().src = '/image?' + hex; })()",
    "navigation": "(() => { const frame = document.createElement('iframe'); frame.src = '/frame?' + hex;"
    " document.body.append(frame); })()",
    "worker": "new Promise((resolve) => { const worker = new Worker('/worker.js'); worker.onmessage = resolve;"
    " worker.postMessage(secret); })",
    "socket": "new Promise((resolve) => { const socket = new WebSocket(`ws://${location.host}/socket`);"
    " socket.onopen = () => { socket.send(secret); setTimeout(resolve, 50); };"
    " socket.onerror = () => resolve(); })",
}
"""How it leaks, by name."""

_SOCKET_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_PAGE: Final = b"<!doctype html><title>Leaks</title><link rel=icon href=data:,><h1>Leaks</h1>"
_WORKER: Final = b"""
onmessage = async ({ data }) => {
  await fetch("/from-worker", { method: "POST", body: data });
  postMessage("sent");
};
"""


def leak(way: str) -> str:
    """Return a program that makes a passkey with PRF and leaks the result in that way."""
    return f"""(async () => {{
  const credential = await navigator.credentials.create({{publicKey: {{
    rp: {{id: "localhost", name: "Leaks"}},
    user: {{id: crypto.getRandomValues(new Uint8Array(32)), name: "somebody", displayName: "somebody"}},
    challenge: crypto.getRandomValues(new Uint8Array(32)),
    pubKeyCredParams: [{{type: "public-key", alg: -7}}, {{type: "public-key", alg: -257}}],
    authenticatorSelection: {{residentKey: "required", userVerification: "required"}},
    extensions: {{prf: {{eval: {{first: crypto.getRandomValues(new Uint8Array(32))}}}}}},
  }}}});
  const secret = credential.getClientExtensionResults().prf.results.first;
  const bytes = new Uint8Array(secret);
  const binary = String.fromCharCode(...bytes);
  const encoded = btoa(binary);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  await ({WAYS[way]});
}})()"""


class LeakingPage:
    """Serves the page, and takes whatever it sends; a context manager."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.address = f"http://localhost:{self._server.server_port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/socket":
            self._take_socket()
            return
        worker = self.path == "/worker.js"
        self._answer(_WORKER if worker else _PAGE, "text/javascript" if worker else "text/html")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(b"taken", "text/plain")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Say nothing."""

    def _take_socket(self) -> None:
        # RFC 6455, section 4.2.2; what comes then is read and not understood.
        accepted = hashlib.sha1(f"{self.headers['Sec-WebSocket-Key']}{_SOCKET_GUID}".encode()).digest()  # noqa: S324  the RFC's
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accepted).decode())
        self.end_headers()
        self.wfile.flush()
        self.connection.recv(1_024)
        self.close_connection = True

    def _answer(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
