"""Virtual authenticators: Chromium's own implementation of CTAP, with keys that no person has to touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.browser.tab import Tab


@dataclass(frozen=True, slots=True, kw_only=True)
class Virtual:
    """An authenticator of a tab. One failed user verification locks it for every later request: make a new one then."""

    tab: Tab
    number: str

    def credentials(self) -> list[dict[str, Any]]:
        """Return the passkeys on it."""
        found: list[dict[str, Any]] = self._send("getCredentials")["credentials"]
        return found

    def refuse_user(self) -> None:
        """Have it fail to recognise its user from now on."""
        self._send("setUserVerified", isUserVerified=False)

    def wait_for_touch(self) -> None:
        """Have it wait for a touch that never comes."""
        self._send("setAutomaticPresenceSimulation", enabled=False)

    def touch(self) -> None:
        """Have it act as if it was touched at every request."""
        self._send("setAutomaticPresenceSimulation", enabled=True)

    def remove(self) -> None:
        """Take it out of the machine, with what is on it."""
        self._send("removeVirtualAuthenticator")

    def _send(self, method: str, **parameters: object) -> Any:  # noqa: ANN401  see Connection.send
        return self.tab.send(f"WebAuthn.{method}", authenticatorId=self.number, **parameters)


def add_authenticator(
    tab: Tab, *, prf: bool = True, verifies_user: bool = True, synced: bool = False, transport: str = "internal"
) -> Virtual:
    """Give the tab an authenticator whose keys are made on the spot."""
    tab.send("WebAuthn.enable", enableUI=False)
    options = {
        "protocol": "ctap2",
        "ctap2Version": "ctap2_1",
        "transport": transport,
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": verifies_user,
        "automaticPresenceSimulation": True,
        "hasPrf": prf,
        "defaultBackupEligibility": synced,
        "defaultBackupState": synced,
    }
    made = tab.send("WebAuthn.addVirtualAuthenticator", options=options)
    return Virtual(tab=tab, number=made["authenticatorId"])
