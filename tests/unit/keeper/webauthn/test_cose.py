"""Which public keys may become a passkey's: exact shapes, and no point or modulus that proves nothing."""

from __future__ import annotations

import functools

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from fido2 import cbor

from strongroom_service.domain.errors import Reason, Refusal
from strongroom_service.keeper.webauthn.cose import SignatureMismatch, load_credential_key, load_ed25519_key
from tests.fakes.passkey import EDDSA, ES256, RS256, PrivateKey, SoftwarePasskey, cose_members

P256_PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1


@functools.cache
def key(algorithm: int) -> PrivateKey:
    match algorithm:
        case -7:
            return ec.generate_private_key(ec.SECP256R1())
        case -8:
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def encoded(algorithm: int, **changes: object) -> bytes:
    """Encode a good key with members changed by label, `m` for minus; None drops the member."""
    labels = {int(name.removeprefix("_").replace("m", "-")): value for name, value in changes.items()}
    members = {**cose_members(key(algorithm)), **labels}
    return cbor.encode({label: value for label, value in members.items() if value is not None})


def refused(cose_key: bytes) -> bool:
    with pytest.raises(Refusal) as refusal:
        load_credential_key(cose_key)
    return refusal.value.reason is Reason.NOT_VERIFIED


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
def test_key_of_each_kind_verifies_its_own_signature_and_no_other(algorithm: int) -> None:
    passkey = SoftwarePasskey(algorithm=algorithm, private_key=key(algorithm))
    loaded = load_credential_key(encoded(algorithm))
    assert loaded.algorithm == algorithm
    loaded.verify(message=b"message", signature=passkey.sign(b"message"))
    with pytest.raises(SignatureMismatch):
        loaded.verify(message=b"massage", signature=passkey.sign(b"message"))


@pytest.mark.parametrize(
    ("algorithm", "changes"),
    [
        pytest.param(ES256, {"_1": None}, id="no key type, which python-fido2 takes"),
        pytest.param(ES256, {"_1": 1}, id="key type of another kind"),
        pytest.param(ES256, {"_1": True}, id="key type is a boolean"),
        pytest.param(ES256, {"_3": None}, id="no algorithm"),
        pytest.param(ES256, {"_3": EDDSA}, id="algorithm of another kind"),
        pytest.param(ES256, {"_3": -9}, id="ESP256"),
        pytest.param(ES256, {"_3": -35}, id="ES384"),
        pytest.param(ES256, {"_3": "ES256"}, id="algorithm is text"),
        pytest.param(ES256, {"m1": 2}, id="curve P-384"),
        pytest.param(ES256, {"m1": 8}, id="curve secp256k1"),
        pytest.param(ES256, {"m1": True}, id="curve is a boolean"),
        pytest.param(ES256, {"m2": bytes(32), "m3": bytes(32)}, id="point off the curve"),
        pytest.param(ES256, {"m2": P256_PRIME.to_bytes(32, "big")}, id="coordinate not below the prime"),
        pytest.param(ES256, {"m2": bytes(31)}, id="short coordinate"),
        pytest.param(ES256, {"m2": bytes(33)}, id="long coordinate"),
        pytest.param(ES256, {"m3": True}, id="compressed point"),
        pytest.param(ES256, {"m3": None}, id="no y"),
        pytest.param(ES256, {"_4": [2]}, id="key operations"),
        pytest.param(ES256, {"m4": bytes(32)}, id="a private key"),
        pytest.param(EDDSA, {"m1": 7}, id="curve Ed448"),
        pytest.param(EDDSA, {"m1": 4}, id="curve X25519"),
        pytest.param(EDDSA, {"_3": -53}, id="Ed448"),
        pytest.param(EDDSA, {"_1": 2}, id="EdDSA as EC2"),
        pytest.param(EDDSA, {"m2": bytes(31)}, id="short Ed25519 key"),
        pytest.param(EDDSA, {"m2": bytes(32)}, id="Ed25519 point of small order"),
        pytest.param(RS256, {"_3": -65535}, id="RS1"),
        pytest.param(RS256, {"_3": -37}, id="PS256"),
        pytest.param(RS256, {"m2": b"\x03"}, id="exponent 3"),
        pytest.param(RS256, {"m2": b"\x00\x01\x00\x01"}, id="exponent not shortest"),
        pytest.param(RS256, {"m2": b"\x01\x00\x03"}, id="another exponent"),
        pytest.param(RS256, {"m1": b"\xff" * 128}, id="modulus of 1024 bits"),
        pytest.param(RS256, {"m1": b"\x7f" + b"\xff" * 255}, id="modulus of 2047 bits"),
        pytest.param(RS256, {"m1": b"\x01" + b"\xff" * 512}, id="modulus of 4097 bits"),
        pytest.param(RS256, {"m1": b"\xff" * 255 + b"\xfe"}, id="even modulus"),
        pytest.param(RS256, {"m1": b"\x00" + b"\xff" * 256}, id="modulus not shortest"),
        pytest.param(RS256, {"m1": b""}, id="no modulus"),
        pytest.param(RS256, {"m1": 3}, id="modulus is a number"),
    ],
)
def test_key_of_any_other_shape_is_refused(algorithm: int, changes: dict[str, object]) -> None:
    assert refused(encoded(algorithm, **changes))


def test_boolean_label_is_not_the_label_one() -> None:
    """Python reads True as 1, and python-fido2's encoder gives it back as it came, so being canonical does not help."""
    members = {label: value for label, value in cose_members(key(ES256)).items() if label != 1}
    spoilt = cbor.encode({**members, True: 2})
    assert cbor.encode(cbor.decode(spoilt)) == spoilt
    assert refused(spoilt)


def test_only_the_canonical_encoding_of_a_key_is_taken() -> None:
    good = encoded(ES256)
    assert load_credential_key(good).algorithm == ES256
    for spoilt in (
        b"\xa6\x01\x02" + good[1:],
        b"\xa5\x03\x26\x01\x02" + good[5:],
        b"\xa5\x18\x01\x02" + good[3:],
        b"\xa5\x01\x18\x02" + good[3:],
        b"\xb8\x05" + good[1:],
        b"\xbf" + good[1:] + b"\xff",
        good + b"\x00",
        good[:-1],
        b"",
        b"\x80",
        b"\xa0" + bytes(2000),
    ):
        assert refused(spoilt)


SMALL_ORDER = (
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)


@pytest.mark.parametrize("point", SMALL_ORDER)
@pytest.mark.parametrize("sign", [0x00, 0x80])
def test_small_order_point_under_which_a_constant_signature_fits_is_refused(point: str, sign: int) -> None:
    public_key = bytes.fromhex(point)
    public_key = public_key[:-1] + bytes([public_key[-1] | sign])
    with pytest.raises(Refusal, match="NOT_VERIFIED"):
        load_ed25519_key(public_key)
    if (point, sign) not in {(SMALL_ORDER[1], 0x80), (SMALL_ORDER[4], 0x80)}:  # not points: x = 0 has no negative
        assert any(fits(public_key, message=bytes([number])) for number in range(200))


def fits(public_key: bytes, *, message: bytes) -> bool:
    """Whether a signature that nobody had to make, R the neutral point and S zero, is taken under `public_key`."""
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public_key).verify(b"\x01" + bytes(63), message)
    except InvalidSignature:
        return False
    return True
