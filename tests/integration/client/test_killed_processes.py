"""Changes by processes that are killed by SIGKILL after each of their effects, at a real vault and on a real disk.

`tests/unit/client/test_killed_renewals.py` does the same within one process for every change, with controls.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest

from deploy.development.environment import AUDIENCE, DevelopmentVault
from strongroom_client.archive.reader import extract_archive
from strongroom_client.archive.writer import write_archive
from strongroom_client.authenticators.several import SeveralAuthenticators
from strongroom_client.memory import Mode
from strongroom_client.recovery_key import RecoveryKey, generate_recovery_key
from tests.fakes.mortal_process import ARCHIVE, Plan
from tests.fakes.resident import Resident

pytestmark = pytest.mark.verify

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Household:
    """A resident with two passkeys, a recovery key on paper and an archive; looks after what a killed process left."""

    resident: Resident
    papers: list[RecoveryKey] = field(default_factory=list)

    def __post_init__(self) -> None:
        source = self.folder / "source"
        source.mkdir()
        (source / "letter").write_text("dear all")
        with self.resident.client() as client:
            enrolled = client.enroll(self.resident.passkey("own"), user_name=self.resident.account)
            policy = client.vault().policy
            assert policy is not None
            client.set_policy(self.resident.passkey("own"), replace(policy, releases_per_day=1_000))
            memory = client.memory
        self.papers.append(enrolled.recovery_key)
        assert memory.archive_recipient is not None
        assert memory.recovery_recipient is not None
        recipients = (memory.archive_recipient, memory.recovery_recipient)
        write_archive(source=source, target=self.folder / ARCHIVE, recipients=recipients, progress=None)

    @property
    def folder(self) -> Path:
        return self.resident.folder

    def prepare(self, change: str) -> None:
        """Bring the vault to where the change begins."""
        own, spare = self.resident.passkey("own"), self.resident.passkey("spare")
        self.papers.append(generate_recovery_key())
        (self.folder / "paper").write_text(self.papers[-1].reveal())
        with self.resident.client() as client:
            if len(client.vault().passkeys) == 1:
                (self.folder / "spare").unlink(missing_ok=True)
                added = client.add_passkey(spare, user_name=self.resident.account, by=own)
                (self.folder / "spare id").write_bytes(added.credential_id)
            to = Mode.VAULT_HELD if change == "to-prf" else Mode.PRF
            if client.vault().mode != to.value:
                client.change_mode(SeveralAuthenticators(own, spare), to)

    def is_killed(self, change: str, *, after: int) -> bool:
        """Make the change in a process that is killed after so many effects; False where it ended before."""
        vault = self.resident.vault
        plan = Plan(
            change=change,
            after=after,
            folder=str(self.folder),
            target=vault.address,
            ca_file=str(vault.ca_file),
            pins=tuple(vault.pins),
            vault=AUDIENCE,
            tenant=vault.tenant.name,
            account=self.resident.account,
            token=vault.issue_token(self.resident.account),
        )
        command = [sys.executable, "-m", "tests.fakes.mortal_process", plan.encode()]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
        assert ended.returncode in {0, -signal.SIGKILL}, ended.stderr
        return ended.returncode != 0

    def assert_archive_opens(self) -> None:
        """By the passkey through the vault, and by a recovery key without it."""
        with self.resident.client() as client:
            identities = client.release(self.resident.passkey("own")).identities()
        for keys in (identities, tuple(key.age_identity() for key in self.papers)):
            target = self.folder / "restored"
            extract_archive(archive=self.folder / ARCHIVE, target=target, identities=keys, progress=None)
            assert (target / "letter").read_text() == "dear all"
            shutil.rmtree(target)


@pytest.mark.parametrize("change", ["renew", "remove", "recovery", "to-vault-held", "to-prf"])
def test_archive_opens_after_a_process_was_killed_at_any_step(
    development_vault: DevelopmentVault, tmp_path: Path, change: str
) -> None:
    household = Household(Resident(development_vault, tmp_path))
    for after in count(1):
        household.prepare(change)
        was_killed = household.is_killed(change, after=after)
        household.assert_archive_opens()
        if not was_killed:
            break
    assert after > 12
    with household.resident.client() as client:
        assert client.examine_history() == ()
        assert client.examine_receipts().findings == ()
        assert client.compare_receipts() == ()
