"""The test at start: every key that the vault knows is there, is the same key, and works as it must."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from strongroom_service.domain.errors import Misconfigured, RecordRejected
from strongroom_service.domain.fields import encode_fields
from strongroom_service.keeper.token.port import SIGNATURE_BYTES, KeyName, KeyPurpose, Token

_LABEL: Final = "strongroom/v1/token-self-test"
_AAD: Final = encode_fields(_LABEL, b"wrap")
_OTHER_AAD: Final = encode_fields(_LABEL, b"other")
_PLAINTEXT: Final = hashlib.sha256(_LABEL.encode("ascii")).digest()
_DIGEST: Final = hashlib.sha256(encode_fields(_LABEL, b"sign")).digest()


def check_keys(token: Token, expected: Mapping[KeyName, bytes]) -> None:
    """Check each key's attributes, its check value, and a round trip through its one use.

    Args:
        token: the opened token.
        expected: the check value (16 bytes) of each key that must be there, from the vault's sealed state.

    Raises:
        Misconfigured: a key is missing, not fit, another key under the same label, or does not work as it must; names
            the label.
        TokenFault: the token failed.
    """
    token.probe()
    for name, check_value in expected.items():
        if not hmac.compare_digest(token.check_value(purpose=name.purpose, epoch=name.epoch), check_value):
            raise Misconfigured(f"key {name.label} is not the one this vault was made with: its check value differs")
        if name.purpose is KeyPurpose.KEK:
            _check_wrap(token, name)
        elif name.purpose is KeyPurpose.IDENTITY:
            _check_signature(token, name)
        else:
            _check_derivation(token, name)


def _check_wrap(token: Token, name: KeyName) -> None:
    wrapped = token.wrap(epoch=name.epoch, plaintext=_PLAINTEXT, aad=_AAD)
    try:
        unwrapped = token.unwrap(epoch=name.epoch, wrapped=wrapped, aad=_AAD)
    except RecordRejected:
        raise _unfit(name, "does not unwrap what it wrapped") from None
    if unwrapped != _PLAINTEXT:
        raise _unfit(name, "unwraps something else than it wrapped")
    try:
        token.unwrap(epoch=name.epoch, wrapped=wrapped, aad=_OTHER_AAD)
    except RecordRejected:
        return
    # Without this binding a record could be moved to another account.
    raise _unfit(name, "ignores the AAD")


def _check_signature(token: Token, name: KeyName) -> None:
    signature = token.sign(epoch=name.epoch, digest=_DIGEST)
    half = SIGNATURE_BYTES // 2
    encoded = utils.encode_dss_signature(
        int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    )
    try:
        public_key = ec.EllipticCurvePublicKey.from_encoded_point(
            ec.SECP256R1(), token.identity_public_key(epoch=name.epoch)
        )
        public_key.verify(encoded, _DIGEST, ec.ECDSA(utils.Prehashed(SHA256())))
    except (InvalidSignature, ValueError):
        raise _unfit(name, "signs what its public half does not verify") from None


def _check_derivation(token: Token, name: KeyName) -> None:
    outputs = [
        token.derive(purpose=name.purpose, epoch=name.epoch, label=_LABEL, context=context)
        for context in (_AAD, _AAD, _OTHER_AAD)
    ]
    if outputs[0] != outputs[1] or outputs[0] == outputs[2]:
        raise _unfit(name, "does not derive as it must")


def _unfit(name: KeyName, problem: str) -> Misconfigured:
    return Misconfigured(f"key {name.label} {problem}")
