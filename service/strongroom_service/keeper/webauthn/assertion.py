"""Checking an assertion: WebAuthn Level 3 section 7.2, and what a key vault asks beyond it.

In three stages, because each has its own consequence (docs/protocol.md): what cannot be read is refused unjudged; what
is not this credential's signature for this ceremony is a counted failure; what is one but breaks the policy is refused,
evented and alarmed, never counted. A policy outcome therefore exists only for a right signature.

Steps 1 to 4 (the browser's call) happen at the client; step 5 and the account part of step 6 are the caller's, who
finds the credential in the one record that the account token names.
"""

from __future__ import annotations

from strongroom_service.domain.credentials import (
    AssertionPolicy,
    Credential,
    PolicyViolated,
    PolicyViolation,
    Verified,
    WebAuthnAssertion,
    WrongSignature,
)
from strongroom_service.domain.errors import RecordRejected, Refusal
from strongroom_service.keeper.webauthn.authenticator_data import AuthenticatorData, parse_authenticator_data
from strongroom_service.keeper.webauthn.client_data import CeremonyType, ClientData, parse_client_data
from strongroom_service.keeper.webauthn.cose import CredentialKey, SignatureMismatch, load_credential_key
from strongroom_service.keeper.webauthn.refusals import not_verified, require_size

_MAX_SIGNATURE_BYTES = 1024
_MAX_USER_HANDLE_BYTES = 64


def check_assertion(
    *, assertion: WebAuthnAssertion, credential: Credential, challenge: bytes, policy: AssertionPolicy
) -> Verified | WrongSignature | PolicyViolated:
    """Check `assertion` by `credential` over `challenge` (the hash that the client computed from the ceremony).

    Returns:
        `Verified` with the counter and backup state to keep (7.2 step 24), `WrongSignature`, or `PolicyViolated` with
        the first rule broken. COUNTER_REGRESSION comes last: it alone changes the credential, so nothing else may be
        wrong.

    Raises:
        Refusal: NOT_VERIFIED: malformed, or of another credential; not judged.
        RecordRejected: the stored key is not what registration accepted.
    """
    client_data, authenticator_data = _parse(assertion, credential)
    mismatch = _ceremony_mismatch(client_data, authenticator_data, challenge=challenge, policy=policy)
    try:
        _load_stored_key(credential).verify(
            message=assertion.authenticator_data + client_data.hash, signature=assertion.signature
        )
    except SignatureMismatch:
        return WrongSignature(detail="signature")
    if mismatch is not None:
        return WrongSignature(detail=mismatch)
    violation = _first_violation(assertion, credential, client_data, authenticator_data, policy)
    if violation is not None:
        return PolicyViolated(violation=violation)
    return Verified(sign_count=authenticator_data.sign_count, backup_state=authenticator_data.backup_state)


def _parse(assertion: WebAuthnAssertion, credential: Credential) -> tuple[ClientData, AuthenticatorData]:
    """Read all parts; the sizes of those that are compared or verified whole are bounded here."""
    if assertion.credential_id != credential.credential_id:
        raise not_verified("assertion: of another credential")
    require_size("signature", assertion.signature, minimum=1, maximum=_MAX_SIGNATURE_BYTES)
    if assertion.user_handle is not None:
        require_size("user handle", assertion.user_handle, minimum=1, maximum=_MAX_USER_HANDLE_BYTES)
    client_data = parse_client_data(assertion.client_data_json)
    authenticator_data = parse_authenticator_data(assertion.authenticator_data)
    if authenticator_data.attested is not None:
        raise not_verified("authenticator data: an assertion carries no attested credential (section 6.1)")
    return client_data, authenticator_data


def _ceremony_mismatch(
    client_data: ClientData, authenticator_data: AuthenticatorData, *, challenge: bytes, policy: AssertionPolicy
) -> str | None:
    """Name what shows that this was signed for something else (7.2 steps 10, 11 and 15), or None."""
    if not client_data.is_for(CeremonyType.GET, challenge):
        return "type or challenge"
    if not authenticator_data.is_for(policy.rp_id):
        return "relying party"
    return None


def _load_stored_key(credential: Credential) -> CredentialKey:
    """Load the key of the opened record; one that registration would not take means a forged or damaged record."""
    try:
        key = load_credential_key(credential.cose_key)
    except Refusal as refusal:
        message = f"stored credential: {refusal.detail}"
        raise RecordRejected(message) from None
    if key.algorithm != credential.algorithm:
        message = "stored credential: algorithm and key disagree"
        raise RecordRejected(message)
    return key


def _first_violation(
    assertion: WebAuthnAssertion,
    credential: Credential,
    client_data: ClientData,
    authenticator_data: AuthenticatorData,
    policy: AssertionPolicy,
) -> PolicyViolation | None:
    """Return the first policy rule broken: 7.2 steps 12 to 14, 16 to 19, 6, 22, in the order of the checks below."""
    if not client_data.is_from(policy):
        return PolicyViolation.ORIGIN
    if client_data.framed:
        return PolicyViolation.CROSS_ORIGIN
    return authenticator_data.flag_violation() or _credential_violation(
        assertion, credential, authenticator_data, policy
    )


def _credential_violation(
    assertion: WebAuthnAssertion,
    credential: Credential,
    authenticator_data: AuthenticatorData,
    policy: AssertionPolicy,
) -> PolicyViolation | None:
    """Return the first rule broken by what was signed beside what is stored, or None."""
    if authenticator_data.backup_eligible != credential.backup_eligible:
        return PolicyViolation.BACKUP_ELIGIBILITY_CHANGED
    if credential.algorithm not in policy.algorithms:
        return PolicyViolation.ALGORITHM
    if assertion.user_handle is not None and assertion.user_handle != credential.user_handle:
        return PolicyViolation.USER_HANDLE
    if credential.quarantined:
        return PolicyViolation.QUARANTINED
    if not _counter_advances(stored=credential.sign_count, signed=authenticator_data.sign_count):
        return PolicyViolation.COUNTER_REGRESSION
    return None


def _counter_advances(*, stored: int, signed: int) -> bool:
    """Whether the counter rose; two zeros mean that the authenticator keeps none, as synced passkeys do (step 22)."""
    return signed > stored or (signed == 0 and stored == 0)
