"""`strongroomd status` beside the service and without it: what it says, and by which exit code a script is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from deploy.development.environment import DevelopmentVault, VaultShape, make_files
from tests.integration.service.evidence import strongroomd


def status_of(vault: DevelopmentVault) -> tuple[int, dict[str, Any]]:
    said = strongroomd(vault.files.config_file, "status", "--output", "json")
    return said.code, json.loads("\n".join(said.lines))


def test_status_is_told_before_init_while_serving_degraded_and_when_down(tmp_path: Path) -> None:
    vault = DevelopmentVault(make_files(tmp_path, VaultShape(keepers=2)))
    code, told = status_of(vault)
    assert (code, told["state"], told["database"]["readable"]) == (2, "sealed", False)
    vault.init()
    with vault:
        vault.serve()
        vault.run_command("checkpoint", "make")
        code, told = status_of(vault)
        assert (code, told["state"], told["problems"]) == (0, "serving", [])
        assert told["keepers"] == {"configured": 2, "answering": 2}
        assert (told["tenants"], told["single_user"], told["checkpoint"]["serial"]) == (["notes"], True, 1)
        assert {key["label"] for key in told["keys"]} >= {"strongroom-kek-1", "strongroom-identity-1"}
        assert all(key["age"] and key["since"].endswith("Z") for key in told["keys"])
        assert told["key_bundle"]["serial"] == 1
        (tmp_path / "run" / "operator-1.sock").unlink()  # as if that keeper were gone, for as long as we look
        code, told = status_of(vault)
        assert (code, told["state"], told["problems"]) == (2, "degraded", ["1 of 2 keepers answer"])
    code, told = status_of(vault)
    assert (code, told["state"], told["keepers"]["answering"]) == (2, "sealed", 0)
    assert (told["database"]["readable"], told["vault_row"]) == (True, 2)


def test_status_of_a_faulty_configuration_is_an_error(tmp_path: Path) -> None:
    files = make_files(tmp_path, VaultShape(keepers=1))
    files.config_file.write_text("audience = 1\n", encoding="utf-8")
    said = strongroomd(files.config_file, "status")
    assert (said.code, said.lines) == (1, [])
    assert "audience" in said.errors


def test_commands_that_change_something_tell_programs_what(tmp_path: Path) -> None:
    vault = DevelopmentVault(make_files(tmp_path, VaultShape(keepers=1)))
    made = json.loads(vault.run_command("init", "--output", "json"))
    assert ("strongroom-kek-1" in made["made_keys"], made["already"]) == (True, False)
    assert made["identity_fingerprint"] == vault.files.identity_fingerprint
    with vault:
        vault.serve()
        assert (
            "checkpoint 1: 0 records"
            in json.loads(vault.run_command("checkpoint", "make", "--output", "json"))["said"][0]
        )
        assert json.loads(vault.run_command("checkpoint", "verify", "--output", "json"))["good"] is True
        assert json.loads(vault.run_command("events", "verify", "--output", "json"))["good"] is True
        assert json.loads(vault.run_command("sweep", "--output", "json"))["erased"] == 0
