"""The three kinds of public key a passkey may have here, and nothing near them.

Libraries look only at the members that they need: python-fido2 takes a key without `kty`, RSA of 1024 bits, and a point
off its curve until the first use. So here the exact shape comes first and loading proves the point.
Sources: RFC 9052 section 7, RFC 9053 sections 2 and 7, RFC 8812 section 2, WebAuthn section 5.8.5.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import assert_never

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from strongroom_service.keeper.webauthn.canonical import decode_only_map
from strongroom_service.keeper.webauthn.refusals import not_verified, refusing_malformed, require_size

ES256 = -7
EDDSA = -8
RS256 = -257

_MAX_BYTES = 1024
_KEY_TYPE, _ALGORITHM = 1, 3
_EC2, _OKP, _RSA = 2, 1, 3
_CURVE, _X, _Y = -1, -2, -3
_P256, _ED25519 = 1, 6
_MODULUS, _EXPONENT = -1, -2
_COORDINATE_BYTES = 32
_RSA_MODULUS_BITS = range(2048, 4097)
_RSA_EXPONENT = (65537).to_bytes(3, "big")

# Ed25519 points of small order by their encoding without the sign bit (RFC 7748 section 7 and RFC 8032 section 8.9 name
# the danger): under such a key one constant signature fits one message in eight, so it would prove nothing about who
# signed.
_SMALL_ORDER_POINTS = frozenset(
    bytes.fromhex(encoded)
    for encoded in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


class SignatureMismatch(Exception):
    """The signature is not one by this key over this message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialKey:
    """A loaded public key of one of the three kinds."""

    algorithm: int
    public_key: PublicKey

    def verify(self, *, message: bytes, signature: bytes) -> None:
        """Check `signature` (WebAuthn section 6.5.5) over `message`.

        Raises:
            SignatureMismatch: it does not fit, in whatever way.
        """
        try:
            match self.public_key:
                case ec.EllipticCurvePublicKey() as key:
                    key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
                case ed25519.Ed25519PublicKey() as key:
                    key.verify(signature, message)
                case rsa.RSAPublicKey() as key:
                    key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
                case _:  # falling through would verify anything
                    assert_never(self.public_key)
        except InvalidSignature as error:
            raise SignatureMismatch from error


@functools.lru_cache(maxsize=1024)  # a pure reading of public bytes; people come back, and judging would read them anew
def load_credential_key(encoded: bytes) -> CredentialKey:
    """Load a COSE_Key: canonical CBOR, one of ES256 on P-256, EdDSA on Ed25519, RS256; exactly the members of its kind.

    Raises:
        Refusal: NOT_VERIFIED.
    """
    require_size("credential key", encoded, minimum=1, maximum=_MAX_BYTES)
    members = decode_only_map("credential key", encoded)
    if not all(type(label) is int for label in members):
        raise not_verified("credential key: a label is not an integer")
    algorithm = members.get(_ALGORITHM)
    if type(algorithm) is not int or algorithm not in _LOADERS:
        raise not_verified("credential key: algorithm")
    with refusing_malformed("credential key"):
        public_key = _LOADERS[algorithm](members)
    return CredentialKey(algorithm=algorithm, public_key=public_key)


def load_ed25519_key(encoded: bytes) -> CredentialKey:
    """Load a raw Ed25519 public key of 32 bytes (RFC 8032), refusing points of small order.

    Raises:
        Refusal: NOT_VERIFIED.
    """
    require_size("Ed25519 key", encoded, minimum=_COORDINATE_BYTES, maximum=_COORDINATE_BYTES)
    if encoded[:-1] + bytes([encoded[-1] & 0x7F]) in _SMALL_ORDER_POINTS:
        raise not_verified("Ed25519 key: small order")
    with refusing_malformed("Ed25519 key"):
        return CredentialKey(algorithm=EDDSA, public_key=ed25519.Ed25519PublicKey.from_public_bytes(encoded))


def _load_es256(members: Mapping[object, object]) -> PublicKey:
    _require_shape(members, key_type=_EC2, curve=_P256, labels={_KEY_TYPE, _ALGORITHM, _CURVE, _X, _Y})
    x, y = (_octets(members, label, _COORDINATE_BYTES) for label in (_X, _Y))
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + y)


def _load_eddsa(members: Mapping[object, object]) -> PublicKey:
    _require_shape(members, key_type=_OKP, curve=_ED25519, labels={_KEY_TYPE, _ALGORITHM, _CURVE, _X})
    return load_ed25519_key(_octets(members, _X, _COORDINATE_BYTES)).public_key


def _load_rs256(members: Mapping[object, object]) -> PublicKey:
    _require_shape(members, key_type=_RSA, curve=None, labels={_KEY_TYPE, _ALGORITHM, _MODULUS, _EXPONENT})
    if _octets(members, _EXPONENT, len(_RSA_EXPONENT)) != _RSA_EXPONENT:
        raise not_verified("credential key: RSA exponent")
    modulus = members[_MODULUS]
    if type(modulus) is not bytes or not modulus or modulus[0] == 0:
        raise not_verified("credential key: RSA modulus is not the shortest octets")
    number = int.from_bytes(modulus, "big")
    if number.bit_length() not in _RSA_MODULUS_BITS or number % 2 == 0:
        raise not_verified("credential key: RSA modulus")
    return rsa.RSAPublicNumbers(e=int.from_bytes(_RSA_EXPONENT, "big"), n=number).public_key()


_LOADERS: dict[int, Callable[[Mapping[object, object]], PublicKey]] = {
    ES256: _load_es256,
    EDDSA: _load_eddsa,
    RS256: _load_rs256,
}


def _require_shape(members: Mapping[object, object], *, key_type: int, curve: int | None, labels: set[int]) -> None:
    """Refuse any other set of members, key type or curve: ES256 on P-384 is another signature with the same name."""
    if set(members) != labels:
        raise not_verified("credential key: not exactly the members of its kind")
    if not _is_integer(members[_KEY_TYPE], key_type):
        raise not_verified("credential key: key type")
    if curve is not None and not _is_integer(members[_CURVE], curve):
        raise not_verified("credential key: curve")


def _is_integer(value: object, expected: int) -> bool:
    """Whether `value` is that integer; a boolean is not, although Python counts True as 1."""
    return type(value) is int and value == expected


def _octets(members: Mapping[object, object], label: int, length: int) -> bytes:
    value = members[label]
    if type(value) is not bytes or len(value) != length:
        raise not_verified("credential key: a byte string of the wrong length")
    return value
