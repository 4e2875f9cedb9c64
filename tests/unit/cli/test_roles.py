"""A process holds the code of its role alone: what is not loaded cannot be misused."""

from __future__ import annotations

import subprocess
import sys

import pytest

_LOADED = "import sys, importlib; importlib.import_module(sys.argv[1]); print(*sys.modules)"


def modules_of(root: str) -> set[str]:
    """What is loaded once a fresh process has imported `root`."""
    asked = [sys.executable, "-P", "-c", _LOADED, f"strongroom_service.bootstrap.{root}"]
    return set(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize(
    ("root", "needs", "never"),
    [
        ("keeper", "pkcs11", {"grpc", "uvloop", "sqlite3", "strongroom_service.front", "strongroom_service.store"}),
        ("front", "grpc", {"pkcs11", "fido2", "strongroom_service.keeper"}),
        ("serve", "subprocess", {"grpc", "pkcs11", "fido2", "sqlite3", "strongroom_service.keeper"}),
    ],
)
def test_process_holds_no_code_of_another_role(root: str, needs: str, never: set[str]) -> None:
    loaded = modules_of(root)
    assert needs in loaded
    assert not loaded & never
