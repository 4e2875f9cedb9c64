"""Checking an attestation: WebAuthn Level 3 section 7.1. Whatever is wrong refuses, and nothing is counted.

Which formats are taken, and why: the vault asks for conveyance "none", so browsers send `none` or a `packed` self
attestation. Programs that speak to an authenticator themselves pass on what it made: `packed` by security keys, `tpm`
by Windows, `apple`. Those are verified by python-fido2 and refused when they do not hold, but no trust anchor is asked
for: a well-formed statement of an unknown maker says no more than `none`. Any other format is refused (`fido-u2f`
cannot verify its user, SafetyNet has ended).

Step 26 (id unknown for any user) needs no index here: an id means something only inside the record it is sealed in, and
a challenge names that record's account. That it is new in its own record is the caller's check.
"""

from __future__ import annotations

from fido2.attestation.apple import AppleAttestation
from fido2.attestation.base import Attestation, NoneAttestation
from fido2.attestation.packed import PackedAttestation
from fido2.attestation.tpm import TpmAttestation
from fido2.webauthn import AttestationObject

from strongroom_service.domain.clock import Millis
from strongroom_service.domain.credentials import AssertionPolicy, Credential, WebAuthnAttestation
from strongroom_service.keeper.webauthn.authenticator_data import (
    AttestedCredential,
    AuthenticatorData,
    parse_authenticator_data,
    require_credential_id,
)
from strongroom_service.keeper.webauthn.canonical import decode_only_map
from strongroom_service.keeper.webauthn.client_data import CeremonyType, ClientData, parse_client_data
from strongroom_service.keeper.webauthn.cose import load_credential_key
from strongroom_service.keeper.webauthn.refusals import not_verified, refusing_malformed, require_size

# The decoder copies what is left at each item, so its time grows with the square of the size. 16 KiB holds any
# certificate chain in use and costs the keeper's one thread about 20 ms at worst; 64 KiB would cost six times that.
_MAX_OBJECT_BYTES = 16 * 1024
_MAX_TRANSPORTS = 8
_MAX_TRANSPORT_CHARACTERS = 32

_VERIFIERS: dict[str, type[Attestation]] = {
    "none": NoneAttestation,
    "packed": PackedAttestation,
    "tpm": TpmAttestation,
    "apple": AppleAttestation,
}


def check_attestation(
    *, attestation: WebAuthnAttestation, challenge: bytes, policy: AssertionPolicy, user_handle: bytes, now: Millis
) -> Credential:
    """Check `attestation` over `challenge` and return the credential to keep (7.1 step 27).

    Args:
        attestation: as received.
        challenge: the hash that the client computed from the ceremony.
        policy: the tenant's live configuration; `algorithms` are those that were offered.
        user_handle: `user.id` of the creation call, as the ceremony's request names it.
        now: becomes `created_at`.

    Raises:
        Refusal: NOT_VERIFIED; `detail` names the rule for event and log.
    """
    require_credential_id(attestation.credential_id)
    require_size("attestation object", attestation.attestation_object, minimum=1, maximum=_MAX_OBJECT_BYTES)
    _check_transports(attestation.transports)
    client_data = parse_client_data(attestation.client_data_json)
    _check_client_data(client_data, challenge=challenge, policy=policy)
    authenticator_data, attested = _parse_attested(attestation.attestation_object)
    _check_authenticator_data(authenticator_data, policy)
    if attested.credential_id != attestation.credential_id:
        raise not_verified("attestation: credential id outside and inside differ")
    key = load_credential_key(attested.cose_key)
    if key.algorithm not in policy.algorithms:
        raise not_verified("attestation: algorithm was not offered")
    _verify_statement(attestation.attestation_object, client_data.hash)
    return Credential(
        credential_id=attested.credential_id,
        cose_key=attested.cose_key,
        algorithm=key.algorithm,
        user_handle=user_handle,
        sign_count=authenticator_data.sign_count,
        backup_eligible=authenticator_data.backup_eligible,
        backup_state=authenticator_data.backup_state,
        aaguid=attested.aaguid,
        transports=attestation.transports,
        created_at=now,
        last_used_at=None,
        quarantined=False,
    )


def _check_transports(transports: tuple[str, ...]) -> None:
    """Bound what is stored and given back; unknown names are kept, as section 5.2.1.1 asks."""
    if len(transports) > _MAX_TRANSPORTS:
        raise not_verified("transports: too many")
    if not all(1 <= len(name) <= _MAX_TRANSPORT_CHARACTERS and name.isascii() for name in transports):
        raise not_verified("transports: not a name")


def _check_client_data(client_data: ClientData, *, challenge: bytes, policy: AssertionPolicy) -> None:
    """Refuse what was not asked of this origin for this ceremony (steps 7 to 11)."""
    if not client_data.is_for(CeremonyType.CREATE, challenge):
        raise not_verified("attestation: type or challenge")
    if not client_data.is_from(policy):
        raise not_verified("attestation: origin")
    if client_data.framed:
        raise not_verified("attestation: cross origin")


def _parse_attested(attestation_object: bytes) -> tuple[AuthenticatorData, AttestedCredential]:
    """Take the object apart: one canonical map of exactly its three members (step 13)."""
    members = decode_only_map("attestation object", attestation_object)
    encoded = members.get("authData")
    if set(members) != {"fmt", "attStmt", "authData"} or type(encoded) is not bytes:
        raise not_verified("attestation object: not exactly its three members")
    authenticator_data = parse_authenticator_data(encoded)
    if authenticator_data.attested is None:
        raise not_verified("attestation: no attested credential")
    return authenticator_data, authenticator_data.attested


def _check_authenticator_data(authenticator_data: AuthenticatorData, policy: AssertionPolicy) -> None:
    """Refuse another relying party, or flags that break a rule (steps 14 to 18)."""
    if not authenticator_data.is_for(policy.rp_id):
        raise not_verified("attestation: relying party")
    violation = authenticator_data.flag_violation()
    if violation is not None:
        message = f"attestation: {violation.value}"
        raise not_verified(message)


def _verify_statement(attestation_object: bytes, client_data_hash: bytes) -> None:
    """Verify the statement in its own format (steps 21 and 22), without the trust anchors of steps 23 and 24."""
    with refusing_malformed("attestation statement"):
        parsed = AttestationObject(attestation_object)
        verifier = _VERIFIERS.get(parsed.fmt)
        if verifier is None:
            raise not_verified("attestation: format")
        verifier().verify(parsed.att_stmt, parsed.auth_data, client_data_hash)
