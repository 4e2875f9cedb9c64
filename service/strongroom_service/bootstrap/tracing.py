"""Tracing of a front: none, or OpenTelemetry, which is an extra and is imported only if it is wanted."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import TYPE_CHECKING

from strongroom_service.bootstrap.system import DISTRIBUTION
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.telemetry.spans import NO_TRACING

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from strongroom_service.config.tracing import TracingTable
    from strongroom_service.telemetry.otlp import Log
    from strongroom_service.telemetry.spans import Tracing


def make_tracing(table: TracingTable | None, *, log: Log, resources: AsyncExitStack) -> Tracing:
    """Return what begins spans; at the end of `resources` it sends what is left.

    Raises:
        Misconfigured: the extra is not installed.
    """
    if table is None:
        return NO_TRACING
    try:
        from strongroom_service.telemetry.otlp import OpenTelemetryTracing, otlp_exporter  # noqa: PLC0415  an extra
    except ImportError as error:
        message = (
            "[tracing] needs the extra `tracing`, which is not installed: install requirements/tracing.txt"
            " (pip install --require-hashes -r requirements/tracing.txt), or leave the table out"
        )
        raise Misconfigured(message) from error
    tracing = OpenTelemetryTracing(
        otlp_exporter(table.endpoint, ca_file=table.ca_file, log=log),
        version=version(DISTRIBUTION),
        sample_ratio=table.sample_ratio,
    )
    resources.push_async_callback(asyncio.to_thread, tracing.close)
    return tracing
