"""Metrics of what the vault's owners have signed and the front hands out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class OwnerMetrics:
    """Registered with the front's own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.failures = Counter(
            "strongroom_owner_bundle_failures_total",
            "Times that the folder of what the owners signed was found faulty; what was handed out before stays so.",
            registry=registry,
        )
        self.ends_at = Gauge(
            "strongroom_owner_bundle_not_after_timestamp_seconds",
            "When the newest bundle that the owners signed ends; 0 if none is handed out.",
            registry=registry,
        )
