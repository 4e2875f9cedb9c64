"""Somebody with an account at a running vault: devices, authenticators, and the client over the real service."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from deploy.development.environment import AUDIENCE, DevelopmentVault
from strongroom_client.account_tokens import AccountTokenFrom
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.client import VaultClient
from strongroom_client.memory import AccountRef
from strongroom_client.memory_folder import MemoryFolder
from strongroom_client.notices import Notice, unheard
from strongroom_client.session import VaultSettings
from strongroom_client.transport import Address, GrpcConnection
from strongroom_client.verification.bundles import Trust


@dataclass
class Resident:
    """A fresh account of a running vault; everything of its devices is below `folder`."""

    vault: DevelopmentVault
    folder: Path
    account: str = field(default_factory=lambda: f"resident-{secrets.token_hex(8)}")

    @property
    def trust(self) -> Trust:
        return Trust(pins=frozenset(bytes.fromhex(pin) for pin in self.vault.pins))

    def passkey(self, name: str = "passkey") -> InsecureSoftwareAuthenticator:
        """The authenticator of that name."""
        return InsecureSoftwareAuthenticator(state_path=self.folder / name)

    def client(
        self,
        device: str = "device",
        *,
        scope: str = "vault",
        notify: Callable[[Notice], None] = unheard,
        trust: Trust | None = None,
    ) -> VaultClient:
        """A client on the device of that name; its tokens have `scope`. Without `trust` it pins the identity key."""
        owner = AccountRef(vault=AUDIENCE, tenant=self.vault.tenant.name, account=self.account)
        return VaultClient(
            settings=VaultSettings(owner=owner, trust=trust or self.trust),
            connection=GrpcConnection(
                Address(target=self.vault.address, root_certificates=self.vault.ca_file),
                account_token=AccountTokenFrom(lambda: self.vault.issue_token(self.account, scope=scope)),
            ),
            memory=MemoryFolder(self.folder / device, owner=owner),
            notify=notify,
        )
