"""A token in memory: honest by default, and able to lose keys or itself. Passes the same contract as `Pkcs11Token`."""

from __future__ import annotations

import os
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom_service.domain.errors import Misconfigured, RecordRejected, TokenFault
from strongroom_service.keeper.token.check_values import CHECK_IV, KEY_CHECK_LABEL, check_input, check_value_of_point
from strongroom_service.keeper.token.derivation import require_deriving
from strongroom_service.keeper.token.derived_wrap import WRAP_KEY_LABEL, wrap_key_context
from strongroom_service.keeper.token.port import (
    NO_EPOCH,
    KeyName,
    KeyPurpose,
    Profile,
    Wrapped,
    require_bound,
    require_digest,
    require_shape,
)

FIRST_NAMES = (
    KeyName(KeyPurpose.KEK, 1),
    KeyName(KeyPurpose.SEAL, 1),
    KeyName(KeyPurpose.TRANSPORT, 1),
    KeyName(KeyPurpose.IDENTITY, 1),
    KeyName(KeyPurpose.INDEX, NO_EPOCH),
)


class FakeToken:
    """Holds a fresh key for each of `names`."""

    def __init__(self, *, names: Iterable[KeyName] = FIRST_NAMES, profile: Profile = Profile.GCM) -> None:
        self.profiles: dict[int, Profile] = {}
        self._profile = profile
        self._secrets: dict[KeyName, bytes] = {}
        self._identities: dict[int, ec.EllipticCurvePrivateKey] = {}
        self._gone = False
        for name in names:
            self.make_key(name)

    def make_key(self, name: KeyName) -> None:
        """Put a fresh key under this name, in place of one that may be there."""
        if name.purpose is KeyPurpose.IDENTITY:
            self._identities[name.epoch] = ec.generate_private_key(ec.SECP256R1())
        else:
            self.import_key(name, os.urandom(32))

    def import_key(self, name: KeyName, value: bytes) -> None:
        """Put a known secret (32 bytes) under this name."""
        self._secrets[name] = value

    def destroy_key(self, name: KeyName) -> None:
        """Lose one key."""
        self._secrets.pop(name, None)
        if name.purpose is KeyPurpose.IDENTITY:
            self._identities.pop(name.epoch, None)

    def lose(self) -> None:
        """Go away, as a token that is pulled out: every call raises TokenFault from now on."""
        self._gone = True

    def derive(self, *, purpose: KeyPurpose, epoch: int, label: str, context: bytes) -> bytes:
        require_deriving(purpose)
        return self._derived(KeyName(purpose, epoch), label=label, context=context)

    def _derived(self, name: KeyName, *, label: str, context: bytes) -> bytes:
        encoded = label.encode("ascii")
        if not encoded or b"\x00" in encoded:
            raise ValueError("not a derivation label")
        kdf = KBKDFHMAC(
            algorithm=SHA256(),
            mode=Mode.CounterMode,
            length=32,
            rlen=4,
            llen=4,
            location=CounterLocation.BeforeFixed,
            label=encoded,
            context=context,
            fixed=None,
        )
        return kdf.derive(self._secret(name))

    def profile(self, *, epoch: int) -> Profile:
        self._secret(KeyName(KeyPurpose.KEK, epoch))
        return self.profiles.get(epoch, self._profile)

    def wrap(self, *, epoch: int, plaintext: bytes, aad: bytes) -> Wrapped:
        require_bound(plaintext=plaintext, aad=aad)
        profile = self.profile(epoch=epoch)
        iv = os.urandom(12 if profile is Profile.GCM else 32)
        cipher, nonce = self._cipher(epoch, iv)
        return Wrapped(mechanism=profile.mechanism, iv=iv, ciphertext=cipher.encrypt(nonce, plaintext, aad))

    def unwrap(self, *, epoch: int, wrapped: Wrapped, aad: bytes) -> bytes:
        require_shape(wrapped)
        if wrapped.mechanism != self.profile(epoch=epoch).mechanism:
            raise RecordRejected("wrapped by another profile than this epoch's")
        try:
            cipher, nonce = self._cipher(epoch, wrapped.iv)
            return cipher.decrypt(nonce, wrapped.ciphertext, aad)
        except InvalidTag:
            raise RecordRejected("not what was wrapped") from None

    def sign(self, *, epoch: int, digest: bytes) -> bytes:
        require_digest(digest)
        encoded = self._identity(epoch).sign(digest, ec.ECDSA(utils.Prehashed(SHA256())))
        r, s = utils.decode_dss_signature(encoded)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def identity_public_key(self, *, epoch: int) -> bytes:
        return self._identity(epoch).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def check_value(self, *, purpose: KeyPurpose, epoch: int) -> bytes:
        if purpose is KeyPurpose.IDENTITY:
            return check_value_of_point(epoch=epoch, point=self.identity_public_key(epoch=epoch))
        given = check_input(purpose=purpose, epoch=epoch)
        if purpose is KeyPurpose.KEK and self.profile(epoch=epoch) is Profile.GCM:
            return self._kek(epoch).encrypt(CHECK_IV, b"", given)
        return self._derived(KeyName(purpose, epoch), label=KEY_CHECK_LABEL, context=given)[:16]

    def probe(self) -> None:
        self._secret(KeyName(KeyPurpose.INDEX, NO_EPOCH))

    def _cipher(self, epoch: int, iv: bytes) -> tuple[AESGCM, bytes]:
        """What encrypts under this IV or salt, and the nonce that it takes."""
        if self.profile(epoch=epoch) is Profile.GCM:
            return self._kek(epoch), iv
        key = self._derived(KeyName(KeyPurpose.KEK, epoch), label=WRAP_KEY_LABEL, context=wrap_key_context(iv))
        return AESGCM(key), bytes(12)

    def _kek(self, epoch: int) -> AESGCM:
        return AESGCM(self._secret(KeyName(KeyPurpose.KEK, epoch)))

    def _secret(self, name: KeyName) -> bytes:
        self._require_present(name, there=name in self._secrets)
        return self._secrets[name]

    def _identity(self, epoch: int) -> ec.EllipticCurvePrivateKey:
        self._require_present(KeyName(KeyPurpose.IDENTITY, epoch), there=epoch in self._identities)
        return self._identities[epoch]

    def _require_present(self, name: KeyName, *, there: bool) -> None:
        if self._gone:
            raise TokenFault("the token is gone")
        if not there:
            raise Misconfigured(f"key {name.label} is missing from the token")
