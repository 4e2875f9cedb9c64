"""A client on a device of its own, against a vault in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from strongroom_client.authenticators.port import Assertion, Attestation
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.client import VaultClient
from strongroom_client.clock import Millis
from strongroom_client.memory import AccountMemory, AccountRef
from strongroom_client.notices import Notice, unheard
from strongroom_client.receipts.format import FIRST, Entry, KeptLine, KeptReceipt, encode_line, line_hash
from strongroom_client.session import VaultSettings
from strongroom_client.transport import Connection
from strongroom_client.verification.bundles import Trust
from strongroom_client.verification.positions import Position
from strongroom_client.verification.receipts import ReceiptFor
from tests.fakes.front import CheatingFront
from tests.fakes.vault import ACCOUNT, TENANT, FakeVault

OWNER = AccountRef(vault="test", tenant=TENANT, account=ACCOUNT)


@dataclass
class FakeMemory:
    """Implements the client's Memory without a disk; keeps all that it was given."""

    kept: AccountMemory = field(default_factory=lambda: AccountMemory(owner=OWNER))
    entries: list[Entry] = field(default_factory=list)
    contested: list[tuple[Position, Position]] = field(default_factory=list)

    def load(self) -> AccountMemory:
        return self.kept

    @property
    def about_the_record(self) -> list[KeptReceipt]:
        """All receipts but those for the vault's description, which a client asks for at every start."""
        kept = [entry for entry in self.entries if isinstance(entry, KeptReceipt)]
        return [receipt for receipt in kept if receipt.receipt_for is not ReceiptFor.GET_SERVICE_INFO]

    def receipts(self) -> tuple[KeptLine, ...]:
        lines, previous = list[KeptLine](), FIRST
        for number, entry in enumerate(self.entries, start=1):
            sha256 = line_hash(encode_line(entry, previous=previous))
            lines.append(KeptLine(segment=1, number=number, previous=previous, sha256=sha256, entry=entry))
            previous = sha256
        return tuple(lines)

    def keep(self, memory: AccountMemory, *, entry: Entry | None) -> None:
        self.kept = memory
        if entry is not None:
            self.entries.append(entry)

    def keep_contested(self, *, known: Position, shown: Position, receipt: KeptReceipt) -> None:
        self.contested.append((known, shown))

    def close(self) -> None:
        """Nothing to close."""


@dataclass
class CountingAuthenticator:
    """Counts the prompts of a software authenticator, notes their threads, and can spoil what it makes."""

    real: InsecureSoftwareAuthenticator
    prompts: int = 0
    spoil_prf: dict[int, bytes | None] = field(default_factory=dict)
    claim_credential: bytes = b""
    forges: bool = False
    threads: set[int] = field(default_factory=set)

    def make_credential(self, **arguments: object) -> Attestation:
        self.prompts += 1
        return self.real.make_credential(**arguments)  # type: ignore[arg-type]  # passed on as given

    def get_assertion(self, **arguments: object) -> Assertion:
        self.prompts += 1
        self.threads.add(threading.get_ident())
        made = self.real.get_assertion(**arguments)  # type: ignore[arg-type]  # passed on as given
        if self.forges:
            return replace(made, signature=made.signature[:-1] + bytes([made.signature[-1] ^ 1]))
        if self.claim_credential:
            return replace(made, credential_id=self.claim_credential)
        if self.prompts in self.spoil_prf:
            return replace(made, prf_output=self.spoil_prf[self.prompts])
        return made


def client_of(
    vault: FakeVault,
    *,
    connection: Connection | None = None,
    memory: FakeMemory | None = None,
    pinned: bool = True,
    pauses: list[float] | None = None,
    notify: Callable[[Notice], None] = unheard,
) -> VaultClient:
    """A client that pins the vault's identity key, and notes its pauses instead of waiting."""
    trust = Trust(pins=frozenset({vault.keys.fingerprint})) if pinned else Trust(pins=frozenset(), unpinned=True)
    return VaultClient(
        settings=VaultSettings(owner=OWNER, trust=trust),
        connection=connection or vault,
        memory=memory or FakeMemory(),
        clock=lambda: Millis(vault.now),
        notify=notify,
        pause=list[float]().append if pauses is None else pauses.append,
    )


@dataclass
class EnrolledDevice:
    """A device whose account is enrolled, behind a front that may cheat."""

    vault: FakeVault
    front: CheatingFront
    memory: FakeMemory
    authenticator: CountingAuthenticator

    def client(self) -> VaultClient:
        """The client as it is after a restart."""
        return client_of(self.vault, connection=self.front, memory=self.memory)
