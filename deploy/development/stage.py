"""The demo's stage: a vault with two tenants, people with accounts and passkeys, and their devices."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.development.environment import AUDIENCE, DevelopmentVault, VaultFiles, VaultShape, make_files
from deploy.development.tenant import (
    ACCOUNT_SCOPE,
    DevelopmentTenant,
    generate_tenant,
    issue_account_token,
    write_tenant,
)
from deploy.development.watched_authenticator import WatchedAuthenticator
from strongroom_client.account_tokens import AccountTokenFrom
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.client import VaultClient
from strongroom_client.memory import AccountRef
from strongroom_client.memory_folder import MemoryFolder
from strongroom_client.session import VaultSettings
from strongroom_client.transport import Address, GrpcConnection
from strongroom_client.verification.bundles import Trust

KEEPERS: Final = 2
STRICT_BUDGET: Final = 6
STRICT_COOL_DOWN_SECONDS: Final = (2, 2)
_PORT_SECONDS: Final = 1.0
_PRIVATE_FOLDER: Final = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with an account at a tenant, and a passkey.

    Attributes:
        device: folder of what this person's present device remembers; thrown away for a new device.
    """

    account: str
    tenant: DevelopmentTenant
    passkey: WatchedAuthenticator
    device: Path


class Stage:
    """Everything below one folder. `vault` is set up but not started.

    Attributes:
        vault: a vault with a tenant of the default policy, and a strict one, whose attempts are few and waits short.
    """

    def __init__(self, folder: Path) -> None:
        """Make the vault's files in the empty folder `folder`, and initialise token and database.

        Raises:
            RuntimeError: `strongroomd init` failed; carries its message.
        """
        self.folder = folder
        files = make_files(folder / "vault", VaultShape(keepers=KEEPERS))
        self._strict = _add_tenant(
            files, {"budget": STRICT_BUDGET, "cool_down_seconds": list(STRICT_COOL_DOWN_SECONDS)}
        )
        self.vault = DevelopmentVault(files)
        self.vault.init()

    def person(self, account: str, *, strict: bool = False) -> Person:
        """Return a person who is not enrolled yet, at the tenant of the default or of the strict policy."""
        home = self.folder / account.partition("@")[0]
        home.mkdir(mode=_PRIVATE_FOLDER)
        return Person(
            account=account,
            tenant=self._strict if strict else self.vault.tenant,
            passkey=WatchedAuthenticator(InsecureSoftwareAuthenticator(state_path=home / "passkey")),
            device=home / "device",
        )

    def client(self, person: Person, *, scope: str = ACCOUNT_SCOPE) -> VaultClient:
        """Return a client of this person's vault: TLS, an account token for every call, the identity key pinned."""
        owner = AccountRef(vault=AUDIENCE, tenant=person.tenant.name, account=person.account)
        return VaultClient(
            settings=VaultSettings(
                owner=owner, trust=Trust(pins=frozenset(bytes.fromhex(pin) for pin in self.vault.pins))
            ),
            connection=GrpcConnection(
                Address(target=self.vault.address, root_certificates=self.vault.ca_file),
                account_token=AccountTokenFrom(lambda: _token(person, scope=scope)),
            ),
            memory=MemoryFolder(person.device, owner=owner),
        )

    def is_listening(self) -> bool:
        """Tell whether anything answers at the vault's port."""
        host, _, port = self.vault.address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=_PORT_SECONDS).close()
        except OSError:
            return False
        return True


def remove_tree(folder: Path) -> None:
    """Remove a folder and all that is in it, read-only folders too. Symbolic links are removed, never followed."""
    if not folder.exists():
        return
    for *_, descriptor in os.fwalk(folder):
        os.fchmod(descriptor, _PRIVATE_FOLDER)
    shutil.rmtree(folder)


def _token(person: Person, *, scope: str) -> str:
    return issue_account_token(
        person.tenant, account=person.account, audience=AUDIENCE, now_seconds=int(time.time()), scope=scope
    )


def _add_tenant(files: VaultFiles, policy: Mapping[str, object]) -> DevelopmentTenant:
    tenant = generate_tenant(name="strict", issuer="https://login.strict.example")
    tenant_file = write_tenant(tenant, files.folder / "tenants")
    with tenant_file.open("a", encoding="utf-8") as file:  # [policy] is the last table
        file.writelines(f"{name} = {json.dumps(value)}\n" for name, value in policy.items())
    return tenant
