"""Hands that touch one authenticator of several: each prompt of the page waits until it is said which.

Chromium asks all authenticators at once, and virtual ones answer at once: whichever is first would decide a test.
"""

from __future__ import annotations

import queue
from typing import Final

from tests.browser.authenticators import Virtual
from tests.browser.devtools import Event
from tests.browser.tab import PATIENCE_SECONDS, Tab

_BINDING: Final = "promptAppears"
_SCRIPT: Final = """
for (const name of globalThis.CredentialsContainer ? ["create", "get"] : []) {
  const native = CredentialsContainer.prototype[name];
  CredentialsContainer.prototype[name] = async function (...given) {
    await new Promise((resolve) => {
      globalThis.handsAreThere = resolve;
      promptAppears(name);
    });
    return native.apply(this, given);
  };
}
"""


class Hands:
    """Hands of a tab's person; from the next page on."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab
        self._prompts: queue.Queue[str] = queue.Queue()
        tab.listen("Runtime.bindingCalled", self._take)
        tab.send("Runtime.addBinding", name=_BINDING)
        tab.send("Page.addScriptToEvaluateOnNewDocument", source=_SCRIPT)

    def touch(self, prompt: str, chosen: Virtual, *others: Virtual) -> None:
        """Wait for a prompt, `create` or `get`, and touch the chosen authenticator and no other."""
        appeared = self._prompts.get(timeout=PATIENCE_SECONDS)
        assert appeared == prompt, f"asked to {appeared}, and not to {prompt}; the page says {self._tab.text()!r}"
        for other in others:
            other.wait_for_touch()
        chosen.touch()
        self._tab.evaluate("handsAreThere()")

    def _take(self, event: Event) -> None:
        if event["name"] == _BINDING:
            self._prompts.put(event["payload"])
