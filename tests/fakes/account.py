"""One account under the rules alone: no keeper, no bytes, no keys. What was checked is said by the test."""

from __future__ import annotations

from itertools import count

from strongroom_service.domain.ceremonies import (
    CeremonyRequest,
    Delete,
    Mode,
    Register,
    Release,
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
from strongroom_service.domain.policy import OnExhaustion, Policy
from strongroom_service.domain.preconditions import check_live, check_may_begin
from strongroom_service.domain.records import (
    Archive,
    Record,
    WrappedEnvelope,
    credential_set_digest,
    find_grant,
    head_of,
    version_of,
)
from strongroom_service.domain.successes import Brought
from tests.fakes.clock import SECOND, START

POLICY = Policy(on_exhaustion=OnExhaustion.DESTROY)
PASSKEY = b"a passkey of 16+"
OTHER_PASSKEY = b"another passkey."
RECOVERY = b"R" * 32
RECIPIENT = b"X" * 32
GOOD = Verified(sign_count=0, backup_state=False)
WRONG = WrongSignature(detail="signature")
STORE = Store(secret_sha256=bytes(32), mode=Mode.PRF)
RELEASE = Release(recipient=RECIPIENT)
DELETE = Delete()
REGISTER = Register(user_handle=bytes(32), mode=Mode.PRF, recovery_public_key=RECOVERY)

Checked = Verified | RecoveryVerified | WrongSignature | PolicyViolated
Parameters = Register | Store | Release | Delete


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
    """Begins ceremonies, completes them and commits what was decided, in the order in which a keeper does."""

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

    def wait(self, *, seconds: int) -> None:
        """Step the clock; back, if negative."""
        self.now = Millis(self.now + seconds * SECOND)

    def begin(self, parameters: Parameters, *, opened: int = 0) -> Statement:
        serial = next(self._serial).to_bytes(32, "big")
        request = CeremonyRequest(client_random=serial, opened_archive_version=opened, parameters=parameters)
        check_may_begin(self.record, request, now=self.now)
        return Statement(
            request=request,
            request_bytes=serial,
            tenant="notes",
            account="alice",
            version=version_of(self.record),
            chain_head=head_of(self.record),
            credential_set_sha256=credential_set_digest(self.record),
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
        """Judge, and commit unless told not to; None where the completion was granted before."""
        operation = statement.request.operation
        challenge = challenge_of(statement)
        if find_grant(self.record, challenge=challenge, operation=operation, now=self.now) is not None:
            return None
        check_live(self.record, statement, now=self.now)
        evidence = Evidence(ceremony=statement.request_bytes, assertion=None, attestation=None, cose_key=b"")
        attempt = Attempt(
            statement=statement, challenge=challenge, credential_id=credential_id, evidence=evidence, now=self.now
        )
        decided = self._decide(attempt, checked)
        return self.commit(decided) if commit else decided

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

    def fail(self, times: int = 1) -> None:
        """Spend attempts, waiting for each cool-down to end."""
        for _ in range(times):
            self.now = Millis(max(self.now, self.held.ledger.cool_down_until))
            self.complete(self.begin(RELEASE), WRONG)

    def _decide(self, attempt: Attempt, checked: Checked) -> Decided:
        parameters = attempt.statement.request.parameters
        if isinstance(parameters, Register):
            new = credential(attempt.credential_id)
            return decide_registration(self.record, attempt, parameters=parameters, credential=new, policy=self.policy)
        brought = Brought(
            recipient=parameters.recipient if isinstance(parameters, Release) else b"",
            archive=self._archive() if isinstance(parameters, Store) and isinstance(checked, Verified) else None,
        )
        return decide_assertion(self.held, attempt, checked=checked, brought=brought)

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
