"""A headless Chromium that speaks to nobody but this machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.browser.devtools import Connection
from tests.browser.tab import Tab

_FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    # Nothing beside the pages under test, and nothing off this machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-features=Translate,MediaRouter,OptimizationHints",
    "--metrics-recording-only",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
    "--remote-debugging-pipe",
    # computedRole and computedName of elements, by which tests find things. To ask the protocol for its accessibility
    # tree while a page is replaced by the next crashes the page's process.
    "--enable-blink-features=ComputedAccessibilityInfo",
)
_END_SECONDS: Final = 10


class Chromium:
    """A browser with a profile folder of its own; a context manager."""

    def __init__(self, *more_flags: str) -> None:
        self.profile = Path(tempfile.mkdtemp(prefix="chromium-"))
        theirs_in, commands = os.pipe()
        answers, theirs_out = os.pipe()
        program = shutil.which("chromium")
        if program is None:
            raise FileNotFoundError("chromium is not installed: make setup installs it")
        flags = (*_FLAGS, f"--user-data-dir={self.profile}", *more_flags)
        self._process = subprocess.Popen(
            # The browser wants 3 and 4, whatever numbers the pipes have here.
            ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "-", program, *flags, "about:blank"],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Its own group, so that all of its processes can be ended; its own home, so that it finds nothing of ours.
            start_new_session=True,
            env={"PATH": os.environ["PATH"], "HOME": str(self.profile), "LANG": "C.UTF-8", "TZ": "UTC"},
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._tabs: list[Tab] = []
        self.connection = Connection(commands=commands, answers=answers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def new_tab(self) -> Tab:
        """Open a tab in a profile that holds nothing and shares nothing."""
        context = self.connection.send("Target.createBrowserContext", session="")
        profile = context["browserContextId"]
        parameters = {"url": "about:blank", "browserContextId": profile}
        target = self.connection.send("Target.createTarget", session="", parameters=parameters)
        tab = Tab(self.connection, target=target["targetId"], profile=profile)
        self._tabs.append(tab)
        return tab

    def close_tabs(self) -> None:
        """Close every tab, and forget their profiles."""
        while self._tabs:
            self._tabs.pop().close()

    def close(self) -> None:
        """End the browser and remove its profile."""
        self.end()
        shutil.rmtree(self.profile, ignore_errors=True)

    def end(self) -> None:
        """End the browser; what it wrote stays until `close`."""
        if self._process.poll() is None:
            try:
                self.connection.send("Browser.close", session="")
                self._process.wait(_END_SECONDS)
            except Exception:  # noqa: BLE001  however it fails, the browser is ended below
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait(_END_SECONDS)
            self.connection.close()
