"""One account under the rules alone: no keeper, no bytes, no keys. What was checked is said by the test."""

from __future__ import annotations

from itertools import count

from strongroom_service.domain.ceremonies import (
    AddCredential,
    CeremonyRequest,
    Delete,
    LiftQuarantine,
    Mode,
    Operation,
    Parameters,
    Register,
    Release,
    RemoveCredential,
    Reopen,
    ReopenTarget,
    SetRecovery,
    Statement,
    Store,
)
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.credentials import (
    Credential,
    PolicyViolated,
    RecoveryVerified,
    Verified,
    WrongSignature,
)
from strongroom_service.domain.decisions import (
    Attempt,
    Decided,
    decide_assertion,
    decide_registration,
)
from strongroom_service.domain.events import Event, Evidence
from strongroom_service.domain.fields import hash_fields
from strongroom_service.domain.lives import without_due
from strongroom_service.domain.orders import Order, decide_order, decide_sweep
from strongroom_service.domain.policy import OnExhaustion, Policy
from strongroom_service.domain.preconditions import (
    check_live,
    check_may_begin,
    check_may_recover,
    check_passkey_may_reopen,
    require_vault,
)
from strongroom_service.domain.records import (
    Archive,
    Record,
    WrappedEnvelope,
    credential_set_digest,
    find_credential,
    find_grant,
    head_of,
    subject_of,
    version_of,
)
from strongroom_service.domain.successes import Brought
from tests.fakes.clock import SECOND, START

POLICY = Policy(on_exhaustion=OnExhaustion.DESTROY)
LOCKING = Policy(on_exhaustion=OnExhaustion.LOCK)
PASSKEY = b"a passkey of 16+"
OTHER_PASSKEY = b"another passkey."
RECOVERY = b"R" * 32
OTHER_RECOVERY = b"S" * 32
RECIPIENT = b"X" * 32
GOOD = Verified(sign_count=0, backup_state=False)
WRONG = WrongSignature(detail="signature")
STORE = Store(secret_sha256=bytes(32), mode=Mode.PRF)
RELEASE = Release(recipient=RECIPIENT)
DELETE = Delete()
REGISTER = Register(user_handle=bytes(32), mode=Mode.PRF, recovery_public_key=RECOVERY)
ADD = AddCredential(credential_id=OTHER_PASSKEY, cose_key_sha256=bytes(32), envelope_sha256=bytes(32))
REMOVE = RemoveCredential(credential_id=OTHER_PASSKEY, envelope_sha256=bytes(32))
REMOVE_FIRST = RemoveCredential(credential_id=PASSKEY, envelope_sha256=bytes(32))
SET_RECOVERY = SetRecovery(recovery_public_key=OTHER_RECOVERY, envelope_sha256=bytes(32))
LIFT = LiftQuarantine(credential_id=OTHER_PASSKEY)
REOPEN_CLOSED = Reopen(target=ReopenTarget.CLOSED)
REOPEN_SET_ASIDE = Reopen(target=ReopenTarget.SET_ASIDE)

Checked = Verified | RecoveryVerified | WrongSignature | PolicyViolated
STORING = (Store, AddCredential, RemoveCredential, SetRecovery)


def credential(credential_id: bytes = PASSKEY, *, sign_count: int = 0) -> Credential:
    return Credential(
        credential_id=credential_id,
        cose_key=b"key of " + credential_id,
        algorithm=-7,
        user_handle=bytes(32),
        sign_count=sign_count,
        backup_eligible=False,
        backup_state=False,
        aaguid=bytes(16),
        transports=("internal",),
        created_at=START,
        last_used_at=None,
        quarantined=False,
    )


class Account:
    """Begins ceremonies, completes them and commits what was decided, in the order in which a keeper does.

    As for a keeper, what is due to be erased is gone before anything is asked (`seen`).
    """

    def __init__(self, *, policy: Policy = POLICY, now: Millis = START) -> None:
        self.policy = policy
        self.now = now
        self.record: Record | None = None
        self.events: list[Event] = []
        self._serial = count(1)

    @property
    def held(self) -> Record:
        assert self.record is not None
        return self.record

    @property
    def seen(self) -> Record | None:
        """The record as a keeper sees it now."""
        return None if self.record is None else without_due(self.record, now=self.now)[0]

    @property
    def aside(self) -> Record:
        """The life that is set aside."""
        assert self.held.set_aside is not None
        return self.held.set_aside.record

    def wait(self, *, seconds: int) -> None:
        """Step the clock; back, if negative."""
        self.now = Millis(self.now + seconds * SECOND)

    def begin(self, parameters: Parameters, *, opened: int = 0) -> Statement:
        serial = next(self._serial).to_bytes(32, "big")
        request = CeremonyRequest(client_random=serial, opened_archive_version=opened, parameters=parameters)
        record = self.seen
        check_may_begin(record, request, now=self.now)
        return Statement(
            request=request,
            request_bytes=serial,
            tenant="notes",
            account="alice",
            version=version_of(record),
            chain_head=head_of(record),
            credential_set_sha256=credential_set_digest(subject_of(record, request)),
            mode=Mode.PRF,
            rp_id="notes.example",
            origins=("https://notes.example",),
            seal_epoch=1,
            expires_at=Millis(self.now + request.operation.ceremony_seconds * SECOND),
            keeper_random=serial,
        )

    def complete(
        self, statement: Statement, checked: Checked = GOOD, *, credential_id: bytes = PASSKEY, commit: bool = True
    ) -> Decided | None:
        """Judge, and commit unless told not to; None where the completion was granted before.

        Signed by the passkey `credential_id`, or by the recovery credential where that is its key.
        """
        operation = statement.request.operation
        challenge = challenge_of(statement)
        if find_grant(self.seen, challenge=challenge, operation=operation, now=self.now) is not None:
            return None
        check_live(self.seen, statement, now=self.now)
        if not isinstance(statement.request.parameters, Register):
            self._check_signer(statement, credential_id)
        evidence = Evidence(ceremony=statement.request_bytes, assertion=None, attestation=None, cose_key=b"")
        attempt = Attempt(
            statement=statement,
            challenge=challenge,
            credential_id=credential_id,
            evidence=evidence,
            now=self.now,
            swept=() if self.record is None else without_due(self.record, now=self.now)[1],
        )
        decided = self._decide(attempt, checked)
        return self.commit(decided) if commit else decided

    def order(self, operation: Operation, *, nonce: bytes = b"N" * 32) -> Decided | None:
        """Reset, erase or cancel, and commit; None where it was granted before."""
        if find_grant(self.seen, challenge=nonce, operation=operation, now=self.now) is not None:
            return None
        swept = () if self.record is None else without_due(self.record, now=self.now)[1]
        return self.commit(decide_order(self.seen, Order(operation=operation, nonce=nonce, now=self.now, swept=swept)))

    def sweep(self) -> Decided | None:
        """Erase what is due, and commit; None where nothing is."""
        record, swept = without_due(self.held, now=self.now)
        return self.commit(decide_sweep(record, swept=swept, now=self.now)) if swept else None

    def commit(self, decided: Decided) -> Decided:
        assert decided.record.version == version_of(self.record) + 1
        self.record = decided.record.stamped(hash_fields("head", head_of(self.record), decided.record.version))
        self.events.append(decided.event)
        return decided

    def enroll(self, *, confirm: bool = False) -> None:
        """Register and store; the store's version is 2."""
        self.complete(self.begin(REGISTER))
        self.complete(self.begin(STORE))
        if confirm:
            self.complete(self.begin(RELEASE, opened=2))

    def fail(self, times: int = 1, *, asking: Parameters = RELEASE) -> None:
        """Spend attempts, waiting for each cool-down to end."""
        for _ in range(times):
            subject = self.aside if asking == REOPEN_SET_ASIDE else self.held
            self.now = Millis(max(self.now, subject.ledger.cool_down_until))
            self.complete(self.begin(asking), WRONG)

    def _check_signer(self, statement: Statement, credential_id: bytes) -> None:
        subject = require_vault(subject_of(self.seen, statement.request))
        if credential_id == subject.effective_recovery_public_key:
            check_may_recover(statement.request.operation)
            return
        if isinstance(statement.request.parameters, Reopen):
            check_passkey_may_reopen(subject, now=self.now)
        find_credential(subject, credential_id)

    def _decide(self, attempt: Attempt, checked: Checked) -> Decided:
        parameters, record = attempt.statement.request.parameters, self.seen
        if isinstance(parameters, Register):
            new = credential(attempt.credential_id)
            return decide_registration(record, attempt, parameters=parameters, credential=new, policy=self.policy)
        assert record is not None
        good = isinstance(checked, Verified | RecoveryVerified)
        brought = Brought(
            recipient=parameters.recipient if isinstance(parameters, Release) else b"",
            archive=self._archive() if isinstance(parameters, STORING) and good else None,
            credential=credential(parameters.credential_id) if isinstance(parameters, AddCredential) else None,
        )
        return decide_assertion(record, attempt, checked=checked, brought=brought)

    def _archive(self) -> Archive:
        version = self.held.version + 1
        wrapped = WrappedEnvelope(mechanism="aes-gcm", kek_epoch=1, iv=bytes(12), ciphertext=b"wrapped")
        return Archive(
            archive_version=version,
            confirmed=False,
            mode=Mode.PRF,
            stored_at=self.now,
            envelope_sha256=version.to_bytes(32, "big"),
            wrapped=wrapped,
        )


def challenge_of(statement: Statement) -> bytes:
    """A stand-in for the hash: as unique as the ceremony."""
    return b"challenge of " + statement.keeper_random
