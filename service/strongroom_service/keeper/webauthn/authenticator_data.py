"""Authenticator data (section 6.1): what the authenticator signed, taken apart to the last byte."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag

from strongroom_service.domain.credentials import PolicyViolation
from strongroom_service.keeper.webauthn.canonical import decode_first_map
from strongroom_service.keeper.webauthn.refusals import not_verified, require_size

_MAX_BYTES = 4096
_RP_ID_HASH = slice(0, 32)
_FLAGS = 32
_SIGN_COUNT = slice(33, 37)
_HEAD_BYTES = 37
_AAGUID_BYTES = 16
_ID_LENGTH_BYTES = 2
MIN_CREDENTIAL_ID_BYTES = 16
MAX_CREDENTIAL_ID_BYTES = 1023


class Flag(IntFlag):
    """The flags byte; reserved bits are ignored, as section 6.1 leaves them to the future."""

    USER_PRESENT = 0x01
    USER_VERIFIED = 0x04
    BACKUP_ELIGIBLE = 0x08
    BACKUP_STATE = 0x10
    ATTESTED_CREDENTIAL = 0x40
    EXTENSIONS = 0x80


_KNOWN_FLAGS = sum(Flag)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestedCredential:
    """Attested credential data (section 6.5.1); `cose_key` is the key's canonical CBOR as received, not yet checked."""

    aaguid: bytes
    credential_id: bytes
    cose_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatorData:
    """Parsed authenticator data. `attested` is there exactly when its flag says so."""

    rp_id_hash: bytes
    flags: Flag
    sign_count: int
    attested: AttestedCredential | None

    @property
    def backup_eligible(self) -> bool:
        """The BE flag: the passkey may be synced."""
        return Flag.BACKUP_ELIGIBLE in self.flags

    @property
    def backup_state(self) -> bool:
        """The BS flag: the passkey is synced now."""
        return Flag.BACKUP_STATE in self.flags

    def is_for(self, rp_id: str) -> bool:
        """Whether the authenticator scoped this to that relying party (7.1 step 14, 7.2 step 15)."""
        return self.rp_id_hash == hashlib.sha256(rp_id.encode("utf-8")).digest()

    def flag_violation(self) -> PolicyViolation | None:
        """Return the first rule that the signed flags break, or None.

        User verification is demanded of every ceremony and read from the signed flag alone (7.1 steps 15 to 17, 7.2
        steps 16 to 18).
        """
        if Flag.USER_PRESENT not in self.flags:
            return PolicyViolation.USER_PRESENT_MISSING
        if Flag.USER_VERIFIED not in self.flags:
            return PolicyViolation.USER_VERIFICATION_MISSING
        if self.backup_state and not self.backup_eligible:
            return PolicyViolation.BACKUP_FLAGS
        return None


def parse_authenticator_data(encoded: bytes) -> AuthenticatorData:
    """Take `encoded` apart; every byte must be accounted for by the flags.

    Raises:
        Refusal: NOT_VERIFIED: a wrong length, non-canonical CBOR, or extension outputs that must not be here.
    """
    require_size("authenticator data", encoded, minimum=_HEAD_BYTES, maximum=_MAX_BYTES)
    flags = Flag(encoded[_FLAGS] & _KNOWN_FLAGS)
    rest = encoded[_HEAD_BYTES:]
    attested = None
    if Flag.ATTESTED_CREDENTIAL in flags:
        attested, rest = _parse_attested_credential(rest)
    if Flag.EXTENSIONS in flags:
        extensions, _, rest = decode_first_map("extensions", rest)
        _check_extensions(extensions)
    if rest:
        raise not_verified("authenticator data: bytes that no flag announces")
    return AuthenticatorData(
        rp_id_hash=encoded[_RP_ID_HASH],
        flags=flags,
        sign_count=int.from_bytes(encoded[_SIGN_COUNT], "big"),
        attested=attested,
    )


def _parse_attested_credential(encoded: bytes) -> tuple[AttestedCredential, bytes]:
    id_start = _AAGUID_BYTES + _ID_LENGTH_BYTES
    if len(encoded) < id_start:
        raise not_verified("attested credential data: too short")
    id_end = id_start + int.from_bytes(encoded[_AAGUID_BYTES:id_start], "big")
    credential_id = encoded[id_start:id_end]
    if len(credential_id) != id_end - id_start:
        raise not_verified("attested credential data: credential id cut short")
    require_credential_id(credential_id)
    _, cose_key, rest = decode_first_map("credential key", encoded[id_end:])
    return AttestedCredential(aaguid=encoded[:_AAGUID_BYTES], credential_id=credential_id, cose_key=cose_key), rest


def require_credential_id(credential_id: bytes) -> None:
    """Refuse an id that no conforming authenticator makes (section 4, "Credential ID"; 7.1 step 25).

    Raises:
        Refusal: NOT_VERIFIED.
    """
    require_size("credential id", credential_id, minimum=MIN_CREDENTIAL_ID_BYTES, maximum=MAX_CREDENTIAL_ID_BYTES)


def _check_extensions(extensions: Mapping[object, object]) -> None:
    """Tolerate extension outputs nobody asked for (7.1 step 28), but not a PRF secret in clear.

    What is accepted here is kept as evidence; authenticators must not put clear PRF results where they are signed
    (w3c/webauthn pull request 2372), and the vault must never hold one.
    """
    if not all(type(name) is str for name in extensions):
        raise not_verified("extensions: a name is not text")
    prf = extensions.get("prf")
    if isinstance(prf, Mapping) and "results" in prf:
        raise not_verified("extensions: clear PRF output")
