"""Metrics of a process of their own, as every part wants them."""

from __future__ import annotations

from strongroom_service.front.guard import RPC_METHODS
from strongroom_service.telemetry.metrics import Metrics


def make_metrics() -> Metrics:
    return Metrics(version="0", rpc_methods=RPC_METHODS)
