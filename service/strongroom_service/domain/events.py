"""What happened, as a frozen value with its evidence: sealed into the history, and counted by the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strongroom_service.domain.ceremonies import Operation, RecoverySignature
    from strongroom_service.domain.clock import Millis
    from strongroom_service.domain.credentials import WebAuthnAssertion, WebAuthnAttestation


@unique
class Outcome(Enum):
    """How a judged attempt ended."""

    GRANTED = "granted"
    FAILED = "failed"
    EXHAUSTED = "exhausted"
    REFUSED = "refused"


@unique
class Swept(Enum):
    """What a change erased because its time had come."""

    SET_ASIDE = "set_aside"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What anybody needs to check who signed for what.

    `ceremony` hashes to the challenge; `cose_key` is the public key the assertion was judged with (empty for a recovery
    signature, which carries its own). A registration has an attestation only; an addition has its own beside the
    assertion, with the ceremony that it answers. Where nobody signed all are empty.
    """

    ceremony: bytes
    assertion: WebAuthnAssertion | RecoverySignature | None
    attestation: WebAuthnAttestation | None
    cose_key: bytes
    attest_ceremony: bytes = b""


NO_EVIDENCE = Evidence(ceremony=b"", assertion=None, attestation=None, cose_key=b"")


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a record's history; `version` is the one that it made, `failures` the count after it.

    `about_set_aside` tells whether ceremony and count are those of the life that was set aside. `erase_at` is when
    what was set aside, or the account, will be erased: for a reset, an erasure asked for, and a failed reopening.
    """

    version: int
    at: Millis
    operation: Operation
    outcome: Outcome
    reason: str
    failures: int
    evidence: Evidence
    envelope_sha256: bytes = b""
    archive_versions: tuple[int, ...] = ()
    about_set_aside: bool = False
    swept: tuple[Swept, ...] = ()
    erase_at: Millis | None = None
