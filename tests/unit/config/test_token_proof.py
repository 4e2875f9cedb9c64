"""The proof of a second token is believed for its signature only, and only whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom_service.config.owner_keys import encode_public_key, sign_digest
from strongroom_service.config.signed_document import sign_document
from strongroom_service.config.token_proof import TOKEN_PROOF_LABEL, load_token_proof
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

    from strongroom_service.config.owner_keys import OwnerPrivateKey

DAY = 24 * 3600 * 1000
NAMES = {"label": "vault", "serial": "01", "manufacturer": "maker", "model": "model"}
BODY: dict[str, Any] = {
    "schema": 1,
    "made_at": 10 * DAY,
    "kind": "second-token",
    "first": NAMES,
    "second": {**NAMES, "serial": "02"},
    "check_values": {"strongroom-kek-1": "ab" * 16},
    "copy_sha256": "",
    "transcript": "cd" * 32,
}


def written(folder: Path, body: dict[str, Any], *, key: OwnerPrivateKey, label: str = TOKEN_PROOF_LABEL) -> Path:
    path = folder / "token-proof.json"
    signer = encode_public_key(key.public_key())
    path.write_bytes(sign_document(label, body, signer=signer, sign=lambda digest: sign_digest(key, digest)))
    return path


@pytest.mark.parametrize("key", [Ed25519PrivateKey.generate(), generate_private_key(SECP256R1())])
def test_proof_is_read_with_its_signer_and_age(tmp_path: Path, key: OwnerPrivateKey) -> None:
    proof = load_token_proof(written(tmp_path, BODY, key=key))
    assert proof.signer == encode_public_key(key.public_key())
    assert proof.age_days(now=Millis(12 * DAY)) == 2
    assert not proof.missing({"strongroom-kek-1": b"\xab" * 16})
    assert proof.missing({"strongroom-kek-1": b"\xac" * 16, "strongroom-kek-2": b"\xab" * 16}) == (
        "strongroom-kek-1",
        "strongroom-kek-2",
    )
    assert len(proof.identity_point) == (0 if isinstance(key, Ed25519PrivateKey) else 65)


def test_proof_with_a_later_date_than_was_signed_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, BODY, key=Ed25519PrivateKey.generate())
    document = json.loads(path.read_bytes())
    document["body"]["made_at"] += 400 * DAY
    path.write_text(json.dumps(document))
    with pytest.raises(Misconfigured, match="signature is wrong"):
        load_token_proof(path)


def test_signature_under_another_label_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, BODY, key=Ed25519PrivateKey.generate(), label="strongroom/v1/key-transcript")
    with pytest.raises(Misconfigured, match="signature is wrong"):
        load_token_proof(path)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"schema": 2}, "schema"),
        ({"kind": "a-feeling"}, "kind"),
        ({"check_values": {}}, "check_values"),
        ({"check_values": {"strongroom-kek-1": "ab"}}, "check_values"),
        ({"copy_sha256": "ef" * 32}, "copy_sha256"),
        ({"kind": "encrypted-copy"}, "copy_sha256"),
        ({"remark": "x"}, "remark"),
    ],
)
def test_signed_proof_of_another_shape_is_refused_by_field(tmp_path: Path, change: dict[str, Any], where: str) -> None:
    path = written(tmp_path, {**BODY, **change}, key=Ed25519PrivateKey.generate())
    with pytest.raises(Misconfigured, match=where):
        load_token_proof(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"body":{},"body":{}}', b"[" * 100_000, b"\xff"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token-proof.json"
    path.write_bytes(content)
    with pytest.raises(Misconfigured, match=r"token-proof\.json"):
        load_token_proof(path)


def test_missing_proof_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read"):
        load_token_proof(tmp_path / "token-proof.json")
