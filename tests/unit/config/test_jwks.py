from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from strongroom_service.config.faults import FaultyFile
from strongroom_service.config.jwks import load_keys

EC_PRIVATE = ec.generate_private_key(ec.SECP256R1())
EC_KEY = {**ECAlgorithm.to_jwk(EC_PRIVATE.public_key(), as_dict=True), "kid": "ec"}
ED_PRIVATE = ed25519.Ed25519PrivateKey.generate()
ED_KEY = {**OKPAlgorithm.to_jwk(ED_PRIVATE.public_key(), as_dict=True), "kid": "ed"}


def write(folder: Path, *keys: object) -> Path:
    path = folder / "jwks.json"
    path.write_text(json.dumps({"keys": keys}))
    return path


def rules_of(path: Path) -> list[str]:
    with pytest.raises(FaultyFile) as caught:
        load_keys(path)
    return [str(fault).removeprefix(f"{path}: ") for fault in caught.value.faults]


def test_each_key_has_its_one_algorithm(tmp_path: Path) -> None:
    path = write(tmp_path, {**EC_KEY, "alg": "ES256", "use": "sig", "key_ops": ["verify"], "x5t": "ignored"}, ED_KEY)

    keys = load_keys(path)

    assert {kid: key.algorithm for kid, key in keys.items()} == {"ec": "ES256", "ed": "EdDSA"}
    assert keys["ec"].public_key == EC_PRIVATE.public_key()
    assert keys["ed"].public_key == ED_PRIVATE.public_key()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"kid": None}, "kid must be"),
        ({"kid": ""}, "kid must be"),
        ({"kid": 1}, "kid must be"),
        ({"kid": "k" * 129}, "kid must be"),
        ({"kid": "k\n"}, "kid must be"),
        ({"kty": "oct"}, "must be EC on P-256"),
        ({"kty": ["EC"]}, "must be EC on P-256"),
        ({"crv": "P-384"}, "must be EC on P-256"),
        ({"crv": "secp256k1"}, "must be EC on P-256"),
        ({"alg": "HS256"}, "alg must be ES256"),
        ({"alg": "none"}, "alg must be ES256"),
        ({"use": "enc"}, "use must be sig"),
        ({"key_ops": ["sign"]}, "key_ops must include verify"),
        ({"key_ops": 1}, "key_ops must include verify"),
        ({"x": "AA"}, "x must be 32 bytes"),
        ({"x": EC_KEY["x"] + "="}, "x must be 32 bytes"),
        ({"x": EC_KEY["x"] + "\n"}, "x must be 32 bytes"),
        ({"x": None}, "x must be 32 bytes"),
        ({"x": 43 * "é"}, "x must be 32 bytes"),
        ({"y": base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=")}, "x and y must be a point on P-256"),
    ],
)
def test_key_that_is_not_fit_is_refused(tmp_path: Path, change: dict[str, Any], rule: str) -> None:
    load_keys(write(tmp_path, EC_KEY))

    [told] = rules_of(write(tmp_path, {**EC_KEY, **change}))

    assert told.startswith("keys.0: ")
    assert rule in told


@pytest.mark.parametrize(
    "key",
    [
        {**ECAlgorithm.to_jwk(EC_PRIVATE, as_dict=True), "kid": "ec"},
        {**OKPAlgorithm.to_jwk(ED_PRIVATE, as_dict=True), "kid": "ed"},
    ],
)
def test_private_key_is_refused_and_not_repeated(tmp_path: Path, key: dict[str, Any]) -> None:
    [told] = rules_of(write(tmp_path, key))

    assert "private key members" in told
    assert key["d"] not in told


def test_rsa_and_symmetric_keys_are_refused(tmp_path: Path) -> None:
    rsa_key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048).public_key()

    told = rules_of(
        write(
            tmp_path, {**RSAAlgorithm.to_jwk(rsa_key, as_dict=True), "kid": "r"}, {"kty": "oct", "k": "AA", "kid": "s"}
        )
    )

    assert "must be EC on P-256" in told[0]
    assert "private key members" in told[1]


def test_all_faulty_keys_are_told_together(tmp_path: Path) -> None:
    told = rules_of(write(tmp_path, EC_KEY, "key", {**ED_KEY, "kid": "ec"}, {**ED_KEY, "x": "AA"}))

    assert [line.split(": ")[0] for line in told] == ["keys.1", "keys.2", "keys.3"]
    assert "kid must be unique" in told[1]


@pytest.mark.parametrize("count", [0, 17])
def test_number_of_keys_is_bounded(tmp_path: Path, count: int) -> None:
    load_keys(write(tmp_path, *({**EC_KEY, "kid": str(index)} for index in range(16))))

    [told] = rules_of(write(tmp_path, *({**EC_KEY, "kid": str(index)} for index in range(count))))

    assert "1 to 16 keys" in told


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"keys": {}}', b'{"keys": 1}', b"\xff", b'{"keys": [], "keys": []}', 60_000 * b"["],
)
def test_what_is_no_jwk_set_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(content)

    assert len(rules_of(path)) == 1
