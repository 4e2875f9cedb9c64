"""What a token offers, found out by trying, and the wrap profile that follows.

A list of mechanisms promises nothing: one token lists AES-GCM and fails at it, another takes an IV of its own. So each
profile is tried with keys that live in a session of their own and die with it, and what they became is read back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, cast

from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass, PKCS11Error, Session
from pkcs11.mechanisms import GCMParams
from pkcs11.types import DecryptMixin, EncryptMixin, Object, SignMixin

from strongroom_service.domain.errors import Fault, Misconfigured
from strongroom_service.keeper.token.errors import translated
from strongroom_service.keeper.token.keys import KEY_BITS, differences, required_attributes, template
from strongroom_service.keeper.token.port import DERIVED_BYTES, IV_BYTES, TAG_BYTES, KeyPurpose, Profile

AUTO: Final = "auto"
RELEVANT: Final = (
    Mechanism.AES_KEY_GEN,
    Mechanism.AES_GCM,
    Mechanism.GENERIC_SECRET_KEY_GEN,
    Mechanism.SHA256_HMAC,
    Mechanism.EC_KEY_PAIR_GEN,
    Mechanism.ECDSA,
)
_LABEL: Final = "strongroom-probe"
_IV: Final = b"\x01" * IV_BYTES
_PLAINTEXT: Final = b"strongroom/v1/token-offer" * 40


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What was found.

    Attributes:
        key_sizes: smallest and largest key of each mechanism of RELEVANT that the token lists, in its own unit.
        unfit: why a profile cannot be used here, of each that cannot.
    """

    key_sizes: Mapping[str, tuple[int | None, int | None]] = field(repr=False)
    unfit: Mapping[Profile, str]

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of RELEVANT mechanisms that the token does not list."""
        return tuple(mechanism.name for mechanism in RELEVANT if mechanism.name not in self.key_sizes)


def probe_offer(session: Session) -> Offer:
    """Find out what the token of this logged-in session offers; writes nothing to it.

    Raises:
        TokenFault: the token does not even tell its mechanisms.
    """
    with translated("asking for mechanisms"):
        slot = session.token.slot
        listed = slot.get_mechanisms()
        infos = {each.name: slot.get_mechanism_info(each) for each in RELEVANT if each in listed}
    reasons = {profile: _why_unfit(session, profile) for profile in Profile}
    return Offer(
        key_sizes={name: (info.min_key_length, info.max_key_length) for name, info in infos.items()},
        unfit={profile: reason for profile, reason in reasons.items() if reason},
    )


def choose_profile(offer: Offer, *, wanted: str) -> Profile:
    """Return the profile for new KEKs: the one `wanted`, or with `auto` the first that works, `gcm` before `derived`.

    Raises:
        Misconfigured: the token cannot; names the setting and what failed.
    """
    fit = [profile for profile in Profile if profile not in offer.unfit]
    if wanted != AUTO:
        fit = [profile for profile in fit if profile.value == wanted]
    if fit:
        return fit[0]
    tried = [profile for profile in Profile if wanted in {AUTO, profile.value}]
    reasons = "; ".join(f"{profile.value}: {offer.unfit[profile]}" for profile in tried)
    raise Misconfigured(f"pkcs11.profile {wanted}: this token cannot: {reasons}")


def _why_unfit(session: Session, profile: Profile) -> str:
    # A session of its own: one token leaves an operation that failed active, and its session useless for others.
    try:
        with translated(f"trying profile {profile.value}"), _own_session(session) as own:
            key = _session_key(own, profile)
            return _wrong_attributes(key, profile) or _TRIALS[profile](key)
    except Fault as error:
        return str(error)


@contextmanager
def _own_session(session: Session) -> Iterator[Session]:
    own = session.token.open()  # without PIN: closing it logs nobody out
    try:
        yield own
    finally:
        with suppress(PKCS11Error):
            own.close()


def _session_key(session: Session, profile: Profile) -> Object:
    wanted = {**template(KeyPurpose.KEK, ObjectClass.SECRET_KEY, profile), Attribute.TOKEN: False}
    key_type = wanted[Attribute.KEY_TYPE]
    return session.generate_key(
        key_type,
        KEY_BITS,
        label=_LABEL,
        store=False,
        capabilities=MechanismFlag(0),
        mechanism=Mechanism.AES_KEY_GEN if key_type is KeyType.AES else Mechanism.GENERIC_SECRET_KEY_GEN,
        template=wanted,
    )


def _wrong_attributes(key: Object, profile: Profile) -> str:
    required = {**required_attributes(KeyPurpose.KEK, ObjectClass.SECRET_KEY, profile), Attribute.TOKEN: False}
    return "; ".join(differences(key, required))


def _try_gcm(key: Object) -> str:
    ciphertexts = [_encrypted(key) for _ in range(2)]
    if ciphertexts[0] != ciphertexts[1] or len(ciphertexts[0]) != len(_PLAINTEXT) + TAG_BYTES:
        return "AES_GCM does not take the IV that it is given, or gives no whole tag"
    if cast("DecryptMixin", key).decrypt(ciphertexts[0], **_gcm(b"aad")) != _PLAINTEXT:
        return "AES_GCM does not open what it made"
    try:
        cast("DecryptMixin", key).decrypt(ciphertexts[0], **_gcm(b"other"))
    except PKCS11Error:
        return ""
    return "AES_GCM ignores the AAD"


def _encrypted(key: Object) -> bytes:
    ciphertext = cast("EncryptMixin", key).encrypt(_PLAINTEXT, **_gcm(b"aad"))
    return ciphertext if isinstance(ciphertext, bytes) else b"".join(ciphertext)


def _gcm(aad: bytes) -> dict[str, Any]:
    return {"mechanism": Mechanism.AES_GCM, "mechanism_param": GCMParams(_IV, aad, 8 * TAG_BYTES)}


def _try_derived(key: Object) -> str:
    first, again, other = (
        cast("SignMixin", key).sign(given, mechanism=Mechanism.SHA256_HMAC) for given in (b"a", b"a", b"b")
    )
    if len(first) != DERIVED_BYTES or first != again or first == other:
        return "SHA256_HMAC gives no steady answer of 32 bytes"
    return ""


_TRIALS: Final = {Profile.GCM: _try_gcm, Profile.DERIVED: _try_derived}
