"""Somebody's home: a device, passkeys, paper with recovery keys, and archives; any process in it can be killed.

A process is killed after its n-th effect: a call that the vault has answered, a prompt, something that was kept on the
disk, or an archive that was written. What it would have done next, it never does; what it did, stands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TypeAlias

from google.protobuf.message import Message

from strongroom_client.age_file import NoMatchingIdentity, decrypt_bytes, encrypt_bytes
from strongroom_client.age_keys import ArchiveIdentity
from strongroom_client.authenticators.port import Assertion, Attestation
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.client import VaultClient
from strongroom_client.memory import AccountMemory
from strongroom_client.receipts.format import Entry
from strongroom_client.recovery_key import RecoveryKey, generate_recovery_key
from strongroom_client.steps import Rpc
from tests.fakes.client import FakeMemory, client_of
from tests.fakes.vault import ACCOUNT, FakeVault
from tests.fakes.vault_record import FakeRecord

Procedure: TypeAlias = "Callable[[Home, VaultClient], object]"
OLD, NEW = "old", "new"


class Killed(BaseException):
    """Nothing handles it, as nothing handles a SIGKILL."""


@dataclass
class Life:
    """How many more effects a process has; None for as many as it likes."""

    left: int | None = None

    def passes(self) -> None:
        """One more effect took place."""
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise Killed


@dataclass
class MortalConnection:
    """The vault's answers count."""

    vault: FakeVault
    life: Life

    def call(self, rpc: Rpc, request: Message) -> Message:
        response = self.vault.call(rpc, request)
        self.life.passes()
        return response

    def close(self) -> None:
        """Nothing to close."""


@dataclass
class MortalMemory(FakeMemory):
    """What is kept on the disk counts."""

    life: Life = field(default_factory=Life)

    def keep(self, memory: AccountMemory, *, entry: Entry | None) -> None:
        super().keep(memory, entry=entry)
        self.life.passes()


@dataclass
class MortalAuthenticator:
    """Prompts count."""

    real: InsecureSoftwareAuthenticator
    life: Life

    def make_credential(self, **arguments: object) -> Attestation:
        made = self.real.make_credential(**arguments)  # type: ignore[arg-type]  # passed on as given
        self.life.passes()
        return made

    def get_assertion(self, **arguments: object) -> Assertion:
        made = self.real.get_assertion(**arguments)  # type: ignore[arg-type]  # passed on as given
        self.life.passes()
        return made


@dataclass(frozen=True)
class Standing:
    """What stands in a home and its vault, to come back to."""

    record: FakeRecord
    memory: AccountMemory
    archives: dict[str, bytes]
    paper: tuple[RecoveryKey, ...]


@dataclass
class Home:
    """Begins enrolled, with a second passkey, and one archive that its owner relies on."""

    folder: Path
    vault: FakeVault = field(default_factory=FakeVault)
    life: Life = field(default_factory=Life)
    archives: dict[str, bytes] = field(default_factory=dict)
    paper: tuple[RecoveryKey, ...] = ()

    def __post_init__(self) -> None:
        self.memory = MortalMemory(life=self.life)
        with self.client() as client:
            self.paper = (generate_recovery_key(),)
            client.enroll(self.passkey("own"), user_name=ACCOUNT, recovery_key=self.paper[0])
            client.add_passkey(self.passkey("spare"), user_name=ACCOUNT, by=self.passkey("own"))
        self.archives[OLD] = self.backup(OLD)

    def passkey(self, name: str) -> MortalAuthenticator:
        return MortalAuthenticator(InsecureSoftwareAuthenticator(state_path=self.folder / name), self.life)

    def client(self) -> VaultClient:
        """The client of a process that has just begun."""
        return client_of(self.vault, connection=MortalConnection(self.vault, self.life), memory=self.memory)

    def write_down(self) -> RecoveryKey:
        """A new recovery key, on paper before anything depends on it."""
        key = generate_recovery_key()
        self.paper = (*self.paper, key)
        return key

    def backup(self, name: str, *, recipient: str | None = None) -> bytes:
        """An archive for what this device remembers, or for a key of one's own."""
        memory = self.memory.kept
        recipient = recipient or memory.archive_recipient
        assert recipient is not None
        assert memory.recovery_recipient is not None
        return encrypt_bytes(name.encode(), recipients=[recipient, memory.recovery_recipient])

    def back_up_anew(self, *, recipient: str | None = None) -> None:
        """A new archive, and once it is whole it takes the place of the old one."""
        self.archives[NEW] = self.backup(NEW, recipient=recipient)
        self.life.passes()
        self.archives.pop(OLD, None)
        self.life.passes()

    def standing(self) -> Standing:
        return Standing(self.vault.record, self.memory.kept, dict(self.archives), self.paper)

    def go_back(self, standing: Standing) -> None:
        """Everything is as it was; the process of then is no more."""
        self.vault.record, self.memory.kept = standing.record, standing.memory
        self.archives, self.paper, self.life.left = dict(standing.archives), standing.paper, None

    def is_killed(self, procedure: Procedure, *, after: int) -> bool:
        """Run `procedure`, and kill it after so many effects; False where it ended before."""
        self.life.left = after
        try:
            with self.client() as client:
                procedure(self, client)
        except Killed:
            return True
        finally:
            self.life.left = None
        return False

    def assert_everything_opens(self, *, by: str = "spare") -> None:
        """Every archive that is there opens by the passkey, by what is on paper, and so does one made now."""
        self.archives["made now"] = self.backup("made now") if self.memory.kept.archive_recipient else b""
        with self.client() as client:
            identities = client.release(self.passkey(by)).identities()
        paper = tuple(key.age_identity() for key in self.paper)
        for name, archive in self.archives.items():
            if archive:
                assert _opens(archive, identities) == name, f"the passkey does not open what is {name}"
                assert _opens(archive, paper) == name, f"no recovery key opens what is {name}"
        assert self.archives.keys() & {OLD, NEW}, "the old archive is gone, and no new one came"


def killed_after_every_effect(
    home: Home, procedure: Procedure, *, afterwards: Callable[[Home], None] = Home.assert_everything_opens
) -> int:
    """Kill `procedure` after its first effect, its second and so on, and look `afterwards`; return how many it has."""
    standing = home.standing()
    for after in count(1):
        home.go_back(standing)
        if not home.is_killed(procedure, after=after):
            afterwards(home)
            return after - 1
        home.memory.kept = replace(home.memory.kept)  # what a restarted process reads
        afterwards(home)
    raise AssertionError


def _opens(archive: bytes, identities: tuple[ArchiveIdentity, ...]) -> str | None:
    try:
        return decrypt_bytes(archive, identities=identities).decode()
    except NoMatchingIdentity:
        return None
