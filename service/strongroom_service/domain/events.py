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


@dataclass(frozen=True, slots=True)
class Evidence:
    """What anybody needs to check who signed for what.

    `ceremony` hashes to the challenge; `cose_key` is the public key the assertion was judged with (empty for a recovery
    signature, which carries its own). Exactly one of `assertion` and `attestation` is set.
    """

    ceremony: bytes
    assertion: WebAuthnAssertion | RecoverySignature | None
    attestation: WebAuthnAttestation | None
    cose_key: bytes


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a record's history; `version` is the one that it made, `failures` the count after it."""

    version: int
    at: Millis
    operation: Operation
    outcome: Outcome
    reason: str
    failures: int
    evidence: Evidence
    envelope_sha256: bytes
    archive_versions: tuple[int, ...]
