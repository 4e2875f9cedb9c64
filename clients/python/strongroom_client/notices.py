"""What a user should be told beside the result of a call: who changed the vault, and what waits to be erased.

A stolen login can reset a vault, and a tenant can ask for an account's erasure; both wait, so that the owner sees it
and acts. The vault's owners can change which identity keys count. Notices come from what these or the vault signed, and
from the statement of a ceremony before anybody signs for it: a front can invent one there, but hide none, since no
keeper takes a ceremony that was changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import Final

from strongroom_client.clock import Millis
from strongroom_client.descriptions import VaultStatus
from strongroom_client.memory import AccountMemory
from strongroom_client.pending import Pending
from strongroom_client.verification.credential_sets import CredentialSet
from strongroom_client.verification.owner_bundles import SeenOwnerBundle


@unique
class NoticeKind(Enum):
    """What it is about; the value is its name for programs."""

    SET_ASIDE = "set-aside"
    ACCOUNT_ERASURE = "account-erasure"
    CLOSED = "closed"
    QUARANTINED = "passkey-quarantined"
    PASSKEY_ADDED = "passkey-added"
    PASSKEY_REMOVED = "passkey-removed"
    RECOVERY_KEY_CHANGED = "recovery-key-changed"
    MODE_CHANGED = "mode-changed"
    PASSKEY_WANTED = "passkey-wanted"
    ANOTHER_LIFE = "another-life"
    IDENTITY_KEY_INTRODUCED = "identity-key-introduced"
    IDENTITY_KEY_DROPPED = "identity-key-dropped"


_REMOVED = "a passkey was removed elsewhere: restore once, so that backups from here use the new key"
_ADDED = "a passkey was added elsewhere"
_RECOVERY_REPLACED = "the recovery key was replaced elsewhere: restore once, so that backups from here use the new one"
_MOVED: Final = {
    "prf": "the vault was moved to mode prf elsewhere: restore once, so that backups from here use the new key",
    "vault-held": "the vault was moved to mode vault-held elsewhere: it alone locks the keys now. Was it you?",
}
_ENDED: Final = {
    "empty": "the vault was reset elsewhere, with an account token alone: was it you?",
    "deleted": "the vault was deleted elsewhere",
    "exhausted": "the attempts were used up elsewhere, and the vault has erased what it kept",
    "erased": "the vault was erased at the product's request",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to be told.

    Attributes:
        kind: what it is about.
        said: in words, for the user.
        at: when something is to be erased, unix milliseconds; None where nothing is.
        credential_id: the passkey concerned; empty where none is.
    """

    kind: NoticeKind
    said: str
    at: Millis | None = None
    credential_id: bytes = b""


def unheard(_: Notice) -> None:
    """Do nothing: who gives nothing to notify asks the client for its notices."""


def pending_notices(pending: Pending) -> tuple[Notice, ...]:
    """Return what is to be told of what waits."""
    notices = []
    if pending.set_aside_erase_at is not None:
        said = "an earlier life of this vault was set aside by a reset, and will be erased; its passkeys can reopen it"
        notices.append(Notice(kind=NoticeKind.SET_ASIDE, said=said, at=pending.set_aside_erase_at))
    if pending.account_erase_at is not None:
        said = "the product has asked for this account's erasure from the vault; only the product can take that back"
        notices.append(Notice(kind=NoticeKind.ACCOUNT_ERASURE, said=said, at=pending.account_erase_at))
    return tuple(notices)


def status_notices(status: VaultStatus) -> tuple[Notice, ...]:
    """Return what is to be told of a record as it is."""
    notices = [*pending_notices(status.pending)]
    if status.closed:
        said = "all attempts are used up, and the vault is closed; the recovery key reopens it at once"
        notices.append(Notice(kind=NoticeKind.CLOSED, said=said))
    said = "this passkey was set aside, because its counter went back: it may have been copied"
    notices.extend(
        Notice(kind=NoticeKind.QUARANTINED, said=said, credential_id=passkey.credential_id)
        for passkey in status.passkeys
        if passkey.quarantined
    )
    return tuple(notices)


def changes_seen(*, known: AccountMemory, shown: AccountMemory, status: VaultStatus) -> tuple[Notice, ...]:
    """Return what has become of a record since this device last saw it: by others, since own changes are remembered."""
    if known.credentials is None or shown.credentials is None:
        return ()
    another = known.life is not None and known.life not in {0, shown.life}
    if known.credentials.passkeys and (another or status.state in _ENDED):
        said = _ENDED.get(status.state, "the vault was begun anew, or an earlier life of it reopened, elsewhere")
        return (Notice(kind=NoticeKind.ANOTHER_LIFE, said=said),)
    moved = status.mode in _MOVED and known.mode is not None and known.mode.value != status.mode
    notices = (Notice(kind=NoticeKind.MODE_CHANGED, said=_MOVED[status.mode]),) if moved else ()
    return (*credentials_changed(known=known.credentials, shown=shown.credentials), *notices)


def passkey_wanted(credential_id: bytes) -> Notice:
    """Return that one certain passkey is asked for next, where each is asked for in turn."""
    return _of(NoticeKind.PASSKEY_WANTED, "the next prompt is for this passkey", credential_id)


def credentials_changed(*, known: CredentialSet, shown: CredentialSet) -> tuple[Notice, ...]:
    """Return who may sign now and could not before, and the other way round."""
    before, now = set(known.passkeys), set(shown.passkeys)
    notices = [
        *(_of(NoticeKind.PASSKEY_REMOVED, _REMOVED, one.credential_id) for one in sorted(before - now)),
        *(_of(NoticeKind.PASSKEY_ADDED, _ADDED, one.credential_id) for one in sorted(now - before)),
    ]
    if known.recovery_public_key not in {b"", shown.recovery_public_key}:
        notices.append(Notice(kind=NoticeKind.RECOVERY_KEY_CHANGED, said=_RECOVERY_REPLACED))
    return tuple(notices)


def owners_changed(*, known: SeenOwnerBundle | None, shown: SeenOwnerBundle | None) -> tuple[Notice, ...]:
    """Return which identity keys count now and did not before, and the other way round, by the owners' word."""
    if known is None or shown is None:
        return ()
    introduced, dropped = shown.identity_keys - known.identity_keys, known.identity_keys - shown.identity_keys
    said = f"the vault's owners signed key bundle {shown.serial}, after {known.serial}"
    return (
        *(
            Notice(kind=NoticeKind.IDENTITY_KEY_INTRODUCED, said=f"{said}: identity key {key.hex()} counts from now on")
            for key in sorted(introduced)
        ),
        *(
            Notice(kind=NoticeKind.IDENTITY_KEY_DROPPED, said=f"{said}: identity key {key.hex()} counts no more")
            for key in sorted(dropped)
        ),
    )


def _of(kind: NoticeKind, said: str, credential_id: bytes) -> Notice:
    return Notice(kind=kind, said=said, credential_id=credential_id)
