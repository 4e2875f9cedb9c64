"""What this room asks of a log: an event name and fields, as structlog's loggers take them."""

from __future__ import annotations

from typing import Protocol


class Log(Protocol):
    """Structured lines. Fields never hold a secret."""

    def info(self, event: str, **fields: object) -> object:
        """Write a line about the normal run of things."""

    def error(self, event: str, **fields: object) -> object:
        """Write a line that an operator should see."""
