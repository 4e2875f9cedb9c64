"""`strongroomd events export` of a running service, checked by the program that has nothing of ours."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

from deploy.development.environment import DevelopmentVault
from tests.fakes.hand_client import HandClient
from tests.integration.service.evidence import copied, strongroomd

CHECKER = Path(__file__).parents[3] / "deploy" / "evidence" / "check_export.py"


def test_export_holds_for_anybody(development_vault: DevelopmentVault, tmp_path: Path) -> None:
    with HandClient(development_vault) as client:
        client.enroll()
        client.release()
        client.delete()
        account = client.account
    path = tmp_path / "export.jsonl"
    said = strongroomd(development_vault.files.config_file, "events", "export", "--file", str(path))
    assert (said.code, said.errors) == (0, "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    records = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    assert [each["version"] for each in records if each.get("account") == account] == [4]
    pin = development_vault.files.identity_fingerprint
    checked = subprocess.run(
        [sys.executable, "-I", CHECKER, path, "--pin", pin], check=False, capture_output=True, text=True
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.endswith(" 0 findings.\n")


def test_export_goes_into_a_new_file_only(development_vault: DevelopmentVault, tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("precious", encoding="ascii")
    said = strongroomd(development_vault.files.config_file, "events", "export", "--file", str(path))
    assert (said.code, said.errors) == (1, f"cannot make {path}: File exists\n")
    assert path.read_text(encoding="ascii") == "precious"


def test_database_that_lacks_events_is_not_exported(development_vault: DevelopmentVault, tmp_path: Path) -> None:
    with HandClient(development_vault) as client:
        client.enroll()
    path = tmp_path / "export.jsonl"
    with copied(development_vault.files, "lacking") as copy:
        copy.remove_events(copy.record_ids()[-1], above=1)
        said = strongroomd(copy.config_file, "events", "export", "--file", str(path))
    assert said.code == 1
    assert "lacks events after version" in said.errors
    assert '"end"' not in path.read_text(encoding="ascii")
