"""Judging: a completion against the record that was presented, to what must be committed.

Straight lines: check the ceremony, check what was brought, decide (domain.decisions), seal. Nothing is unwrapped here.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strongroom_service.domain.ceremonies import Operation, RecoverySignature, Register, Release, Statement, Store
from strongroom_service.domain.credentials import Verified
from strongroom_service.domain.decisions import Attempt, Decided, check_live, decide_assertion, decide_registration
from strongroom_service.domain.errors import InvalidField, Reason, Refusal
from strongroom_service.domain.events import Evidence
from strongroom_service.domain.fields import hash_fields
from strongroom_service.domain.records import Archive, VaultState, find_credential, find_grant, head_of, next_head
from strongroom_service.keeper.formats.event_codec import encode_event
from strongroom_service.keeper.formats.hpke import open_from_client
from strongroom_service.keeper.formats.record_codec import encode_record
from strongroom_service.keeper.formats.sealing import Kind, draw_one_time_key
from strongroom_service.keeper.formats.statement import challenge_of, read_ceremony
from strongroom_service.keeper.formats.wrapping import MAX_ENVELOPE_BYTES, wrap_envelope
from strongroom_service.keeper.webauthn.assertion import check_assertion
from strongroom_service.keeper.webauthn.attestation import check_attestation
from strongroom_service.keeper.webauthn.ed25519_recovery import check_recovery_key, check_recovery_signature

if TYPE_CHECKING:
    from collections.abc import Callable

    from strongroom_service.domain.credentials import AssertionPolicy, WebAuthnAssertion, WebAuthnAttestation
    from strongroom_service.domain.decisions import CheckedAssertion
    from strongroom_service.domain.records import Record
    from strongroom_service.keeper.case import Case
    from strongroom_service.keeper.vault_keys import VaultKeys
    from strongroom_service.tokens.account_tokens import AccountIdentity

SECRET_BYTES = 32
_SECRET_LABEL = "strongroom/v1/store-secret"  # noqa: S105  a label, not a secret


@dataclass(frozen=True, slots=True)
class Completion:
    """What a client brought, decoded. Exactly one of `attestation` and `assertion` is set."""

    operation: Operation
    ceremony: bytes
    attestation: WebAuthnAttestation | None
    assertion: WebAuthnAssertion | RecoverySignature | None
    sealed_envelope: bytes
    transport_key_id: bytes


@dataclass(frozen=True, slots=True)
class SealedStep:
    """What must be committed before anything of it is told. `record` is what `sealed_record` holds."""

    version: int
    sealed_record: bytes
    sealed_event: bytes
    decided: Decided
    record: Record


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges completions with the vault's keys. `random` draws bytes from the operating system."""

    keys: VaultKeys
    random: Callable[[int], bytes]

    def _read_statement(self, ceremony: bytes, *, operation: Operation, identity: AccountIdentity) -> Statement:
        """Return the statement, if it is this vault's, for this account and this operation.

        Raises:
            Refusal: CEREMONY_REJECTED, unjudged.
        """
        statement = read_ceremony(ceremony, ceremony_keys=self.keys.ceremony_keys)
        if (statement.tenant, statement.account) != (identity.tenant, identity.account):
            raise Refusal(Reason.CEREMONY_REJECTED, detail="a ceremony of another account")
        if statement.request.operation is not operation:
            raise Refusal(Reason.CEREMONY_REJECTED, detail="a ceremony for another operation")
        return statement

    def judge(self, case: Case, completion: Completion) -> SealedStep | None:
        """Judge `completion`; None where it was granted and committed before.

        Raises:
            Refusal: unjudged: nothing changes.
        """
        statement = self._read_statement(completion.ceremony, operation=completion.operation, identity=case.identity)
        challenge = challenge_of(completion.ceremony)
        if find_grant(case.record, challenge=challenge, operation=completion.operation, now=case.now) is not None:
            return None
        check_live(case.record, statement, now=case.now)
        if case.record is None or completion.operation is Operation.REGISTER:
            decided = _register(case, statement, challenge, completion)
        else:
            decided = self._assert(case, case.record, statement, challenge, completion)
        return self._seal(decided, previous_head=head_of(case.record), record_id=case.record_id)

    def _assert(
        self, case: Case, record: Record, statement: Statement, challenge: bytes, completion: Completion
    ) -> Decided:
        envelope = self._open_envelope(completion, statement, challenge)
        checked, credential_id, cose_key = _check(
            record, completion, challenge=challenge, policy=case.tenant.assertion_policy
        )
        evidence = Evidence(
            ceremony=completion.ceremony, assertion=completion.assertion, attestation=None, cose_key=cose_key
        )
        attempt = Attempt(
            statement=statement, challenge=challenge, credential_id=credential_id, evidence=evidence, now=case.now
        )
        stored = self._wrap(case, record, envelope, statement) if envelope and isinstance(checked, Verified) else None
        parameters = statement.request.parameters
        recipient = parameters.recipient if isinstance(parameters, Release) else b""
        return decide_assertion(record, attempt, checked=checked, recipient=recipient, stored=stored)

    def _open_envelope(self, completion: Completion, statement: Statement, challenge: bytes) -> bytes:
        """Return a store's envelope; empty for all else. Only who knows the secret of the request can fill it."""
        parameters = statement.request.parameters
        if not isinstance(parameters, Store):
            return b""
        private_key = self.keys.transport_keys.get(completion.transport_key_id)
        if private_key is None:
            raise InvalidField(field="transport_key_id", rule="must be the id of a transport key in the key bundle")
        opened = open_from_client(completion.sealed_envelope, private_key=private_key, challenge=challenge)
        secret, envelope = opened[:SECRET_BYTES], opened[SECRET_BYTES:]
        if not hmac.compare_digest(hash_fields(_SECRET_LABEL, secret), parameters.secret_sha256):
            raise Refusal(Reason.NOT_VERIFIED, detail="the sealed envelope holds another secret than the request named")
        if not 0 < len(envelope) <= MAX_ENVELOPE_BYTES:
            raise InvalidField(
                field="sealed_envelope", rule=f"must hold an envelope of 1 to {MAX_ENVELOPE_BYTES} bytes"
            )
        return envelope

    def _wrap(self, case: Case, record: Record, envelope: bytes, statement: Statement) -> Archive:
        archive_version = record.version + 1
        wrapped = wrap_envelope(
            self.keys.token,
            envelope,
            record_id=case.record_id,
            archive_version=archive_version,
            epoch=self.keys.kek_epoch,
        )
        return Archive(
            archive_version=archive_version,
            confirmed=False,
            mode=statement.mode,
            stored_at=case.now,
            envelope_sha256=hashlib.sha256(envelope).digest(),
            wrapped=wrapped,
        )

    def _seal(self, decided: Decided, *, previous_head: bytes, record_id: bytes) -> SealedStep:
        version = decided.record.version
        key = draw_one_time_key(self.keys.token, epoch=self.keys.seal_epoch, random=self.random)
        event = encode_event(decided.event, previous_head=previous_head)
        sealed_event = key.seal(Kind.EVENT, record_id=record_id, version=version, plaintext=event)
        stamped = decided.record.stamped(next_head(previous_head, sealed_event))
        sealed_record = key.seal(Kind.RECORD, record_id=record_id, version=version, plaintext=encode_record(stamped))
        return SealedStep(
            version=version, sealed_record=sealed_record, sealed_event=sealed_event, decided=decided, record=stamped
        )


def _register(case: Case, statement: Statement, challenge: bytes, completion: Completion) -> Decided:
    parameters = statement.request.parameters
    if not isinstance(parameters, Register) or completion.attestation is None:
        raise InvalidField(field="attestation", rule="is required")
    check_recovery_key(parameters.recovery_public_key)
    credential = check_attestation(
        attestation=completion.attestation,
        challenge=challenge,
        policy=case.tenant.assertion_policy,
        user_handle=parameters.user_handle,
        now=case.now,
    )
    evidence = Evidence(
        ceremony=completion.ceremony, assertion=None, attestation=completion.attestation, cose_key=credential.cose_key
    )
    attempt = Attempt(
        statement=statement,
        challenge=challenge,
        credential_id=credential.credential_id,
        evidence=evidence,
        now=case.now,
    )
    return decide_registration(
        case.record, attempt, parameters=parameters, credential=credential, policy=case.tenant.policy
    )


def _check(
    record: Record, completion: Completion, *, challenge: bytes, policy: AssertionPolicy
) -> tuple[CheckedAssertion, bytes, bytes]:
    """Return what checking the assertion said, with the credential's id and COSE key.

    Raises:
        Refusal: NOT_VERIFIED, unjudged: malformed, or by a credential that this record does not have.
    """
    assertion = completion.assertion
    if assertion is None:
        raise InvalidField(field="assertion", rule="is required")
    if isinstance(assertion, RecoverySignature):
        known = record.effective_recovery_public_key
        if completion.operation is not Operation.RELEASE or record.state is not VaultState.LIVE:
            raise Refusal(Reason.NOT_VERIFIED, detail="the recovery credential may only release")
        if not hmac.compare_digest(known, assertion.public_key):
            raise Refusal(Reason.NOT_VERIFIED, detail="unknown recovery credential")
        checked: CheckedAssertion = check_recovery_signature(
            public_key=known, challenge=challenge, signature=assertion.signature
        )
        return checked, known, b""
    credential = find_credential(record, assertion.credential_id)
    checked = check_assertion(assertion=assertion, credential=credential, challenge=challenge, policy=policy)
    return checked, credential.credential_id, credential.cose_key
