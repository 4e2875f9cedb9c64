"""A process of somebody's that makes a change at a real vault and backs up anew, and is killed by SIGKILL on the way.

    python -m tests.fakes.mortal_process PLAN        PLAN: JSON, see `Plan`

It counts effects as `tests.fakes.home` does, and after the last that it has left it kills itself, as the kernel would.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from google.protobuf.message import Message

from strongroom_client.account_tokens import AccountTokenFrom
from strongroom_client.archive.writer import write_archive
from strongroom_client.authenticators.port import Assertion, Attestation, Authenticator
from strongroom_client.authenticators.several import SeveralAuthenticators
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.client import VaultClient
from strongroom_client.memory import AccountMemory, AccountRef, Mode
from strongroom_client.memory_folder import MemoryFolder
from strongroom_client.receipts.format import Entry, KeptLine, KeptReceipt
from strongroom_client.recovery_key import parse_recovery_key
from strongroom_client.session import VaultSettings
from strongroom_client.steps import Rpc
from strongroom_client.transport import Address, GrpcConnection
from strongroom_client.verification.bundles import Trust
from strongroom_client.verification.positions import Position

ARCHIVE: Final = "archive"
"""The one archive that its owner relies on; a new one takes its place once it is whole."""
CHANGES: Final = ("renew", "remove", "recovery", "to-vault-held", "to-prf")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which change at which vault, whose, and how many effects it may have; 0 for as many as it likes.

    `folder` holds the passkeys `own` and `spare`, the device's memory, the folder `source`, and `paper` with the
    recovery key that is to count.
    """

    change: str
    after: int
    folder: str
    target: str
    ca_file: str
    pins: tuple[str, ...]
    vault: str
    tenant: str
    account: str
    token: str

    def encode(self) -> str:
        return json.dumps(asdict(self))


class Effects:
    """Counts, and ends this process after the last."""

    def __init__(self, left: int) -> None:
        self._left = left

    def passes(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class MortalConnection:
    """The vault's answers count."""

    def __init__(self, real: GrpcConnection, effects: Effects) -> None:
        self._real, self._effects = real, effects

    def call(self, rpc: Rpc, request: Message) -> Message:
        response = self._real.call(rpc, request)
        self._effects.passes()
        return response

    def close(self) -> None:
        self._real.close()


class MortalMemory:
    """What is on the disk counts."""

    def __init__(self, real: MemoryFolder, effects: Effects) -> None:
        self._real, self._effects = real, effects

    def load(self) -> AccountMemory:
        return self._real.load()

    def receipts(self) -> tuple[KeptLine, ...]:
        return self._real.receipts()

    def keep(self, memory: AccountMemory, *, entry: Entry | None) -> None:
        self._real.keep(memory, entry=entry)
        self._effects.passes()

    def keep_contested(self, *, known: Position, shown: Position, receipt: KeptReceipt) -> None:
        self._real.keep_contested(known=known, shown=shown, receipt=receipt)

    def close(self) -> None:
        self._real.close()


class MortalAuthenticator:
    """Prompts count."""

    def __init__(self, path: Path, effects: Effects) -> None:
        self._real, self._effects = InsecureSoftwareAuthenticator(state_path=path), effects

    def make_credential(self, **arguments: object) -> Attestation:
        made = self._real.make_credential(**arguments)  # type: ignore[arg-type]  # passed on as given
        self._effects.passes()
        return made

    def get_assertion(self, **arguments: object) -> Assertion:
        made = self._real.get_assertion(**arguments)  # type: ignore[arg-type]  # passed on as given
        self._effects.passes()
        return made


def run(plan: Plan) -> None:
    """Make the change, then back up anew."""
    folder, effects = Path(plan.folder), Effects(plan.after)
    owner = AccountRef(vault=plan.vault, tenant=plan.tenant, account=plan.account)
    memory = MortalMemory(MemoryFolder(folder / "device", owner=owner), effects)
    connection = GrpcConnection(
        Address(target=plan.target, root_certificates=Path(plan.ca_file)),
        account_token=AccountTokenFrom(lambda: plan.token),
    )
    trust = Trust(pins=frozenset(bytes.fromhex(pin) for pin in plan.pins))
    own, spare = (MortalAuthenticator(folder / name, effects) for name in ("own", "spare"))
    with VaultClient(
        settings=VaultSettings(owner=owner, trust=trust),
        connection=MortalConnection(connection, effects),
        memory=memory,
    ) as client:
        _change(client, plan, own=own, spare=spare)
        kept = client.memory
    assert kept.archive_recipient is not None
    assert kept.recovery_recipient is not None
    fresh = folder / f"{ARCHIVE}.new"
    fresh.unlink(missing_ok=True)
    write_archive(
        source=folder / "source",
        target=fresh,
        recipients=(kept.archive_recipient, kept.recovery_recipient),
        progress=None,
    )
    effects.passes()
    fresh.replace(folder / ARCHIVE)
    effects.passes()


def _change(client: VaultClient, plan: Plan, *, own: Authenticator, spare: Authenticator) -> None:
    match plan.change:
        case "renew":
            client.renew(own)
        case "remove":
            spares = (Path(plan.folder) / "spare id").read_bytes()
            client.remove_passkey(own, spares)
        case "recovery":
            client.set_recovery(own, recovery_key=parse_recovery_key((Path(plan.folder) / "paper").read_text()))
        case "to-vault-held":
            client.change_mode(own, Mode.VAULT_HELD)
        case "to-prf":
            client.change_mode(SeveralAuthenticators(own, spare), Mode.PRF)


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    run(Plan(**{**given, "pins": tuple(given["pins"])}))
