"""Beginning a ceremony: the statement of exactly what the client asked, at the version of its record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from strongroom_service.domain.ceremonies import Register, Release, SetRecovery, Statement
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import RecordRejected
from strongroom_service.domain.preconditions import check_may_begin
from strongroom_service.domain.records import credential_set_digest, head_of, subject_of, version_of
from strongroom_service.keeper.formats.hpke import require_recipient
from strongroom_service.keeper.formats.request import parse_request
from strongroom_service.keeper.formats.statement import make_ceremony
from strongroom_service.keeper.webauthn.ed25519_recovery import check_recovery_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from strongroom_service.domain.ceremonies import CeremonyRequest, Mode
    from strongroom_service.domain.records import Record
    from strongroom_service.keeper.case import Case
    from strongroom_service.keeper.vault_keys import VaultKeys

_KEEPER_RANDOM_BYTES = 32


@dataclass(frozen=True, slots=True)
class BegunCeremony:
    """A ceremony, and the life whose credentials may sign for it, if there is one."""

    ceremony: bytes
    subject: Record | None


@dataclass(frozen=True, slots=True)
class Beginner:
    """Begins ceremonies with the vault's ceremony key. `random` draws bytes from the operating system."""

    keys: VaultKeys
    random: Callable[[int], bytes]

    def begin(self, case: Case, request_bytes: bytes) -> BegunCeremony:
        """Return the ceremony for the client's serialized request.

        Raises:
            InvalidField: the request breaks a rule.
            Refusal: it could not be completed now.
        """
        request = parse_request(request_bytes)
        if isinstance(request.parameters, Release):
            require_recipient(request.parameters.recipient)
        if isinstance(request.parameters, SetRecovery):
            check_recovery_key(request.parameters.recovery_public_key)
        check_may_begin(case.record, request, now=case.now)
        statement = Statement(
            request=request,
            request_bytes=request_bytes,
            tenant=case.identity.tenant,
            account=case.identity.account,
            version=version_of(case.record),
            chain_head=head_of(case.record),
            credential_set_sha256=credential_set_digest(subject_of(case.record, request)),
            mode=_expected_mode(subject_of(case.record, request), request),
            rp_id=case.tenant.assertion_policy.rp_id,
            origins=tuple(sorted(case.tenant.assertion_policy.origins)),
            seal_epoch=self.keys.seal_epoch,
            expires_at=Millis(case.now + request.operation.ceremony_seconds * 1_000),
            keeper_random=self.random(_KEEPER_RANDOM_BYTES),
            set_aside_erase_at=_set_aside_erase_at(case.record),
            account_erase_at=None if case.record is None else case.record.account_erase_at,
        )
        return BegunCeremony(
            ceremony=make_ceremony(statement, ceremony_key=self.keys.ceremony_key),
            subject=subject_of(case.record, request),
        )


def _set_aside_erase_at(record: Record | None) -> Millis | None:
    return None if record is None or record.set_aside is None else record.set_aside.erase_at


def _expected_mode(subject: Record | None, request: CeremonyRequest) -> Mode:
    if isinstance(request.parameters, Register):
        return request.parameters.mode
    if subject is None:
        message = "a ceremony was permitted where there is no record"
        raise RecordRejected(message)
    return subject.mode
