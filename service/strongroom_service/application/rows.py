"""What the store keeps, as the use cases see it: opaque sealed bytes under a version."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One account's record: `record_id` is 32 bytes, `version` at least 1, `sealed` opaque to all but the keeper."""

    record_id: bytes
    version: int
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class EventRow:
    """The event sealed together with the record's `version`; `at` is unix milliseconds, for retention only."""

    record_id: bytes
    version: int
    at: int
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FeedRow:
    """An event at its `position` (at least 1) in the sequence of all commits, which rises and is never used twice."""

    position: int
    record_id: bytes
    version: int
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class EventBase:
    """Where a history begins whose older events are gone: the version of the newest that is, and the head there."""

    record_id: bytes
    version: int
    chain_head: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """One committed step: the record at `version`, replacing the row at `version - 1` (none at 0), and its event."""

    record_id: bytes
    version: int
    at: int
    sealed_record: bytes = field(repr=False)
    sealed_event: bytes = field(repr=False)

    @property
    def record(self) -> RecordRow:
        """The row that stands once this change is committed."""
        return RecordRow(record_id=self.record_id, version=self.version, sealed=self.sealed_record)


@dataclass(frozen=True, slots=True)
class VaultRow:
    """The vault's one row: key epochs, check values and the key bundle, sealed; `version` at least 1."""

    version: int
    sealed: bytes = field(repr=False)
