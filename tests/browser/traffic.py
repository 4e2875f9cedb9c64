"""Watches all that leaves a tab, of its page, frames and workers alike, for bytes that must not leave it."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.browser.devtools import DevToolsError, Event
from tests.browser.tab import Tab

_BINDING: Final = "tellPrfResult"
# Runs before anything of the page, in the page's own world: what authenticators answer there is overheard, whatever the
# page does with it. A binding is no traffic.
_EAVESDROPPER: Final = """
for (const name of globalThis.CredentialsContainer ? ["create", "get"] : []) {
  const native = CredentialsContainer.prototype[name];
  CredentialsContainer.prototype[name] = async function (...given) {
    const credential = await native.apply(this, given);
    const results = credential?.getClientExtensionResults?.().prf?.results ?? {};
    for (const result of [results.first, results.second]) {
      if (result !== undefined) {
        tellPrfResult(Array.from(new Uint8Array(result), (byte) => byte.toString(16).padStart(2, "0")).join(""));
      }
    }
    return credential;
  };
}
"""
_MAX_BODY_BYTES: Final = 1 << 26
# Each waits until it is watched.
_ALL_TARGETS: Final = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Where a secret left: the address, in which part of the request, and in which form."""

    address: str
    part: str
    form: str


class Traffic:
    """What left a tab since the watch began, and what its authenticators gave it."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab
        self._parts: list[tuple[str, str, bytes]] = []
        self._unread: list[tuple[str, str, str]] = []
        self._secrets: set[bytes] = set()
        self._taking = threading.Lock()
        tab.listen("Runtime.bindingCalled", self._take_secret)
        tab.send("Runtime.addBinding", name=_BINDING)
        tab.send("Page.addScriptToEvaluateOnNewDocument", source=_EAVESDROPPER)
        self._watch(tab.session)
        tab.send("Target.setAutoAttach", **_ALL_TARGETS)

    def secrets(self) -> set[bytes]:
        """Return every PRF result that the page was given."""
        with self._taking:
            return set(self._secrets)

    def addresses(self) -> set[str]:
        """Return where something was sent."""
        return {address for address, _, _ in self.parts()}

    def parts(self) -> list[tuple[str, str, bytes]]:
        """Return address, part and bytes of all that left."""
        with self._taking:
            unread, self._unread = self._unread, []
        for session, request, address in unread:
            try:
                answer = self._tab.connection.send(
                    "Network.getRequestPostData", session=session, parameters={"requestId": request}
                )
            except DevToolsError as error:
                raise AssertionError(f"the body of a request to {address} cannot be read") from error
            body = base64.b64decode(answer["postData"]) if answer.get("base64Encoded") else answer["postData"].encode()
            self._take(address, "body", body)
        with self._taking:
            return list(self._parts)

    def leaks(self) -> list[Leak]:
        """Return every place where a secret left."""
        parts, secrets = self.parts(), self.secrets()
        return [
            Leak(address=address, part=part, form=form)
            for address, part, content in parts
            for secret in secrets
            for form, shape in forms(secret).items()
            if shape in content
        ]

    def _watch(self, session: str) -> None:
        connection = self._tab.connection
        listeners = {
            "Network.requestWillBeSent": lambda event: self._take_request(session, event),
            "Network.requestWillBeSentExtraInfo": self._take_headers,
            "Network.webSocketCreated": lambda event: self._take(event["url"], "address", event["url"].encode()),
            "Network.webSocketFrameSent": self._take_frame,
            "Network.webTransportCreated": lambda event: self._take(event["url"], "address", event["url"].encode()),
            "Target.attachedToTarget": self._take_target,
        }
        for event, listener in listeners.items():
            connection.listen(event, listener, session=session)
        connection.post("Network.enable", session=session, parameters={"maxPostDataSize": _MAX_BODY_BYTES})

    def _take_target(self, event: Event) -> None:
        session = event["sessionId"]
        self._watch(session)
        connection = self._tab.connection
        connection.post("Target.setAutoAttach", session=session, parameters=_ALL_TARGETS)
        connection.post("Runtime.runIfWaitingForDebugger", session=session)

    def _take_request(self, session: str, event: Event) -> None:
        request = event["request"]
        address = request["url"]
        self._take(address, "address", address.encode())
        self._take(address, "headers", _lines(request["headers"]))
        entries = request.get("postDataEntries", [])
        for entry in entries:
            self._take(address, "body", base64.b64decode(entry.get("bytes", "")))
        if request.get("hasPostData") and not any(entry.get("bytes") for entry in entries):
            with self._taking:
                self._unread.append((session, event["requestId"], address))

    def _take_headers(self, event: Event) -> None:
        self._take("", "headers", _lines(event["headers"]))

    def _take_frame(self, event: Event) -> None:
        frame = event["response"]
        text = frame["opcode"] == 1
        self._take("", "frame", frame["payloadData"].encode() if text else base64.b64decode(frame["payloadData"]))

    def _take_secret(self, event: Event) -> None:
        if event["name"] == _BINDING:
            with self._taking:
                self._secrets.add(bytes.fromhex(event["payload"]))

    def _take(self, address: str, part: str, content: bytes) -> None:
        with self._taking:
            self._parts.append((address, part, content))


def forms(secret: bytes) -> Mapping[str, bytes]:
    """Return what `secret` looks like in traffic, by the name of the form."""
    listed = ",".join(map(str, secret))
    return {
        "raw": secret,
        "hex": secret.hex().encode(),
        "HEX": secret.hex().upper().encode(),
        "list": listed.encode(),
        "spaced list": listed.replace(",", ", ").encode(),
        "object": ",".join(f'"{place}":{byte}' for place, byte in enumerate(secret)).encode(),
        **dict(_base64_forms(secret)),
    }


def _base64_forms(secret: bytes) -> Iterator[tuple[str, bytes]]:
    # In a longer text the secret may begin at any of three places of a group: what is its own in each is looked for.
    for shift in range(3):
        padded = bytes(shift) + secret
        whole = base64.b64encode(padded)
        own = whole[4 * bool(shift) : len(padded) // 3 * 4]
        yield f"base64 +{shift}", own
        yield f"base64url +{shift}", own.translate(bytes.maketrans(b"+/", b"-_"))


def _lines(headers: Mapping[str, Any]) -> bytes:
    return "\n".join(f"{name}: {value}" for name, value in headers.items()).encode()
