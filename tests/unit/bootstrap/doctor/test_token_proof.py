from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom_service.bootstrap.doctor.findings import Finding, Outcome
from strongroom_service.bootstrap.doctor.token_proof import check_second_token
from strongroom_service.config.vault_file import load_vault_config
from strongroom_service.domain.clock import Millis
from strongroom_service.keeper.formats.receipt import identity_fingerprint
from tests.unit.cli.test_strongroomd import CONFIG
from tests.unit.config.test_token_proof import BODY, DAY, written

MADE_AT = BODY["made_at"]
KEYS = {"strongroom-kek-1": b"\xab" * 16}
IDENTITY = generate_private_key(SECP256R1())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "strongroom.toml").write_text(CONFIG, encoding="utf-8")
    point = IDENTITY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    (tmp_path / "identity.fingerprint").write_text(identity_fingerprint(point).hex() + "\n", encoding="ascii")
    return tmp_path


def found(folder: Path, *, days: int = 1, development: bool = False, keys: dict[str, bytes] | None = KEYS) -> Finding:
    path = folder / "strongroom.toml"
    now = Millis(MADE_AT + days * DAY)
    return check_second_token(load_vault_config(path), path, now=now, keys=keys, development=development)


@pytest.mark.parametrize(
    ("days", "outcome"), [(0, Outcome.OK), (400, Outcome.OK), (401, Outcome.FAIL), (-1, Outcome.FAIL)]
)
def test_proof_of_all_keys_holds_as_long_as_the_policy_says(folder: Path, days: int, outcome: Outcome) -> None:
    written(folder, BODY, key=IDENTITY)
    assert found(folder, days=days).outcome is outcome


def test_no_proof_fails_but_in_development(folder: Path) -> None:
    assert found(folder).outcome is Outcome.FAIL
    assert found(folder, development=True).outcome is Outcome.SKIP


def test_proof_of_other_keys_fails_and_names_them(folder: Path) -> None:
    written(folder, BODY, key=IDENTITY)
    failed = found(folder, keys={**KEYS, "strongroom-kek-2": bytes(16)})
    assert (failed.outcome, "of strongroom-kek-2" in failed.found) == (Outcome.FAIL, True)


def test_proof_that_nothing_could_be_compared_with_is_no_pass(folder: Path) -> None:
    written(folder, BODY, key=IDENTITY)
    assert found(folder, keys=None).outcome is Outcome.WARN


def test_proof_that_is_none_fails(folder: Path) -> None:
    written(folder, BODY, key=IDENTITY).write_text("{}", encoding="utf-8")
    assert found(folder).outcome is Outcome.FAIL


def test_proof_of_another_signer_is_told_of(folder: Path) -> None:
    written(folder, BODY, key=Ed25519PrivateKey.generate())
    assert found(folder).outcome is Outcome.WARN
