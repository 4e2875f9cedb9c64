"""How status and history are shown: words for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from google.protobuf.message import Message

from strongroom_client.clock import Millis
from strongroom_client.descriptions import HistoryEvent, Passkey, Policy, VaultStatus
from strongroom_client.memory import AccountMemory
from strongroom_client.notices import Notice
from strongroom_client.passkey_names import called

_DAY_SECONDS = 24 * 3600


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
    if status.closed:
        yield "CLOSED           all attempts are used up; the recovery key reopens it at once"
    for line in passkey_lines(status.passkeys, memory.names):
        yield f"Passkey          {line}"
    if status.passkeys:
        yield f"Recovery key     {'installed' if status.has_recovery_key else 'not yet effective'}"
    for archive in status.archives:
        confirmed = "confirmed" if archive.confirmed else "not yet confirmed"
        yield f"Archive keys     version {archive.archive_version}, {archive.mode}, {confirmed}"
    if status.set_aside is not None:
        aside, erased = status.set_aside, shown_time(status.set_aside.erase_at)
        yield f"SET ASIDE        an earlier life with {len(aside.passkeys)} passkeys; erased {erased}"
    if status.account_erase_at is not None:
        yield f"TO BE ERASED     the whole account, {shown_time(status.account_erase_at)}, as the product has asked"
    yield f"Backups from here  {'ready' if memory.archive_recipient else 'not yet: enroll or restore first'}"


def passkey_lines(passkeys: Iterable[Passkey], names: Mapping[bytes, str]) -> Iterable[str]:
    """Return one line per passkey: what it is called, its model as it claims, and when it was made and last used."""
    for passkey in passkeys:
        model = "unknown model" if passkey.model is None else f"says it is {passkey.model}"
        synced = ", synced" if passkey.backup_state else ""
        used = "never used" if passkey.last_used_at is None else f"last used {shown_time(passkey.last_used_at)}"
        quarantined = "  QUARANTINED" if passkey.quarantined else ""
        made = f"made {shown_time(passkey.created_at)}"
        yield f"{called(passkey.credential_id, names)}  {model}{synced}  {made}, {used}{quarantined}"


def passkey_document(passkey: Passkey, names: Mapping[bytes, str]) -> dict[str, object]:
    """Return a passkey for programs, with its name and its claimed model, each null where it is not known."""
    shown = {member.name: getattr(passkey, member.name) for member in fields(passkey)}
    return {"name": names.get(passkey.credential_id), "claimed_model": passkey.model, **shown}


def history_lines(events: Iterable[HistoryEvent], names: Mapping[bytes, str]) -> Iterable[str]:
    """Return one line per event, newest first: what was done, and who signed for it."""
    for event in events:
        archives = ", ".join(map(str, event.archive_versions))
        concerned = f"  archive keys {archives}" if archives else ""
        reason = f"  ({event.reason})" if event.reason else ""
        swept = f"  erased as due: {', '.join(event.swept)}" if event.swept else ""
        aside = "  of what is set aside" if event.about_set_aside else ""
        said = f"{event.kind:<17} {event.outcome}{reason}{aside}{_signer(event, names)}{concerned}{swept}"
        yield f"{event.version:>6}  {shown_time(event.at)}  {said}"


def _signer(event: HistoryEvent, names: Mapping[bytes, str]) -> str:
    assertion = event.message.assertion
    by = "by" if event.outcome == "granted" else "in the name of"
    match assertion.WhichOneof("kind"):
        case "webauthn":
            return f"  {by} {called(assertion.webauthn.credential_id, names)}"
        case "recovery":
            return f"  {by} the recovery key"
    return ""


def notice_line(notice: Notice, names: Mapping[bytes, str]) -> str:
    """Return a notice in words: which passkey, and until when."""
    which = f" ({called(notice.credential_id, names)})" if notice.credential_id else ""
    when = "" if notice.at is None else f"; erased {shown_time(notice.at)}"
    return f"{notice.said}{which}{when}"


def policy_lines(policy: Policy) -> Iterable[str]:
    """Return a record's limits in words."""
    waits = ", ".join(map(str, policy.cool_down_seconds)) or "none"
    yield f"Failed attempts allowed  {policy.budget}"
    yield f"Cool-downs in seconds    {waits}"
    yield f"When they are used up    {policy.on_exhaustion}"
    yield f"Releases a day           {policy.releases_per_day}"
    yield f"Days a reset waits       {policy.reset_grace_seconds // _DAY_SECONDS}"


def _plain(value: object) -> object:
    shown = value
    match value:
        case bytes():
            shown = value.hex()
        case Message():
            shown = value.SerializeToString().hex()
        case Enum():
            shown = value.value
        case Path():
            shown = str(value)
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
