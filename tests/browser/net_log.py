"""What Chromium itself writes down of its network: every byte that it put on a socket, whoever in it did so.

A second eye beside traffic.py, which asks the page's own targets: this one misses nothing that the browser does by
itself, and sees what is inside TLS, too. It is whole once the browser has ended.
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from tests.browser.traffic import forms

_SENT: Final = ("SOCKET_BYTES_SENT", "SSL_SOCKET_BYTES_SENT", "UDP_BYTES_SENT")


def net_log_flags(file: Path) -> tuple[str, ...]:
    """Return the flags that have a browser write its log to `file`."""
    return (f"--log-net-log={file}", "--net-log-capture-mode=Everything")


def bytes_sent(file: Path) -> bytes:
    """Return all that was put on sockets, socket by socket."""
    log: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    names = {number: name for name, number in log["constants"]["logEventTypes"].items()}
    sockets: defaultdict[int, list[bytes]] = defaultdict(list)
    for event in log["events"]:
        if names.get(event["type"]) in _SENT and "bytes" in event.get("params", {}):
            sockets[event["source"]["id"]].append(base64.b64decode(event["params"]["bytes"]))
    return b"\0".join(b"".join(pieces) for pieces in sockets.values())


def forms_found(file: Path, secrets: set[bytes]) -> set[str]:
    """Return in which forms any of the secrets was put on a socket."""
    sent = bytes_sent(file)
    return {form for secret in secrets for form, shape in forms(secret).items() if shape in sent}
