from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from tests.unit.tokens.asking import CLAIMS, HEADER, NOW, TENANT, detail_of, verifier


def test_size_is_bounded_at_four_kibibytes() -> None:
    padding = 4_096 - len(TENANT.sign(HEADER, {**CLAIMS, "jti": ""}))
    longest = TENANT.sign(HEADER, {**CLAIMS, "jti": "x" * (padding * 3 // 4)})
    too_long = TENANT.sign(HEADER, {**CLAIMS, "jti": "x" * (padding * 3 // 4 + 3)})

    assert len(longest) <= 4_096 < len(too_long)
    verifier().verify(longest, now=NOW)
    assert "4096" in detail_of(too_long)


def _padded(token: str) -> str:
    return f"{token}=="


def _respelled(token: str) -> str:
    # 64 bytes leave four unused bits in the last character: another spelling of the same signature.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    respelled = token[:-1] + alphabet[alphabet.index(token[-1]) + 1]
    assert base64.urlsafe_b64decode(respelled[-88:] + "==")[-8:] == base64.urlsafe_b64decode(token[-88:] + "==")[-8:]
    return respelled


@pytest.mark.parametrize(
    "change",
    [
        lambda token: "",
        lambda token: ".",
        lambda token: "..",
        lambda token: token.rpartition(".")[0],
        lambda token: f"{token}.AA",
        lambda token: f"{token}..",
        lambda token: f".{token}",
        lambda token: f" {token}",
        lambda token: f"{token}\n",
        lambda token: f"Bearer {token}",
        lambda token: token.replace(".", ". "),
        lambda token: f"{token}é",
        lambda token: f"{token}\ud800",
        lambda token: token[:-1],
        _padded,
        _respelled,
    ],
)
def test_token_of_another_shape_is_refused(change: Callable[[str], str]) -> None:
    token = TENANT.sign(HEADER, CLAIMS)
    verifier().verify(token, now=NOW)

    detail_of(change(token))


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"[]",
        b"1",
        b'"JWT"',
        b"null",
        b"{",
        b"\xff{}",
        b"\xef\xbb\xbf{}",
        b'{"alg":"none","alg":"ES256"}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":' + 1_400 * b"[" + 1_400 * b"]" + b"}",
        b"[" * 2_900,
    ],
)
def test_part_that_is_no_strict_json_object_is_refused(part: bytes) -> None:
    verifier().verify(TENANT.sign(json.dumps(HEADER).encode(), json.dumps(CLAIMS).encode()), now=NOW)

    detail_of(TENANT.sign(part, CLAIMS))
    detail_of(TENANT.sign(HEADER, part))


@pytest.mark.parametrize("name", ["sub", "aud", "exp"])
def test_claim_that_stands_twice_is_refused(name: str) -> None:
    twice = json.dumps(CLAIMS)[:-1] + f', "{name}": {json.dumps(CLAIMS[name])}}}'

    assert "unique" in detail_of(TENANT.sign(HEADER, twice.encode()))
