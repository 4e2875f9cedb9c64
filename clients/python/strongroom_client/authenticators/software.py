"""The software authenticator: for tests and demonstrations, and for nothing that anybody wants kept."""

from __future__ import annotations

from pathlib import Path

from fido2.client import UserInteraction

from strongroom_client.authenticators.ctap import CtapAuthenticator
from strongroom_client.authenticators.software_device import SoftwareDevice
from strongroom_client.authenticators.software_state import SoftwareState


class InsecureSoftwareAuthenticator(CtapAuthenticator):
    """Keeps private keys and PRF secrets in clear in one file (mode 0600), and says yes without asking anybody.

    Args:
        state_path: the file; made with the first credential. One process at a time.
        has_prf: False for a passkey without PRF.
        prf_at_creation: False, as with most authenticators, answers PRF for assertions only.
        backup_eligible: True for credentials that say they are synced.
    """

    def __init__(
        self,
        *,
        state_path: Path,
        has_prf: bool = True,
        prf_at_creation: bool = True,
        backup_eligible: bool = False,
    ) -> None:
        device = SoftwareDevice(
            state=SoftwareState(state_path),
            has_prf=has_prf,
            prf_at_creation=prf_at_creation,
            backup_eligible=backup_eligible,
        )
        super().__init__(device=device, user_interaction=UserInteraction())
