"""Checking who signed: a passkey of the life that the ceremony is about, or its recovery credential; who is added."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strongroom_service.domain.ceremonies import AddCredential, Attest, Operation, RecoverySignature, Reopen
from strongroom_service.domain.errors import InvalidField, Reason, Refusal
from strongroom_service.domain.preconditions import check_live, check_may_recover, check_passkey_may_reopen
from strongroom_service.domain.records import find_credential
from strongroom_service.keeper.formats.statement import challenge_of, read_ceremony
from strongroom_service.keeper.webauthn.assertion import check_assertion
from strongroom_service.keeper.webauthn.attestation import check_attestation
from strongroom_service.keeper.webauthn.ed25519_recovery import check_recovery_signature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from strongroom_service.domain.ceremonies import Statement
    from strongroom_service.domain.credentials import Credential, WebAuthnAssertion, WebAuthnAttestation
    from strongroom_service.domain.decisions import CheckedAssertion
    from strongroom_service.domain.records import Record
    from strongroom_service.keeper.case import Case
    from strongroom_service.tokens.account_tokens import AccountIdentity


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed, as far as the record knows: the id and COSE key (empty for recovery), and what checking said."""

    checked: CheckedAssertion
    credential_id: bytes
    cose_key: bytes


def read_own_ceremony(
    ceremony: bytes,
    *,
    field: str,
    operation: Operation,
    identity: AccountIdentity,
    ceremony_keys: Mapping[int, bytes],
) -> Statement:
    """Return the statement, if it is this vault's, for this account and this operation; it came in this `field`.

    Raises:
        Refusal: CEREMONY_REJECTED, unjudged.
    """
    statement = read_ceremony(ceremony, field=field, ceremony_keys=ceremony_keys)
    if (statement.tenant, statement.account) != (identity.tenant, identity.account):
        raise Refusal(Reason.CEREMONY_REJECTED, detail="a ceremony of another account")
    if statement.request.operation is not operation:
        raise Refusal(Reason.CEREMONY_REJECTED, detail="a ceremony for another operation")
    return statement


def check_signer(
    case: Case,
    subject: Record,
    statement: Statement,
    assertion: WebAuthnAssertion | RecoverySignature | None,
    *,
    challenge: bytes,
) -> Signer:
    """Check the assertion by a credential of `subject`, the life that the ceremony is about.

    Raises:
        InvalidField: there is none.
        Refusal: unjudged: malformed, by a credential that this life does not have, or not that credential's affair.
    """
    if assertion is None:
        raise InvalidField(field="assertion", rule="is required")
    if isinstance(assertion, RecoverySignature):
        check_may_recover(statement.request.operation)
        known = subject.effective_recovery_public_key
        # Empty before the first store, and then nobody's: else an empty key would be taken for it.
        if not known or not hmac.compare_digest(known, assertion.public_key):
            raise Refusal(Reason.NOT_VERIFIED, detail="unknown recovery credential")
        recovered = check_recovery_signature(public_key=known, challenge=challenge, signature=assertion.signature)
        return Signer(checked=recovered, credential_id=known, cose_key=b"")
    if isinstance(statement.request.parameters, Reopen):
        check_passkey_may_reopen(subject, now=case.now)
    credential = find_credential(subject, assertion.credential_id)
    checked = check_assertion(
        assertion=assertion, credential=credential, challenge=challenge, policy=case.tenant.assertion_policy
    )
    return Signer(checked=checked, credential_id=credential.credential_id, cose_key=credential.cose_key)


def check_added(
    case: Case,
    parameters: AddCredential,
    attestation: WebAuthnAttestation | None,
    *,
    attest_ceremony: bytes,
    ceremony_keys: Mapping[int, bytes],
) -> Credential:
    """Return the passkey that an addition brings: attested in a live ceremony of its own, and the one that was named.

    Raises:
        InvalidField, Refusal: unjudged: nobody's assertion was looked at yet.
    """
    if attestation is None:
        raise InvalidField(field="attestation", rule="is required")
    statement = read_own_ceremony(
        attest_ceremony,
        field="attest_ceremony",
        operation=Operation.ATTEST,
        identity=case.identity,
        ceremony_keys=ceremony_keys,
    )
    check_live(case.record, statement, now=case.now)
    attest = statement.request.parameters
    if not isinstance(attest, Attest):
        raise Refusal(Reason.CEREMONY_REJECTED, detail="an attest ceremony without its parameters")
    credential = check_attestation(
        attestation=attestation,
        challenge=challenge_of(attest_ceremony),
        policy=case.tenant.assertion_policy,
        user_handle=attest.user_handle,
        now=case.now,
    )
    if credential.credential_id != parameters.credential_id:
        raise Refusal(Reason.NOT_VERIFIED, detail="another credential was attested than the one named")
    if hashlib.sha256(credential.cose_key).digest() != parameters.cose_key_sha256:
        raise Refusal(Reason.NOT_VERIFIED, detail="the attested credential has another key than the one named")
    return credential
