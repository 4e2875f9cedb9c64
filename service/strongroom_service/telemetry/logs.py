"""Logs: one JSON object per line on stderr, with `ts`, `level`, `event`, `process` and, inside a request, `request_id`.

What libraries log through the standard `logging` comes out in the same form, and through the same redaction.
"""

from __future__ import annotations

import json
import logging
import sys
from contextlib import AbstractContextManager
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from strongroom_service.telemetry.redaction import redact

# One encoder for all lines: `json.dumps` with any option makes one for each.
_encode = json.JSONEncoder().encode


def configure_logging(process_name: str, *, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Log to `stream` (stderr if None) from now on. Call once, first thing in a process: loggers keep what they find.

    Args:
        process_name: what `process` says, such as "front".
        level: lowest level of ours that is written; of libraries, warnings and above are.
        stream: where lines go.
    """
    target = stream or sys.stderr

    def add_process(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
        event_dict["process"] = process_name
        return event_dict

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        add_process,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, redact, _render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(target),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(), structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, _render],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)


def _render(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> str:
    return _encode(event_dict)  # `redact` left nothing that JSON does not know


def get_logger() -> FilteringBoundLogger:
    """Return a logger: `log.info("what_happened", key=value)`."""
    return cast("FilteringBoundLogger", structlog.get_logger())


def bound_request(request_id: str) -> AbstractContextManager[object]:
    """Give every line logged inside this context, and in tasks begun in it, the `request_id`."""
    return structlog.contextvars.bound_contextvars(request_id=request_id)
