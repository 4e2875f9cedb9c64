"""Another recovery key in place of the one before: new archives and envelopes are for the new one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from strongroom_client.age_keys import KEY_BYTES, ArchiveIdentity, recipient_of
from strongroom_client.flows.answers import require_uncontested
from strongroom_client.flows.ceremonies import expected_mode
from strongroom_client.flows.locking import lock
from strongroom_client.flows.rewrapping import (
    SET_RECOVERY,
    begin_change,
    complete_change,
    open_current,
    request_of,
)
from strongroom_client.flows.signing import authorize
from strongroom_client.memory import Mode
from strongroom_client.recovery_key import SEED_BYTES, RecoveryKey
from strongroom_client.session import Session
from strongroom_client.steps import Flow
from strongroom_client.verification.credential_sets import CredentialSet


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryChange:
    """What came of it: the new recovery key, to be shown to the user once, and the envelope's archive version."""

    recovery_key: RecoveryKey = field(repr=False)
    archive_version: int


def set_recovery(
    session: Session, *, recovery_key: RecoveryKey | None = None, mode: Mode | None = None
) -> Flow[RecoveryChange]:
    """Replace the recovery key, by a passkey: two prompts. Without `recovery_key` one is generated.

    Archives made before still open with the old key, and with it only beside the vault. The new envelope begins with a
    fresh archive identity: who had the old key may have released the identities that there were.

    Raises:
        BeginAgain: another change came between; never repeated by itself.
    """
    require_uncontested(session)
    chosen = expected_mode(session, mode)
    key = RecoveryKey(session.random(SEED_BYTES)) if recovery_key is None else recovery_key
    current = yield from open_current(session, mode=chosen)
    content = replace(
        current.content,
        archive_identities=(ArchiveIdentity(session.random(KEY_BYTES)), *current.content.archive_identities),
        recovery_recipient=recipient_of(key.age_identity()),
    )
    opens = (current.opener.identity, key.age_identity())
    locked = lock(content, mode=current.mode, passkeys=current.passkeys, opens=opens)
    request = request_of(session)
    request.set_recovery.recovery_public_key = key.credential().public_key
    request.set_recovery.envelope_sha256 = locked.sha256
    begun = yield from begin_change(session, request, mode=current.mode)
    signed = yield from authorize(begun, current.by)
    after = CredentialSet(begun.credentials.passkeys, key.credential().public_key)
    stored = yield from complete_change(session, begun, SET_RECOVERY, signed, locked, credentials=after)
    return RecoveryChange(recovery_key=key, archive_version=stored.archive_version)
