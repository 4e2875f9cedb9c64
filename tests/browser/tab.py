"""One tab, used as a person uses it: by what it says, by role and name, with mouse and keyboard."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from tests.browser.devtools import ANSWER_SECONDS, Connection, DevToolsError, Event

PATIENCE_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.03
_REPLACED_SECONDS: Final = 1.0
_Found = TypeVar("_Found")
_FIND: Final = """(role, name) => [...document.querySelectorAll("body *")].filter(
  (one) => one.computedRole === role && one.computedName === name && one.checkVisibility()
)"""
_KEYS: Final = {
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    "Escape": ("Escape", 27, ""),
    "Space": ("Space", 32, " "),
    "ArrowRight": ("ArrowRight", 39, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
}
_SHIFT: Final = 8


class NotSeen(AssertionError):
    """What was waited for did not come; the message holds what the page shows instead."""


@dataclass(frozen=True, slots=True)
class Element:
    """A thing on the page. `handle` is the browser's name for it."""

    handle: str
    role: str
    name: str


class Tab:
    """A tab in a profile of its own."""

    def __init__(self, connection: Connection, *, target: str, profile: str) -> None:
        self.connection, self.profile, self.target = connection, profile, target
        attached = connection.send(
            "Target.attachToTarget", session="", parameters={"targetId": target, "flatten": True}
        )
        self.session: str = attached["sessionId"]
        self.complaints: list[str] = []
        self._answer_seconds = ANSWER_SECONDS
        self.listen("Runtime.exceptionThrown", self._take_exception)
        self.listen("Log.entryAdded", self._take_log_entry)
        self.listen("Inspector.targetCrashed", lambda _: self.complaints.append("the page's process crashed"))
        self.listen("Runtime.consoleAPICalled", self._take_console)
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: object) -> Any:  # noqa: ANN401  see Connection.send
        """Send a command to this tab."""
        return self.connection.send(method, session=self.session, patience=self._answer_seconds, parameters=parameters)

    def listen(self, event: str, listener: Callable[[Event], None]) -> None:
        """Have `listener` called with each `event` of this tab."""
        self.connection.listen(event, listener, session=self.session)

    def close(self) -> None:
        """Close the tab and forget its profile."""
        self.connection.send("Target.disposeBrowserContext", session="", parameters={"browserContextId": self.profile})

    def frame(self, address: str) -> Tab:
        """Return the frame of another site that shows `address`, as a tab of its own, as soon as there is one."""

        def found() -> list[str]:
            targets = self.connection.send("Target.getTargets", session="")["targetInfos"]
            return [one["targetId"] for one in targets if one["type"] == "iframe" and one["url"] == address]

        [target] = self.until(found, f"a frame of {address}")
        return Tab(self.connection, target=target, profile=self.profile)

    # What it shows.

    def goto(self, address: str) -> None:
        """Load `address`, and return when it and what it needs is loaded."""
        answer = self.send("Page.navigate", url=address)
        assert "errorText" not in answer, answer
        self.until(lambda: self.evaluate("document.readyState") == "complete", f"{address} to be loaded")

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401  whatever the page has
        """Return what `expression` gives in the page, as JSON has it; a promise is awaited.

        Raises:
            DevToolsError: it threw.
        """
        answer = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise DevToolsError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def text(self) -> str:
        """Return all that can be read on the page, white space made single."""
        shown = self.evaluate("document.body ? document.body.innerText : ''")
        return re.sub(r"\s+", " ", str(shown)).strip()

    def until(self, condition: Callable[[], _Found], wanted: str, *, patience: float = PATIENCE_SECONDS) -> _Found:
        """Return what `condition` gives as soon as it gives something.

        Raises:
            NotSeen: it did not.
        """
        deadline = time.monotonic() + patience
        while True:
            try:
                found = self._impatiently(condition)
            except DevToolsError:  # the page was just being replaced
                if time.monotonic() > deadline:
                    raise
                found = None
            if found:
                return found
            if time.monotonic() > deadline:
                raise NotSeen(f"waited for {wanted}; the page says: {self.text()!r}; complaints: {self.complaints}")
            time.sleep(_POLL_SECONDS)

    def _impatiently(self, condition: Callable[[], _Found]) -> _Found:
        # What is asked of a page that is just being replaced may stay without an answer for ever: it is asked anew.
        self._answer_seconds = _REPLACED_SECONDS
        try:
            return condition()
        finally:
            self._answer_seconds = ANSWER_SECONDS

    def wait_text(self, wanted: str, *, patience: float = PATIENCE_SECONDS) -> None:
        """Return when the page says `wanted`."""
        self.until(lambda: wanted in self.text(), repr(wanted), patience=patience)

    def find(self, role: str, name: str) -> Element:
        """Return the one thing that assistive technology knows by this role and name, as soon as there is one."""
        found = self.until(lambda: self.find_now(role, name), f"{role} {name!r}")
        assert len(found) == 1, f"{len(found)} times {role} {name!r}"
        return found[0]

    def find_now(self, role: str, name: str) -> list[Element]:
        """Return all that assistive technology knows by this role and name, and that is shown."""
        wanted = json.dumps([role, name])
        listed = self._object(f"({_FIND})(...{wanted})")
        count: int = self._property_of(listed, "this.length")
        return [
            Element(handle=self._object_of(listed, f"this[{place}]"), role=role, name=name) for place in range(count)
        ]

    def focused(self) -> tuple[str, str]:
        """Return role and name of what has the keyboard."""
        role, name = self.evaluate("[document.activeElement.computedRole, document.activeElement.computedName]")
        return role, name

    def _object(self, expression: str) -> str:
        answer = self.send("Runtime.evaluate", expression=expression)
        if "exceptionDetails" in answer:
            raise DevToolsError(answer["exceptionDetails"]["text"])
        handle: str = answer["result"]["objectId"]
        return handle

    def _object_of(self, handle: str, expression: str) -> str:
        function = f"function () {{ return {expression}; }}"
        answer = self.send("Runtime.callFunctionOn", objectId=handle, functionDeclaration=function)
        found: str = answer["result"]["objectId"]
        return found

    def _property_of(self, handle: str, expression: str) -> Any:  # noqa: ANN401  whatever it is
        function = f"function () {{ return {expression}; }}"
        parameters = {"objectId": handle, "functionDeclaration": function, "returnByValue": True}
        return self.send("Runtime.callFunctionOn", **parameters)["result"]["value"]

    def screenshot(self, path: Path) -> None:
        """Write what the window shows as PNG."""
        image = self.send("Page.captureScreenshot", format="png", optimizeForSpeed=False)["data"]
        path.write_bytes(base64.b64decode(image))

    # What a person does.

    def click(self, role: str, name: str) -> None:
        """Press the mouse on the thing of this role and name."""
        self.click_on(self.find(role, name))

    def click_on(self, element: Element) -> None:
        """Press the mouse in the middle of `element`."""
        self.send("DOM.scrollIntoViewIfNeeded", objectId=element.handle)
        quads = self.send("DOM.getContentQuads", objectId=element.handle)["quads"]
        x, y = sum(quads[0][0::2]) / 4, sum(quads[0][1::2]) / 4
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def fill(self, role: str, name: str, text: str) -> None:
        """Put `text` in place of what the field holds."""
        element = self.find(role, name)
        self.send("DOM.focus", objectId=element.handle)
        self.evaluate("document.activeElement.select()")
        self.send("Input.insertText", text=text)

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key that is no letter."""
        code, number, text = _KEYS[key]
        shared = {
            "key": text if key == "Space" else key,
            "code": code,
            "windowsVirtualKeyCode": number,
            "modifiers": _SHIFT if shift else 0,
        }
        self.send("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **shared)
        self.send("Input.dispatchKeyEvent", type="keyUp", **shared)

    def choose_files(self, selector: str, *paths: Path) -> None:
        """Choose files, or a folder, in the file field of this CSS selector: what the system's dialog would answer."""
        root = self.send("DOM.getDocument", depth=0)["root"]["nodeId"]
        node = self.until(
            lambda: self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"], f"a field {selector}"
        )
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def download_to(self, folder: Path) -> None:
        """Have what this tab downloads land in `folder`."""
        parameters = {"behavior": "allow", "browserContextId": self.profile, "downloadPath": str(folder)}
        self.connection.send("Browser.setDownloadBehavior", session="", parameters=parameters)

    def _take_exception(self, event: Event) -> None:
        details = event["exceptionDetails"]
        self.complaints.append(details.get("exception", {}).get("description", details["text"]))

    def _take_log_entry(self, event: Event) -> None:
        entry = event["entry"]
        if entry["level"] in {"error", "warning"}:
            self.complaints.append(f"{entry['text']} {entry.get('url', '')}".strip())

    def _take_console(self, event: Event) -> None:
        if event["type"] in {"error", "warning", "assert"}:
            self.complaints.append(" ".join(str(one.get("value", one.get("description"))) for one in event["args"]))
