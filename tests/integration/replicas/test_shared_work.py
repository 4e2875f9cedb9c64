"""What every replica does by itself and all do to one vault: checkpoints, and the vault's own row."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

from strongroom_service.store.checkpoint_files import CheckpointFile
from tests.fakes.stepped_vault import SteppedVault
from tests.fixtures.replicas import Replicas
from tests.integration.faults.clients import ChroniclingClient

ROUNDS = 2


def make_checkpoint(vault: SteppedVault) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "strongroom_service.cli.main", "checkpoint", "make"]
    return subprocess.run(
        [*command, "--config", str(vault.files.config_file)], check=False, capture_output=True, text=True
    )


def folder_of(vault: SteppedVault) -> Path:
    return vault.files.folder / "data" / "checkpoints"


def test_checkpoints_that_replicas_make_at_once_are_one_succession(replicas: Replicas) -> None:
    with ChroniclingClient(replicas.vaults[0]) as client:
        client.enroll()
    made = []
    with ThreadPoolExecutor(len(replicas.vaults)) as pool:
        for _ in range(ROUNDS):
            made += list(pool.map(make_checkpoint, replicas.vaults))
    # Who loses the race for the vault's row says so, and makes none.
    lost = [done.stderr for done in made if done.returncode != 0]
    assert all("another checkpoint was made meanwhile" in line for line in lost), lost
    files = [path for vault in replicas.vaults for path in folder_of(vault).glob("checkpoint-*.txt")]
    with contextlib.ExitStack() as held:
        heads = [held.enter_context(CheckpointFile(path)).signed.head for path in files]
    heads.sort(key=lambda head: head.serial)
    assert [head.serial for head in heads] == list(range(1, len(made) - len(lost) + 1))
    assert all(after.previous_sha256 == before.digest for before, after in pairwise(heads))
    assert " 0 findings" in replicas.vaults[0].run_command("checkpoint", "verify", *map(str, files))
