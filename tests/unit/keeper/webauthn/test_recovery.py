from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from strongroom_service.domain.credentials import RecoveryVerified, WrongSignature
from strongroom_service.domain.errors import Reason, RecordRejected, Refusal
from strongroom_service.domain.fields import encode_fields
from strongroom_service.keeper.webauthn.ed25519_recovery import check_recovery_key, check_recovery_signature

KEY = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = KEY.public_key().public_bytes_raw()
CHALLENGE = b"c" * 32


def sign(label: str, challenge: bytes) -> bytes:
    return KEY.sign(encode_fields(label, challenge))


def test_signature_over_label_and_challenge_is_verified() -> None:
    signature = sign("strongroom/v1/recovery-assertion", CHALLENGE)
    outcome = check_recovery_signature(public_key=PUBLIC_KEY, challenge=CHALLENGE, signature=signature)
    assert outcome == RecoveryVerified()


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(sign("strongroom/v1/recovery-assertion", b"d" * 32), id="another challenge"),
        pytest.param(sign("strongroom/v1/other", CHALLENGE), id="another label"),
        pytest.param(KEY.sign(CHALLENGE), id="the bare challenge"),
        pytest.param(bytes(64), id="zeros"),
    ],
)
def test_signature_over_anything_else_is_a_wrong_signature(signature: bytes) -> None:
    outcome = check_recovery_signature(public_key=PUBLIC_KEY, challenge=CHALLENGE, signature=signature)
    assert outcome == WrongSignature(detail="recovery signature")


@pytest.mark.parametrize("length", [0, 63, 65])
def test_signature_of_another_length_is_refused_unjudged(length: int) -> None:
    with pytest.raises(Refusal) as refused:
        check_recovery_signature(public_key=PUBLIC_KEY, challenge=CHALLENGE, signature=bytes(length))
    assert refused.value.reason is Reason.NOT_VERIFIED


@pytest.mark.parametrize("public_key", [b"", bytes(32), PUBLIC_KEY[:-1]])
def test_key_that_cannot_serve_is_refused_when_offered_and_a_fault_when_stored(public_key: bytes) -> None:
    with pytest.raises(Refusal):
        check_recovery_key(public_key)
    with pytest.raises(RecordRejected, match="stored recovery credential"):
        check_recovery_signature(public_key=public_key, challenge=CHALLENGE, signature=bytes(64))


def test_good_key_is_taken() -> None:
    check_recovery_key(PUBLIC_KEY)
