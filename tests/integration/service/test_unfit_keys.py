"""Over keys that are not the vault's no service starts: it names the key, exits 78, and leaves nothing running."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.development.environment import DevelopmentVault, VaultShape, make_files
from tests.integration.service.daemons import Python, processes_naming

SPOIL_KEY = Path(__file__).with_name("spoil_key.py")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("missing", "key strongroom-kek-1 (SECRET_KEY) is missing from the token"),
        ("extractable", "EXTRACTABLE must be False"),
        ("another", "key strongroom-kek-1 is not the one this vault was made with: its check value differs"),
    ],
)
def test_service_does_not_start_over_an_unfit_key(tmp_path: Path, how: str, said: str) -> None:
    files = make_files(tmp_path, VaultShape(keepers=2))
    DevelopmentVault(files).init()
    subprocess.run([sys.executable, "-P", str(SPOIL_KEY), str(files.config_file), how], check=True)
    served = Python().run("serve", files.config_file)
    assert served.returncode == 78
    assert "strongroom-kek-1" in served.stderr
    assert said in served.stderr
    assert "Traceback" not in served.stderr
    assert processes_naming(tmp_path) == []


def test_service_does_not_start_before_its_vault_is_made(tmp_path: Path) -> None:
    files = make_files(tmp_path, VaultShape(keepers=1))
    served = Python().run("serve", files.config_file)
    assert served.returncode == 78
    # The keeper misses its keys and the front the database; either may say so first.
    assert re.search(r"is missing from the token|run `strongroomd init`", served.stderr)
    assert processes_naming(tmp_path) == []
