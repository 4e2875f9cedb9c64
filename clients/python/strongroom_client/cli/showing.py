"""How status and history are shown: words for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum, unique

from google.protobuf.message import Message

from strongroom_client.clock import Millis
from strongroom_client.descriptions import HistoryEvent, VaultStatus
from strongroom_client.memory import AccountMemory


@unique
class Output(Enum):
    """How to show something."""

    TEXT = "text"
    JSON = "json"


def as_json(value: object) -> str:
    """Return a description as JSON: bytes are hex, times unix milliseconds, evidence serialized messages in hex."""
    return json.dumps(_plain(value), indent=2)


def status_lines(status: VaultStatus, memory: AccountMemory) -> Iterable[str]:
    """Return the record's state in words."""
    yield f"State            {status.state}"
    yield f"Version          {status.version}  (head {status.chain_head.hex()[:16]}...)"
    if status.policy is not None:
        yield f"Attempts left    {status.attempts_left} of {status.policy.budget}"
        yield f"Releases left    {status.releases_left} today"
    if status.cool_down_ends_at is not None:
        yield f"Cool-down until  {shown_time(status.cool_down_ends_at)}"
    for passkey in status.passkeys:
        set_aside = "  QUARANTINED" if passkey.quarantined else ""
        yield f"Passkey          {passkey.credential_id.hex()[:16]}...  of {shown_time(passkey.created_at)}{set_aside}"
    if status.passkeys:
        yield f"Recovery key     {'installed' if status.has_recovery_key else 'not yet effective'}"
    for archive in status.archives:
        confirmed = "confirmed" if archive.confirmed else "not yet confirmed"
        yield f"Archive keys     version {archive.archive_version}, {archive.mode}, {confirmed}"
    yield f"Backups from here  {'ready' if memory.archive_recipient else 'not yet: enroll or restore first'}"


def history_lines(events: Iterable[HistoryEvent]) -> Iterable[str]:
    """Return one line per event, newest first."""
    for event in events:
        archives = ", ".join(map(str, event.archive_versions))
        concerned = f"  archive keys {archives}" if archives else ""
        reason = f"  ({event.reason})" if event.reason else ""
        yield f"{event.version:>6}  {shown_time(event.at)}  {event.kind:<9} {event.outcome}{reason}{concerned}"


def _plain(value: object) -> object:
    shown = value
    match value:
        case bytes():
            shown = value.hex()
        case Message():
            shown = value.SerializeToString().hex()
        case Enum():
            shown = value.value
        case dict():
            shown = {name: _plain(one) for name, one in value.items()}
        case tuple():
            shown = [_plain(one) for one in value]
        case _ if is_dataclass(value):
            shown = {member.name: _plain(getattr(value, member.name)) for member in fields(value)}
    return shown


def shown_time(at: Millis) -> str:
    """Return a time for people."""
    return datetime.fromtimestamp(at / 1_000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
