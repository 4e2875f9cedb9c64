"""Judging: a completion against the record that was presented, to what must be committed.

Straight lines: check the ceremony, check what was brought, decide (domain.decisions), seal. Nothing is unwrapped here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from strongroom_service.domain.ceremonies import ORDERS, AddCredential, Operation, Register, Release, Statement
from strongroom_service.domain.credentials import RecoveryVerified, Verified
from strongroom_service.domain.decisions import Attempt, Decided, decide_assertion, decide_registration
from strongroom_service.domain.errors import InvalidField, Reason, Refusal
from strongroom_service.domain.events import Evidence
from strongroom_service.domain.orders import Order, decide_order, decide_rewrap, decide_sweep
from strongroom_service.domain.preconditions import check_live, require_vault
from strongroom_service.domain.records import find_grant, head_of, next_head, subject_of
from strongroom_service.domain.successes import Brought
from strongroom_service.keeper.asserting import check_added, check_signer, read_own_ceremony
from strongroom_service.keeper.envelopes import Envelopes, SealedEnvelope, kek_epochs_of
from strongroom_service.keeper.formats.event_codec import encode_event
from strongroom_service.keeper.formats.record_codec import encode_record
from strongroom_service.keeper.formats.sealing import Kind, draw_one_time_key
from strongroom_service.keeper.formats.statement import challenge_of
from strongroom_service.keeper.webauthn.attestation import check_attestation
from strongroom_service.keeper.webauthn.ed25519_recovery import check_recovery_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from strongroom_service.domain.ceremonies import RecoverySignature
    from strongroom_service.domain.credentials import WebAuthnAssertion, WebAuthnAttestation
    from strongroom_service.domain.records import Record
    from strongroom_service.keeper.case import Case, SweepCase
    from strongroom_service.keeper.vault_keys import VaultKeys

NONCE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Completion:
    """What a client brought, decoded. Which fields are set depends on the operation; judging says which it needs."""

    operation: Operation
    ceremony: bytes
    attestation: WebAuthnAttestation | None
    assertion: WebAuthnAssertion | RecoverySignature | None
    sealed_envelope: SealedEnvelope
    attest_ceremony: bytes
    nonce: bytes


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

    def judge(self, case: Case, completion: Completion) -> SealedStep | None:
        """Judge `completion`; None where it was granted and committed before.

        Raises:
            Refusal: unjudged: nothing changes.
        """
        decide = self._decide_order if completion.operation in ORDERS else self._decide_completion
        decided = decide(case, completion)
        if decided is None:
            return None
        return self._seal(decided, previous_head=head_of(case.record), record_id=case.record_id)

    def sweep(self, case: SweepCase) -> SealedStep | None:
        """Erase what is due in a record; None where nothing is."""
        if not case.swept:
            return None
        decided = decide_sweep(case.record, swept=case.swept, now=case.now)
        return self._seal(decided, previous_head=case.record.chain_head, record_id=case.record_id)

    def rewrap(self, case: SweepCase, *, seal_epoch: int) -> SealedStep | None:
        """Move a record, sealed under `seal_epoch`, to the keys in use; None where all of it is under them.

        Raises:
            RecordRejected: an envelope does not unwrap.
        """
        if seal_epoch == self.keys.seal_epoch and not set(kek_epochs_of(case.record)) - {self.keys.kek_epoch}:
            return None
        rewrapped = Envelopes(self.keys).rewrapped(case.record, record_id=case.record_id)
        decided = decide_rewrap(rewrapped, swept=case.swept, now=case.now)
        return self._seal(decided, previous_head=case.record.chain_head, record_id=case.record_id)

    def _decide_order(self, case: Case, completion: Completion) -> Decided | None:
        nonce, operation = completion.nonce, completion.operation
        if len(nonce) != NONCE_BYTES:
            raise InvalidField(field="nonce", rule=f"must be {NONCE_BYTES} bytes")
        if find_grant(case.record, challenge=nonce, operation=operation, now=case.now) is not None:
            return None
        order = Order(operation=operation, nonce=nonce, now=case.now, swept=case.swept)
        return decide_order(case.record, order)

    def _decide_completion(self, case: Case, completion: Completion) -> Decided | None:
        statement = read_own_ceremony(
            completion.ceremony,
            field="ceremony",
            operation=completion.operation,
            identity=case.identity,
            ceremony_keys=self.keys.ceremony_keys,
        )
        challenge = challenge_of(completion.ceremony)
        if find_grant(case.record, challenge=challenge, operation=completion.operation, now=case.now) is not None:
            return None
        check_live(case.record, statement, now=case.now)
        if isinstance(statement.request.parameters, Register):
            return _register(case, statement, statement.request.parameters, challenge, completion)
        return self._assert(case, statement, challenge, completion)

    def _assert(self, case: Case, statement: Statement, challenge: bytes, completion: Completion) -> Decided:
        parameters = statement.request.parameters
        subject = require_vault(subject_of(case.record, statement.request))
        envelope = Envelopes(self.keys).open(completion.sealed_envelope, statement, challenge=challenge)
        added = None
        if isinstance(parameters, AddCredential):
            added = check_added(
                case,
                parameters,
                completion.attestation,
                attest_ceremony=completion.attest_ceremony,
                ceremony_keys=self.keys.ceremony_keys,
            )
        signer = check_signer(case, subject, statement, completion.assertion, challenge=challenge)
        good = isinstance(signer.checked, Verified | RecoveryVerified)
        brought = Brought(
            recipient=parameters.recipient if isinstance(parameters, Release) else b"",
            archive=Envelopes(self.keys).wrap(envelope, case=case, statement=statement) if envelope and good else None,
            credential=added,
        )
        attempt = Attempt(
            statement=statement,
            challenge=challenge,
            credential_id=signer.credential_id,
            evidence=Evidence(
                ceremony=completion.ceremony,
                assertion=completion.assertion,
                attestation=completion.attestation if added is not None and good else None,
                cose_key=signer.cose_key,
                attest_ceremony=completion.attest_ceremony if added is not None and good else b"",
            ),
            now=case.now,
            swept=case.swept,
        )
        if case.record is None:
            raise Refusal(Reason.NO_VAULT)
        return decide_assertion(case.record, attempt, checked=signer.checked, brought=brought)

    def _seal(self, decided: Decided, *, previous_head: bytes, record_id: bytes) -> SealedStep:
        record = decided.record
        key = draw_one_time_key(self.keys.token, epoch=self.keys.seal_epoch, random=self.random)
        event = encode_event(decided.event, tenant=record.tenant, account=record.account, previous_head=previous_head)
        sealed_event = key.seal(Kind.EVENT, record_id=record_id, version=record.version, plaintext=event)
        stamped = record.stamped(next_head(previous_head, sealed_event))
        sealed_record = key.seal(
            Kind.RECORD, record_id=record_id, version=record.version, plaintext=encode_record(stamped)
        )
        return SealedStep(
            version=record.version,
            sealed_record=sealed_record,
            sealed_event=sealed_event,
            decided=decided,
            record=stamped,
        )


def _register(
    case: Case, statement: Statement, parameters: Register, challenge: bytes, completion: Completion
) -> Decided:
    if completion.attestation is None:
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
        swept=case.swept,
    )
    return decide_registration(
        case.record, attempt, parameters=parameters, credential=credential, policy=case.tenant.policy
    )
