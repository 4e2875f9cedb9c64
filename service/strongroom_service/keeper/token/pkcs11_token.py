"""`Token` on a PKCS#11 module, through python-pkcs11."""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self, cast

from pkcs11 import Attribute, Mechanism, ObjectClass, PKCS11Error, Session
from pkcs11.mechanisms import GCMParams
from pkcs11.types import DecryptMixin, EncryptMixin, Object, SignMixin

from strongroom_service.domain.errors import Fault, Misconfigured, RecordRejected, TokenFault
from strongroom_service.domain.fields import encode_fields
from strongroom_service.keeper.token.check_values import (
    CHECK_IV,
    KEY_CHECK_LABEL,
    PROBE_LABEL,
    check_input,
    check_value_of_point,
    fresh_iv,
)
from strongroom_service.keeper.token.derivation import counter_mode_input, require_deriving
from strongroom_service.keeper.token.derived_wrap import WRAP_KEY_LABEL, decrypt_once, encrypt_once, wrap_key_context
from strongroom_service.keeper.token.errors import RecordSuspect, suspecting_record, translated
from strongroom_service.keeper.token.keys import find_key, profile_of
from strongroom_service.keeper.token.offer import Offer, probe_offer
from strongroom_service.keeper.token.pin import Pin
from strongroom_service.keeper.token.port import (
    CHECK_VALUE_BYTES,
    DERIVED_BYTES,
    IV_BYTES,
    NO_EPOCH,
    POINT_BYTES,
    SALT_BYTES,
    SIGNATURE_BYTES,
    TAG_BYTES,
    KeyName,
    KeyPurpose,
    Profile,
    Wrapped,
    require_bound,
    require_digest,
    require_shape,
)
from strongroom_service.keeper.token.session import open_session

_TAG_BITS: Final = 8 * TAG_BYTES
_UNCOMPRESSED: Final = b"\x04"
# EC_POINT is a DER OCTET STRING (PKCS#11 3.1 section 6.3.3); some tokens leave the two bytes of its header out.
_OCTET_STRING: Final = bytes((0x04, POINT_BYTES))


class Pkcs11Token:
    """One session with one login, for one thread.

    Keys are found by label and class at first use, their attributes checked, and kept until `close`.
    """

    def __init__(self, *, session: Session) -> None:
        """Take over a logged-in session and ask for the first known answer.

        Raises:
            Misconfigured: the index key is missing or not fit: `strongroomd init` has not been run on this token.
            TokenFault: the token failed.
        """
        self._session = session
        self._thread = threading.get_ident()
        self._objects: dict[tuple[KeyName, ObjectClass], Object] = {}
        self._profiles: dict[int, Profile] = {}
        self._kek_answers: dict[int, bytes] = {}
        self._known_answer = self._answer()

    @classmethod
    def open(cls, *, module: Path, token_label: str, pin: Pin) -> Self:
        """Open a read-only session on the token with this label.

        Raises:
            TokenFault: the module does not load, no such token is there, or it failed.
            Misconfigured: the label is not unique, the PIN is refused, or the index key is missing or not fit.
        """
        session = open_session(module=module, token_label=token_label, pin=pin, writable=False)
        try:
            return cls(session=session)
        except Fault:
            # A session left logged in would make the next login of this process fail.
            with suppress(PKCS11Error):
                session.close()
            raise

    def offer(self) -> Offer:
        """See `probe_offer`.

        Raises:
            TokenFault: the token failed.
        """
        return probe_offer(self._session)

    def close(self) -> None:
        """Log the process out and close the session; the token answers nothing after that.

        Raises:
            TokenFault: the token is gone already.
        """
        self._objects.clear()
        with translated("closing the session"):
            self._session.close()

    def derive(self, *, purpose: KeyPurpose, epoch: int, label: str, context: bytes) -> bytes:
        """See `Token.derive`."""
        require_deriving(purpose)
        key = cast("SignMixin", self._key(KeyName(purpose, epoch), ObjectClass.SECRET_KEY))
        with translated(f"derivation for {label}"):
            return derive_with(key, label=label, context=context)

    def profile(self, *, epoch: int) -> Profile:
        """See `Token.profile`."""
        known = self._profiles.get(epoch)
        if known is None:
            kek = self._key(KeyName(KeyPurpose.KEK, epoch), ObjectClass.SECRET_KEY)
            known = self._profiles[epoch] = profile_of(kek)
        return known

    def wrap(self, *, epoch: int, plaintext: bytes, aad: bytes) -> Wrapped:
        """See `Token.wrap`. IV or salt are mixed from the token's generator and ours."""
        require_bound(plaintext=plaintext, aad=aad)
        kek, profile = self._kek(epoch), self.profile(epoch=epoch)
        size = IV_BYTES if profile is Profile.GCM else SALT_BYTES
        with translated("wrap"):
            iv = fresh_iv(of_token=self._session.generate_random(8 * size), of_host=secrets.token_bytes(size))
            if profile is Profile.GCM:
                ciphertext = _whole(cast("EncryptMixin", kek).encrypt(plaintext, **_gcm(iv, aad)))
            else:
                ciphertext = encrypt_once(_wrap_key(kek, iv), plaintext=plaintext, aad=aad)
        if len(ciphertext) != len(plaintext) + TAG_BYTES:
            raise TokenFault("the token gave a ciphertext of the wrong length")
        return Wrapped(mechanism=profile.mechanism, iv=iv, ciphertext=ciphertext)

    def unwrap(self, *, epoch: int, wrapped: Wrapped, aad: bytes) -> bytes:
        """See `Token.unwrap`. Codes do not tell tampering from trouble, so known answers decide after a refusal."""
        require_shape(wrapped)
        kek, profile = self._kek(epoch), self.profile(epoch=epoch)
        if wrapped.mechanism != profile.mechanism:
            raise RecordRejected(
                f"{KeyPurpose.KEK.label(epoch)} wraps by {profile.mechanism}, and these bytes name another"
            )
        try:
            return _opened(kek, wrapped.ciphertext, profile=profile, iv=wrapped.iv, aad=aad)
        except RecordSuspect:
            self.probe()
            self._confirm_kek(epoch)
        # Trouble may have passed before the known answers were asked for; a tampered record stays one.
        with suppress(RecordSuspect):
            _opened(kek, wrapped.ciphertext, profile=profile, iv=wrapped.iv, aad=aad)
            raise TokenFault("the token refused bytes that it opens now")
        raise RecordRejected(f"{KeyPurpose.KEK.label(epoch)} does not open these bytes, and the token is well")

    def sign(self, *, epoch: int, digest: bytes) -> bytes:
        """See `Token.sign`."""
        require_digest(digest)
        key = cast("SignMixin", self._key(KeyName(KeyPurpose.IDENTITY, epoch), ObjectClass.PRIVATE_KEY))
        with translated("signing"):
            signature = key.sign(digest, mechanism=Mechanism.ECDSA)
        if len(signature) != SIGNATURE_BYTES:
            raise TokenFault("the token gave a signature of the wrong length")
        return signature

    def identity_public_key(self, *, epoch: int) -> bytes:
        """See `Token.identity_public_key`."""
        name = KeyName(KeyPurpose.IDENTITY, epoch)
        with translated(f"reading the point of {name.label}"):
            encoded = bytes(self._key(name, ObjectClass.PUBLIC_KEY)[Attribute.EC_POINT])
        point = encoded.removeprefix(_OCTET_STRING) if len(encoded) == POINT_BYTES + len(_OCTET_STRING) else encoded
        if len(point) != POINT_BYTES or not point.startswith(_UNCOMPRESSED):
            raise Misconfigured(f"key {name.label}: EC_POINT is not an uncompressed P-256 point")
        return point

    def check_value(self, *, purpose: KeyPurpose, epoch: int) -> bytes:
        """See `Token.check_value` and `check_values`."""
        if purpose is KeyPurpose.IDENTITY:
            return check_value_of_point(epoch=epoch, point=self.identity_public_key(epoch=epoch))
        if purpose is KeyPurpose.KEK:
            name = KeyName(purpose, epoch)
            return self._kek_answer(self._key(name, ObjectClass.SECRET_KEY), name)[:CHECK_VALUE_BYTES]
        context = check_input(purpose=purpose, epoch=epoch)
        derived = self.derive(purpose=purpose, epoch=epoch, label=KEY_CHECK_LABEL, context=context)
        return derived[:CHECK_VALUE_BYTES]

    def probe(self) -> None:
        """See `Token.probe`: an HMAC with the index key, as when the session was opened."""
        if not hmac.compare_digest(self._answer(), self._known_answer):
            raise TokenFault("the token does not give its known answer any more")

    def _answer(self) -> bytes:
        return self.derive(
            purpose=KeyPurpose.INDEX, epoch=NO_EPOCH, label=PROBE_LABEL, context=encode_fields(PROBE_LABEL)
        )

    def _key(self, name: KeyName, object_class: ObjectClass) -> Object:
        if threading.get_ident() != self._thread:
            # The module is initialised for one thread; a second one crashes the process instead of failing.
            raise RuntimeError("the token belongs to the thread that opened it")
        known = self._objects.get((name, object_class))
        if known is None:
            known = self._objects[name, object_class] = self._find(name, object_class)
        return known

    def _find(self, name: KeyName, object_class: ObjectClass) -> Object:
        try:
            return find_key(self._session, name, object_class)
        except Misconfigured:
            # A token that lost its files finds nothing either: a key is missing only if the index key still answers,
            # which is always found first.
            if self._objects:
                self.probe()
            raise

    def _kek(self, epoch: int) -> Object:
        name = KeyName(KeyPurpose.KEK, epoch)
        kek = self._key(name, ObjectClass.SECRET_KEY)
        if epoch not in self._kek_answers:
            self._kek_answers[epoch] = self._kek_answer(kek, name)
        return kek

    def _kek_answer(self, kek: Object, name: KeyName) -> bytes:
        given = check_input(purpose=name.purpose, epoch=name.epoch)
        profile = self.profile(epoch=name.epoch)
        with translated(f"known answer of {name.label}"):
            if profile is Profile.DERIVED:
                return derive_with(cast("SignMixin", kek), label=KEY_CHECK_LABEL, context=given)
            return _whole(cast("EncryptMixin", kek).encrypt(b"", **_gcm(CHECK_IV, given)))

    def _confirm_kek(self, epoch: int) -> None:
        """Ask the KEK to encrypt nothing, and to open what that gave when it was found: it may fail in one way only."""
        name = KeyName(KeyPurpose.KEK, epoch)
        kek, known = self._kek(epoch), self._kek_answers[epoch]
        if not hmac.compare_digest(self._kek_answer(kek, name), known):
            raise TokenFault(f"{name.label} does not give its known answer any more")
        if self.profile(epoch=epoch) is Profile.DERIVED:
            return  # its one operation gives its known answer
        try:
            opened = _opened(
                kek, known, profile=Profile.GCM, iv=CHECK_IV, aad=check_input(purpose=name.purpose, epoch=epoch)
            )
        except RecordSuspect as error:
            raise TokenFault(f"{name.label} does not open its known answer") from error
        if opened:
            raise TokenFault(f"{name.label} opens something else than its known answer")


def derive_with(key: SignMixin, *, label: str, context: bytes) -> bytes:
    """Derive 32 bytes with one HMAC in the token; library errors pass through untranslated.

    Raises:
        TokenFault: the token gave another length.
    """
    derived = key.sign(counter_mode_input(label=label, context=context), mechanism=Mechanism.SHA256_HMAC)
    if len(derived) != DERIVED_BYTES:
        raise TokenFault("the token gave an HMAC of the wrong length")
    return derived


def _wrap_key(kek: Object, salt: bytes) -> bytes:
    return derive_with(cast("SignMixin", kek), label=WRAP_KEY_LABEL, context=wrap_key_context(salt))


def _opened(kek: Object, ciphertext: bytes, *, profile: Profile, iv: bytes, aad: bytes) -> bytes:
    if profile is Profile.DERIVED:
        with translated("derivation for unwrap"):
            key = _wrap_key(kek, iv)
        return decrypt_once(key, ciphertext=ciphertext, aad=aad)
    with translated("unwrap"), suspecting_record():
        return _whole(cast("DecryptMixin", kek).decrypt(ciphertext, **_gcm(iv, aad)))


def _gcm(iv: bytes, aad: bytes) -> dict[str, Any]:
    return {"mechanism": Mechanism.AES_GCM, "mechanism_param": GCMParams(iv, aad, _TAG_BITS)}


def _whole(result: bytes | Iterator[bytes]) -> bytes:
    return result if isinstance(result, bytes) else b"".join(result)
