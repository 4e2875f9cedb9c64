"""What a front counts of its keepers and their token: keepers have no port, and tell it with each answer to a probe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, unique
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


@unique
class TokenOperation(Enum):
    """What is asked of the token; CHECK reads a key's check value or public point, when the vault is opened."""

    DERIVE = "derive"
    WRAP = "wrap"
    UNWRAP = "unwrap"
    SIGN = "sign"
    CHECK = "check"
    PROBE = "probe"


@unique
class TokenResult(Enum):
    """REJECTED: the token works, and the bytes are not what was wrapped. FAULT: it failed, or its keys are not fit."""

    OK = "ok"
    REJECTED = "rejected"
    FAULT = "fault"


@unique
class KeyUse(Enum):
    """Purposes of keys that have epochs."""

    KEK = "kek"
    SEAL = "seal"
    TRANSPORT = "transport"
    IDENTITY = "identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCount:
    """How often an operation ended so, and how long that took together."""

    operation: TokenOperation
    result: TokenResult
    count: int
    seconds: float


class KeeperMetrics:
    """Every child is there from the start, as in `Metrics`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._restarts = Counter(
            "strongroom_keeper_restarts_total", "Times that a keeper was lost and came back.", registry=registry
        )
        self._token_faults = Counter(
            "strongroom_token_faults_total",
            "Calls and probes that keepers ended because the token failed; a keeper that said so is replaced.",
            registry=registry,
        )
        operations = Counter(
            "strongroom_token_operations_total",
            "Operations of the token, told by keepers at their probes; without what a keeper did after its last.",
            ["operation", "result"],
            registry=registry,
        )
        seconds = Counter(
            "strongroom_token_operation_seconds_total",
            "Time that keepers waited for operations of the token.",
            ["operation"],
            registry=registry,
        )
        epoch = Gauge(
            "strongroom_key_epoch", "The epoch in use; 0 until a keeper said.", ["purpose"], registry=registry
        )
        created_at = Gauge(
            "strongroom_key_epoch_created_timestamp_seconds",
            "Since when the epoch in use is active; 0 until a keeper said.",
            ["purpose"],
            registry=registry,
        )
        self._operations = {
            (operation, result): operations.labels(operation.value, result.value)
            for operation in TokenOperation
            for result in TokenResult
        }
        self._seconds = {operation: seconds.labels(operation.value) for operation in TokenOperation}
        self._epochs = {use: (epoch.labels(use.value), created_at.labels(use.value)) for use in KeyUse}

    def restart(self) -> None:
        """Count a keeper that was lost and came back."""
        self._restarts.inc()

    def fail_token(self) -> None:
        """Count a call that a keeper ended because the token failed."""
        self._token_faults.inc()

    def count_operations(self, counts: Iterable[TokenCount]) -> None:
        """Add what a keeper did since it last told."""
        for each in counts:
            self._operations[each.operation, each.result].inc(each.count)
            self._seconds[each.operation].inc(each.seconds)

    def set_epoch(self, use: KeyUse, *, epoch: int, created_at_seconds: float) -> None:
        """Tell which epoch is in use."""
        for gauge, value in zip(self._epochs[use], (epoch, created_at_seconds), strict=True):
            gauge.set(value)
