"""Removing a passkey: what comes after is encrypted to a key that it never opens."""

from __future__ import annotations

from dataclasses import replace

from strongroom_client.age_keys import KEY_BYTES, ArchiveIdentity
from strongroom_client.flows.answers import require_uncontested
from strongroom_client.flows.ceremonies import expected_mode
from strongroom_client.flows.locking import Locked, lock
from strongroom_client.flows.reading import ask_vault
from strongroom_client.flows.rewrapping import (
    REMOVE,
    Current,
    begin_change,
    complete_change,
    open_current,
    request_of,
)
from strongroom_client.flows.signing import By, authorize
from strongroom_client.flows.storing import Stored
from strongroom_client.memory import Mode
from strongroom_client.session import Session
from strongroom_client.steps import Flow
from strongroom_client.verification.credential_sets import CredentialSet


def remove_passkey(session: Session, credential_id: bytes, *, mode: Mode | None = None) -> Flow[Stored]:
    """Remove a passkey. Two prompts, both by one other passkey, or by itself where it is the last.

    The new envelope begins with a fresh archive identity, used from now on; older ones are kept for older archives.

    Raises:
        BeginAgain: another change came between; never repeated by itself.
    """
    require_uncontested(session)
    chosen = expected_mode(session, mode)
    if session.memory.credentials is None:
        yield from ask_vault(session)
    known = session.memory.credentials
    others = tuple(one for one in (() if known is None else known.ids) if one != credential_id)
    current = yield from open_current(session, mode=chosen, by=By(allow=others or None))
    locked = _without(current, credential_id, fresh=ArchiveIdentity(session.random(KEY_BYTES)))
    request = request_of(session)
    request.remove_credential.credential_id = credential_id
    request.remove_credential.envelope_sha256 = locked.sha256
    begun = yield from begin_change(session, request, mode=current.mode)
    signed = yield from authorize(begun, current.by)
    passkeys = tuple(one for one in begun.credentials.passkeys if one.credential_id != credential_id)
    left = CredentialSet(passkeys, begun.credentials.recovery_public_key)
    return (yield from complete_change(session, begun, REMOVE, signed, locked, credentials=left))


def _without(current: Current, credential_id: bytes, *, fresh: ArchiveIdentity) -> Locked:
    content, opener = current.content, current.opener
    left = replace(
        content,
        archive_identities=(fresh, *content.archive_identities),
        passkey_recipients=tuple(one for one in content.passkey_recipients if one.credential_id != credential_id),
    )
    opens = () if opener.credential_id == credential_id else (opener.identity,)
    left = left.naming(credential_id, "")
    passkeys = tuple(one for one in current.passkeys if one != credential_id)
    return lock(left, mode=current.mode, passkeys=passkeys, opens=opens)
