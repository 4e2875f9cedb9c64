"""The page that the command line opens, served as docs/browser-page.md says a product serves it: over https."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import trustme

_TYPES: Final = {
    "/passkey": ("passkey.html", "text/html; charset=utf-8"),
    "/passkey.js": ("passkey.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self' http://127.0.0.1:*; "
    "base-uri 'none'; frame-ancestors 'none'"
)


@contextmanager
def served_passkey_page(folder: Path, *, port: int, referrer_policy: str | None = "origin") -> Iterator[list[str]]:
    """Serve it at https://localhost:port/passkey; yields the paths that were asked for. The port is the caller's."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            name, kind = _TYPES.get(self.path, ("", ""))
            content = (folder / name).read_bytes() if name else b""
            self.send_response(200 if name else 404)
            self.send_header("Content-Type", kind or "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Content-Security-Policy", _POLICY)
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            if referrer_policy is not None:
                self.send_header("Referrer-Policy", referrer_policy)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
