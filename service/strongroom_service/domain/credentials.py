"""Passkeys and their ceremonies as values: what is kept, what arrives, and what checking it can say.

Names are those of W3C Web Authentication Level 3. The checking itself is `keeper.webauthn`; malformed input has no
value here, it raises `Refusal` and is never judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import NewType

from strongroom_service.domain.clock import Millis

CredentialId = NewType("CredentialId", bytes)
"""A credential's id, 16 to 1023 bytes, chosen by its authenticator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One passkey of an account: public parts only.

    Attributes:
        credential_id: 16 to 1023 bytes.
        cose_key: the public key, canonical CBOR exactly as the authenticator gave it (RFC 9052 section 7).
        algorithm: COSE algorithm of `cose_key`.
        user_handle: 1 to 64 bytes; `user.id` of the creation call, random per credential.
        sign_count: the newest signature counter accepted; 0 where the authenticator keeps none.
        backup_eligible: the BE flag at creation; a passkey never changes it.
        backup_state: the BS flag last seen.
        aaguid: 16 bytes; a claim, since attestations are not anchored.
        transports: as the client reported them.
        created_at: when it was registered.
        last_used_at: when it last signed an accepted assertion; None before the first.
        quarantined: set when its counter went back; it signs for nothing until another credential lifts that.
    """

    credential_id: bytes
    cose_key: bytes
    algorithm: int
    user_handle: bytes
    sign_count: int
    backup_eligible: bool
    backup_state: bool
    aaguid: bytes
    transports: tuple[str, ...]
    created_at: Millis
    last_used_at: Millis | None
    quarantined: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAuthnAssertion:
    """An AuthenticatorAssertionResponse (section 5.2.2) with its credential's id, untrusted."""

    credential_id: bytes
    authenticator_data: bytes
    client_data_json: bytes
    signature: bytes
    user_handle: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAuthnAttestation:
    """An AuthenticatorAttestationResponse (section 5.2.1) with its credential's id, untrusted."""

    credential_id: bytes
    client_data_json: bytes
    attestation_object: bytes
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionPolicy:
    """A tenant's live configuration.

    Attributes:
        rp_id: the relying party id, a domain.
        origins: the exact origins a ceremony may come from; compared as text, no pattern and no suffix rule.
        algorithms: COSE algorithms offered to new passkeys and still accepted from old ones.
    """

    rp_id: str
    origins: frozenset[str]
    algorithms: tuple[int, ...]


@unique
class PolicyViolation(Enum):
    """Why a right signature was refused; for event, log and alarm only, callers are told NOT_VERIFIED."""

    ORIGIN = "origin"
    CROSS_ORIGIN = "cross_origin"
    USER_PRESENT_MISSING = "user_present_missing"
    USER_VERIFICATION_MISSING = "user_verification_missing"
    BACKUP_FLAGS = "backup_flags"
    BACKUP_ELIGIBILITY_CHANGED = "backup_eligibility_changed"
    ALGORITHM = "algorithm"
    USER_HANDLE = "user_handle"
    QUARANTINED = "quarantined"
    COUNTER_REGRESSION = "counter_regression"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A right signature for this ceremony that meets the policy.

    Attributes:
        sign_count: to be stored in place of the credential's.
        backup_state: likewise.
    """

    sign_count: int
    backup_state: bool


@dataclass(frozen=True, slots=True)
class RecoveryVerified:
    """A right signature of the recovery credential over this ceremony's challenge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongSignature:
    """Well-formed, but not a signature for this ceremony by this credential: a counted failure.

    Attributes:
        detail: which part did not fit; for event and log only.
    """

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyViolated:
    """A right signature for this ceremony that the policy refuses: evented and alarmed, not counted."""

    violation: PolicyViolation
