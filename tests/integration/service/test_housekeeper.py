"""`serve` makes checkpoints by itself, and goes on serving when it cannot."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path

from deploy.development.environment import DevelopmentVault, VaultShape
from tests.fakes.hand_client import HandClient
from tests.integration.link.support import until
from tests.integration.service.evidence import strongroomd

OFTEN = 0.002  # hours: some seven seconds; looked at every 0.7


def logged(vault: DevelopmentVault, event: str) -> list[dict[str, object]]:
    lines = vault.log_file.read_text(encoding="utf-8").splitlines()
    return [line for line in map(json.loads, lines) if line["event"] == event]


def checkpoints(vault: DevelopmentVault) -> list[Path]:
    return sorted((vault.files.folder / "data" / "checkpoints").glob("checkpoint-*.txt"))


def metric(vault: DevelopmentVault, name: str) -> float:
    with urllib.request.urlopen(vault.files.metrics_url, timeout=10) as page:  # noqa: S310  our own http address
        [line] = [each for each in page.read().decode().splitlines() if each.startswith(f"{name} ")]
    return float(line.split()[1])


def test_checkpoints_are_made_and_handed_over_while_it_serves(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    # A name only once it is whole: the test looks on.
    code = (
        "import pathlib, sys, time; part = pathlib.Path(sys.argv[1]) / f'{time.time_ns()}.part';"
        " part.write_text(sys.stdin.read()); part.rename(part.with_suffix('.whole'))"
    )
    shape = VaultShape(
        keepers=1, checkpoints={"every_hours": OFTEN, "command": [sys.executable, "-c", code, str(taken)]}
    )
    with DevelopmentVault.start(tmp_path / "v", shape=shape) as vault, HandClient(vault) as client:
        assert metric(vault, "strongroom_checkpoint_timestamp_seconds") == 0
        client.enroll()
        until(lambda: len(checkpoints(vault)) >= 2, "two checkpoints are made")
        assert client.release() == [b"an envelope"]
        made = checkpoints(vault)[:2]
        until(lambda: len(list(taken.glob("*.whole"))) >= 2, "both are handed over")
        assert {path.read_bytes() for path in made} <= {path.read_bytes() for path in taken.glob("*.whole")}
        assert metric(vault, "strongroom_checkpoint_timestamp_seconds") >= made[-1].stat().st_mtime
        said = strongroomd(vault.files.config_file, "checkpoint", "verify", "--keeper")
        assert (said.code, said.errors) == (0, "")
        assert logged(vault, "chore_failed") == []


def test_service_goes_on_when_no_checkpoint_can_be_made(tmp_path: Path) -> None:
    shape = VaultShape(keepers=1, checkpoints={"every_hours": OFTEN, "folder": "/proc/nowhere"})
    with DevelopmentVault.start(tmp_path / "v", shape=shape) as vault, HandClient(vault) as client:
        client.enroll()
        until(lambda: len(logged(vault, "chore_failed")) >= 2, "it fails again and again")
        assert "cannot open /proc/nowhere/lock" in str(logged(vault, "checkpoint_not_made")[0]["why"])
        assert client.release() == [b"an envelope"]
        assert vault.is_serving()
        assert metric(vault, "strongroom_checkpoint_timestamp_seconds") == 0
