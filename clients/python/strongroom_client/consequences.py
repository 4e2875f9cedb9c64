"""What a change will mean for who can open what: said before anybody is prompted, so that its owner decides knowing it.

A pure function of what the vault has signed and what this device remembers. The sentences are for people, in the order
in which they matter; `opens` is for a page that shows the same in its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, unique
from typing import Final

from strongroom_client.clock import Millis
from strongroom_client.descriptions import VaultStatus
from strongroom_client.errors import ModeAlready, NoSuchPasskey, NoVault, ResetPending
from strongroom_client.memory import AccountMemory, Mode
from strongroom_client.passkey_names import called

RECOVERY_KEY: Final = "the recovery key"
_DAY_SECONDS = 24 * 3600


@unique
class Change(Enum):
    """What is about to be done; the value is its name for programs."""

    ADD_PASSKEY = "add-passkey"
    RECOVER = "recover"
    REMOVE_PASSKEY = "remove-passkey"
    REPLACE_RECOVERY_KEY = "replace-recovery-key"
    RENEW = "renew"
    TO_PRF = "to-prf"
    TO_VAULT_HELD = "to-vault-held"
    TURN_OFF = "turn-off"
    RESET = "reset"
    REOPEN_SET_ASIDE = "reopen-set-aside"


_HARMLESS: Final = frozenset({Change.ADD_PASSKEY, Change.RECOVER, Change.RENEW})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a change will mean.

    Attributes:
        change: which.
        said: in words, for the user, the most important first.
        opens: who opens the vault afterwards, as people call them: passkeys, and the recovery key last.
        loses: something that is there now is lost, or locked less well: ask before.
    """

    change: Change
    said: tuple[str, ...]
    opens: tuple[str, ...]
    loses: bool


@dataclass(frozen=True, slots=True)
class _View:
    status: VaultStatus
    memory: AccountMemory
    passkey: bytes

    def call(self, credential_id: bytes) -> str:
        return called(credential_id, self.memory.names)

    @property
    def ids(self) -> tuple[bytes, ...]:
        return tuple(one.credential_id for one in self.status.passkeys)

    @property
    def left(self) -> tuple[bytes, ...]:
        return tuple(one for one in self.ids if one != self.passkey)


def outlook(change: Change, *, status: VaultStatus, memory: AccountMemory, passkey: bytes = b"") -> Outlook:
    """Return what `change` will mean; `passkey` is the id of the one that a removal is about.

    Raises:
        NoVault: nothing is stored that could change, or nothing is set aside that could come back.
        ResetPending: an earlier reset still keeps a vault set aside, and meanwhile there is no second.
        NoSuchPasskey: the vault does not have the passkey that is to be removed.
        ModeAlready: the envelope is locked in that mode already.
    """
    if change is Change.RESET and status.set_aside is not None:
        raise ResetPending("RESET_PENDING")
    is_there = status.set_aside is not None if change is Change.REOPEN_SET_ASIDE else status.state == "live"
    if not is_there:
        raise NoVault("NO_VAULT")
    view = _View(status, memory, passkey)
    if change is Change.REMOVE_PASSKEY and passkey not in view.ids:
        raise NoSuchPasskey("the vault has no such passkey (any more)")
    to = {Change.TO_PRF: Mode.PRF, Change.TO_VAULT_HELD: Mode.VAULT_HELD}.get(change)
    if to is not None and status.mode == to.value:
        raise ModeAlready(f"the envelope is locked in mode {to.value} already")
    harmless = change in _HARMLESS or (change is Change.REOPEN_SET_ASIDE and status.state != "live")
    said, opens = tuple(_SAID[change](view)), tuple(_who_opens(change, view))
    return Outlook(change=change, said=said, opens=opens, loses=not harmless)


def _who_opens(change: Change, view: _View) -> Iterator[str]:
    if change in {Change.TURN_OFF, Change.RESET}:
        return
    if change is Change.REOPEN_SET_ASIDE and view.status.set_aside is not None:
        yield from (view.call(one.credential_id) for one in view.status.set_aside.passkeys)
        yield from (RECOVERY_KEY,) if view.status.set_aside.has_recovery_key else ()
        return
    stay = view.left if change is Change.REMOVE_PASSKEY else view.ids
    yield from (view.call(one) for one in stay)
    if change in {Change.ADD_PASSKEY, Change.RECOVER}:
        yield "the new passkey"
    if view.status.has_recovery_key:
        yield "the new recovery key" if change is Change.REPLACE_RECOVERY_KEY else RECOVERY_KEY


def _add(view: _View) -> Iterator[str]:
    yield "The new passkey will open the vault and every backup that your passkeys open now, those made before too."
    yield "No backup is encrypted anew, and no other passkey need be there."
    if view.status.mode == Mode.VAULT_HELD.value:
        yield "The vault alone locks your keys (mode vault-held), so that any passkey will do, also one without PRF."


def _recover(view: _View) -> Iterator[str]:
    yield "The recovery key opens the vault once, which its history shows, and lets a new passkey in."
    yield "The new passkey will open the vault and every backup that your lost passkeys opened."
    if view.ids:
        named = ", ".join(map(view.call, view.ids))
        yield f"What you lost still opens the vault for whoever finds it, until you remove it: {named}."
    yield "The recovery key stays as it is. If somebody saw you type it, replace it next."


def _remove(view: _View) -> Iterator[str]:
    yield f"Passkey {view.call(view.passkey)} will not open the vault any more, at once and on every device."
    yield "Backups from here use a fresh key from now on, which it never had; other devices do once they have restored."
    yield (
        "Whoever opened the vault with it before may have kept the older keys: backups made so far may stay open to"
        " them. If it was stolen, make a new backup and delete the older ones."
    )
    if not view.left:
        yield (
            "It is the LAST passkey. After it nothing but the recovery key opens the vault; without the recovery key,"
            " your backups are lost."
        )


def _replace_recovery_key(view: _View) -> Iterator[str]:
    yield "The new recovery key will open the vault, and without it every backup made from here from now on."
    yield (
        "The old one will not open the vault any more. It still opens backups made so far, without the vault: keep it"
        " as long as you keep them. If somebody else has it, make a new backup and delete the older ones."
    )
    yield "Other devices encrypt to the old one until they have restored once."
    yield f"Your passkeys go on as before ({len(view.ids)}); backups from here use a fresh key."


def _renew(_: _View) -> Iterator[str]:
    yield "Backups from here use a fresh key from now on; other devices do once they have restored."
    yield "Older backups open as before, with every passkey and with the recovery key they were made for."


def _to_prf(view: _View) -> Iterator[str]:
    yield "From then on your passkeys lock your keys, and the vault alone cannot open them."
    named = ", ".join(map(view.call, view.ids))
    yield f"Every passkey must be here now and give a PRF output; first remove any that is not or does not: {named}."
    yield "Backups made so far use keys that the vault could open; backups from here use a fresh one from now on."
    yield "If you do not trust whoever ran the vault until now, replace the recovery key next."


def _to_vault_held(_: _View) -> Iterator[str]:
    yield (
        "From then on the vault alone locks your keys: whoever runs it, or breaks in where its keys are, can open every"
        " backup that they also have the file of."
    )
    yield "Any passkey of the vault will do, also one without PRF."
    yield "Backups and the recovery key stay as they are; no backup is encrypted anew."
    yield "Other devices refuse this mode until you tell them on each: --mode vault-held."


def _turn_off(view: _View) -> Iterator[str]:
    yield "The vault erases your keys and passkeys. This cannot be taken back."
    yield (
        "Backups made so far then open with nothing but the recovery key that they were made for, without the vault."
        " If you do not have it, restore them first."
    )
    yield "This device makes no backups any more until you enroll again."
    if view.status.set_aside is not None:
        when = _shown(view.status.set_aside.erase_at)
        yield f"What a reset has set aside is not touched: it can be reopened until it is erased {when}."
    yield "The passkeys stay on your authenticators, where they open nothing; remove them there."


def _reset(view: _View) -> Iterator[str]:
    days = 0 if view.status.policy is None else view.status.policy.reset_grace_seconds // _DAY_SECONDS
    yield "The vault is set aside, and an empty one starts at once. Nothing of what was there can be released any more."
    yield f"It is erased after {days} days, unless one of its passkeys or its recovery key reopens it before."
    yield "Backups made so far then open with nothing but the recovery key that they were made for, without the vault."
    yield "A passkey that you enroll next opens none of them."


def _reopen_set_aside(view: _View) -> Iterator[str]:
    yield "What a reset has set aside comes back as it was, with its passkeys, recovery key, limits and archive keys."
    if view.status.state == "live":
        named = ", ".join(map(view.call, view.ids)) or "none"
        yield f"The newer vault is dropped: its passkeys open nothing any more ({named})."
        yield "Backups made for the newer vault open with nothing but its recovery key; restore first what you need."
    yield "This device backs up again once it has restored."


def _shown(at: Millis) -> str:
    return datetime.fromtimestamp(at / 1_000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


_SAID: Final[dict[Change, Callable[[_View], Iterator[str]]]] = {
    Change.ADD_PASSKEY: _add,
    Change.RECOVER: _recover,
    Change.REMOVE_PASSKEY: _remove,
    Change.REPLACE_RECOVERY_KEY: _replace_recovery_key,
    Change.RENEW: _renew,
    Change.TO_PRF: _to_prf,
    Change.TO_VAULT_HELD: _to_vault_held,
    Change.TURN_OFF: _turn_off,
    Change.RESET: _reset,
    Change.REOPEN_SET_ASIDE: _reopen_set_aside,
}
