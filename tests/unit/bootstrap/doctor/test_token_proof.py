from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from strongroom_service.bootstrap.doctor.findings import Finding, Outcome
from strongroom_service.bootstrap.doctor.token_proof import FORMAT, PROOF_NAME, check_second_token
from strongroom_service.config.vault_file import VaultConfig, load_vault_config
from strongroom_service.domain.clock import Millis
from tests.unit.cli.test_strongroomd import CONFIG

DAY = 86_400_000
NOW = Millis(1_795_694_400_000)  # 2026-11-26T12:00:00Z
KEYS = {"strongroom-kek-1": bytes(16), "strongroom-index": b"\x01" * 16}
PROOF: dict[str, Any] = {
    "format": FORMAT,
    "proven_at": "2026-11-25T12:00:00Z",
    "token_label": "second",
    "check_values": {label: value.hex() for label, value in KEYS.items()},
}


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "strongroom.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def found(config_file: Path, *, now: Millis = NOW, development: bool = False) -> Finding:
    config: VaultConfig = load_vault_config(config_file)
    return check_second_token(config, config_file, now=now, keys=KEYS, development=development)


def test_young_proof_of_all_keys_will_do(config_file: Path) -> None:
    config_file.with_name(PROOF_NAME).write_text(json.dumps(PROOF), encoding="utf-8")
    assert found(config_file).outcome is Outcome.OK
    assert found(config_file, now=Millis(NOW + 300 * DAY)).outcome is Outcome.OK


def test_proof_that_is_too_old_or_of_a_time_to_come_fails(config_file: Path) -> None:
    config_file.with_name(PROOF_NAME).write_text(json.dumps(PROOF), encoding="utf-8")
    old = found(config_file, now=Millis(NOW + 366 * DAY))
    assert (old.outcome, "the policy is 366 days" in old.found) == (Outcome.FAIL, True)
    assert found(config_file, now=Millis(NOW - 2 * DAY)).outcome is Outcome.FAIL


def test_no_proof_fails_but_in_development(config_file: Path) -> None:
    assert found(config_file).outcome is Outcome.FAIL
    assert found(config_file, development=True).outcome is Outcome.SKIP


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": "strongroom/v9/token-proof"}, "format must be"),
        ({"proven_at": "2026-11-25T12:00:00"}, "must name its time zone"),
        ({"proven_at": 7}, "is no proof"),
        ({"check_values": {"strongroom-kek-1": "zz"}}, "is no proof"),
        ({"check_values": {"strongroom-kek-1": bytes(16).hex()}}, "of strongroom-index"),
        ({"check_values": {**PROOF["check_values"], "strongroom-kek-1": "01" * 16}}, "of strongroom-kek-1"),
    ],
)
def test_proof_of_something_else_fails(config_file: Path, change: dict[str, Any], told: str) -> None:
    config_file.with_name(PROOF_NAME).write_text(json.dumps({**PROOF, **change}), encoding="utf-8")
    failed = found(config_file)
    assert (failed.outcome, told in failed.found) == (Outcome.FAIL, True), failed
