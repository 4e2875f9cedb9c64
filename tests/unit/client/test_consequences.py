"""What the user is told before each change: who opens the vault afterwards, and what becomes of backups made so far."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.client import VaultClient
from strongroom_client.clock import Millis
from strongroom_client.consequences import Change, outlook
from strongroom_client.descriptions import SetAside, VaultStatus
from strongroom_client.errors import ModeAlready, NoSuchPasskey, NoVault
from strongroom_client.memory import AccountMemory, Mode
from tests.fakes.client import OWNER, CountingAuthenticator, EnrolledDevice, client_of
from tests.fakes.vault import ACCOUNT, FakeVault

PHONE, KEY = b"phone's id 12345", b"key's id 1234567"
MEMORY = AccountMemory(owner=OWNER, names=MappingProxyType({PHONE: "Phone"}))
CALLED = '"Phone" (70686f6e65277320...)'
ID = "6b65792773206964..."


@pytest.fixture
def status(tmp_path: Path) -> VaultStatus:
    """The status of an enrolled vault, but with two passkeys of known ids."""
    vault = FakeVault()
    client = client_of(vault)
    client.enroll(InsecureSoftwareAuthenticator(state_path=tmp_path / "passkeys"), user_name=ACCOUNT)
    status = client.vault()
    (one,) = status.passkeys
    return replace(status, passkeys=(replace(one, credential_id=PHONE), replace(one, credential_id=KEY)))


def said(change: Change, status: VaultStatus, *, passkey: bytes = b"") -> list[str]:
    return list(outlook(change, status=status, memory=MEMORY, passkey=passkey).said)


def test_of_an_addition(status: VaultStatus) -> None:
    assert said(Change.ADD_PASSKEY, status) == [
        "The new passkey will open the vault and every backup that your passkeys open now, those made before too.",
        "No backup is encrypted anew, and no other passkey need be there.",
    ]
    assert said(Change.ADD_PASSKEY, replace(status, mode="vault-held"))[-1] == (
        "The vault alone locks your keys (mode vault-held), so that any passkey will do, also one without PRF."
    )
    opens = outlook(Change.ADD_PASSKEY, status=status, memory=MEMORY).opens
    assert opens == (CALLED, ID, "the new passkey", "the recovery key")


def test_of_a_recovery(status: VaultStatus) -> None:
    assert said(Change.RECOVER, status) == [
        "The recovery key opens the vault once, which its history shows, and lets a new passkey in.",
        "The new passkey will open the vault and every backup that your lost passkeys opened.",
        f"What you lost still opens the vault for whoever finds it, until you remove it: {CALLED}, {ID}.",
        "The recovery key stays as it is. If somebody saw you type it, replace it next.",
    ]


def test_of_a_removal(status: VaultStatus) -> None:
    assert said(Change.REMOVE_PASSKEY, status, passkey=PHONE) == [
        f"Passkey {CALLED} will not open the vault any more, at once and on every device.",
        "Backups from here use a fresh key from now on, which it never had; other devices do once they have restored.",
        (
            "Whoever opened the vault with it before may have kept the older keys: backups made so far may stay open to"
            " them. If it was stolen, make a new backup and delete the older ones."
        ),
    ]
    assert outlook(Change.REMOVE_PASSKEY, status=status, memory=MEMORY, passkey=PHONE).opens == (ID, "the recovery key")
    with pytest.raises(NoSuchPasskey):
        said(Change.REMOVE_PASSKEY, status, passkey=b"another's")


def test_of_the_last_passkeys_removal(status: VaultStatus) -> None:
    last = replace(status, passkeys=status.passkeys[:1])
    assert said(Change.REMOVE_PASSKEY, last, passkey=PHONE)[-1] == (
        "It is the LAST passkey. After it nothing but the recovery key opens the vault; without the recovery key,"
        " your backups are lost."
    )
    assert outlook(Change.REMOVE_PASSKEY, status=last, memory=MEMORY, passkey=PHONE).opens == ("the recovery key",)


def test_of_another_recovery_key(status: VaultStatus) -> None:
    assert said(Change.REPLACE_RECOVERY_KEY, status) == [
        "The new recovery key will open the vault, and without it every backup made from here from now on.",
        (
            "The old one will not open the vault any more. It still opens backups made so far, without the vault: keep"
            " it as long as you keep them. If somebody else has it, make a new backup and delete the older ones."
        ),
        "Other devices encrypt to the old one until they have restored once.",
        "Your passkeys go on as before (2); backups from here use a fresh key.",
    ]
    opens = outlook(Change.REPLACE_RECOVERY_KEY, status=status, memory=MEMORY).opens
    assert opens == (CALLED, ID, "the new recovery key")


def test_of_a_renewal(status: VaultStatus) -> None:
    assert said(Change.RENEW, status) == [
        "Backups from here use a fresh key from now on; other devices do once they have restored.",
        "Older backups open as before, with every passkey and with the recovery key they were made for.",
    ]


def test_of_a_move_to_the_vault_alone(status: VaultStatus) -> None:
    assert said(Change.TO_VAULT_HELD, status) == [
        (
            "From then on the vault alone locks your keys: whoever runs it, or breaks in where its keys are, can open"
            " every backup that they also have the file of."
        ),
        "Any passkey of the vault will do, also one without PRF.",
        "Backups and the recovery key stay as they are; no backup is encrypted anew.",
        "Other devices refuse this mode until you tell them on each: --mode vault-held.",
    ]
    with pytest.raises(ModeAlready):
        said(Change.TO_PRF, status)


def test_of_a_move_to_the_passkeys(status: VaultStatus) -> None:
    assert said(Change.TO_PRF, replace(status, mode="vault-held")) == [
        "From then on your passkeys lock your keys, and the vault alone cannot open them.",
        (
            "Every passkey must be here now and give a PRF output; first remove any that is not or does not:"
            f" {CALLED}, {ID}."
        ),
        "Backups made so far use keys that the vault could open; backups from here use a fresh one from now on.",
        "If you do not trust whoever ran the vault until now, replace the recovery key next.",
    ]


def test_of_turning_the_protection_off(status: VaultStatus) -> None:
    expected = [
        "The vault erases your keys and passkeys. This cannot be taken back.",
        (
            "Backups made so far then open with nothing but the recovery key that they were made for, without the"
            " vault. If you do not have it, restore them first."
        ),
        "This device makes no backups any more until you enroll again.",
        "The passkeys stay on your authenticators, where they open nothing; remove them there.",
    ]
    assert said(Change.TURN_OFF, status) == expected
    assert outlook(Change.TURN_OFF, status=status, memory=MEMORY).opens == ()
    aside = SetAside(
        set_aside_at=Millis(0),
        erase_at=Millis(1_800_000_000_000),
        passkeys=(),
        has_recovery_key=True,
        archives=(),
        attempts_left=10,
        cool_down_ends_at=None,
    )
    assert said(Change.TURN_OFF, replace(status, set_aside=aside))[3] == (
        "What a reset has set aside is not touched: it can be reopened until it is erased 2027-01-15 08:00:00 UTC."
    )


def test_of_a_reset(status: VaultStatus) -> None:
    assert status.policy is not None
    asked = replace(status, policy=replace(status.policy, reset_grace_seconds=30 * 86_400))
    assert said(Change.RESET, asked) == [
        "The vault is set aside, and an empty one starts at once. Nothing of what was there can be released any more.",
        "It is erased after 30 days, unless one of its passkeys or its recovery key reopens it before.",
        "Backups made so far then open with nothing but the recovery key that they were made for, without the vault.",
        "A passkey that you enroll next opens none of them.",
    ]
    assert outlook(Change.RESET, status=asked, memory=MEMORY).opens == ()


def test_of_taking_back_what_a_reset_has_set_aside(status: VaultStatus) -> None:
    older = SetAside(
        set_aside_at=Millis(0),
        erase_at=Millis(1),
        passkeys=status.passkeys[:1],
        has_recovery_key=True,
        archives=(),
        attempts_left=10,
        cool_down_ends_at=None,
    )
    empty = replace(status, state="empty", passkeys=(), set_aside=older)
    back = outlook(Change.REOPEN_SET_ASIDE, status=empty, memory=MEMORY)
    assert back.said == (
        "What a reset has set aside comes back as it was, with its passkeys, recovery key, limits and archive keys.",
        "This device backs up again once it has restored.",
    )
    assert (back.opens, back.loses) == ((CALLED, "the recovery key"), False)
    newer = replace(status, passkeys=status.passkeys[1:], set_aside=older)
    back = outlook(Change.REOPEN_SET_ASIDE, status=newer, memory=MEMORY)
    assert back.said[1:3] == (
        f"The newer vault is dropped: its passkeys open nothing any more ({ID}).",
        "Backups made for the newer vault open with nothing but its recovery key; restore first what you need.",
    )
    assert (back.opens, back.loses) == ((CALLED, "the recovery key"), True)


def test_what_takes_nothing_away_is_not_asked_about(status: VaultStatus) -> None:
    harmless = {Change.ADD_PASSKEY, Change.RECOVER, Change.RENEW}
    for change in set(Change) - {Change.TO_PRF, Change.REOPEN_SET_ASIDE}:
        shown = outlook(change, status=status, memory=MEMORY, passkey=PHONE)
        assert shown.loses == (change not in harmless)


@pytest.mark.parametrize("change", list(Change))
def test_of_a_vault_that_holds_nothing_nothing_is_said(change: Change, status: VaultStatus) -> None:
    with pytest.raises(NoVault):
        said(change, replace(status, state="inert"))


def test_what_was_said_comes_true(enrolled: EnrolledDevice, tmp_path: Path) -> None:
    """Who is said to open the vault does open it after each change, and nobody else; nobody is prompted to be told."""
    spare = CountingAuthenticator(InsecureSoftwareAuthenticator(state_path=tmp_path / "spare"))
    client = enrolled.client()
    own = client.vault().passkeys[0].credential_id
    assert len(client.outlook(Change.ADD_PASSKEY).opens) == 3
    assert enrolled.authenticator.prompts == 0
    client.add_passkey(spare, user_name=ACCOUNT, by=enrolled.authenticator, name="Spare")
    assert _opening(client, enrolled.authenticator, spare) == 2
    assert len(client.outlook(Change.REMOVE_PASSKEY, own).opens) == 2
    client.remove_passkey(spare, own)
    assert _opening(client, enrolled.authenticator, spare) == 1
    assert client.outlook(Change.TO_VAULT_HELD).opens[0].startswith('"Spare"')
    client.change_mode(spare, Mode.VAULT_HELD)
    assert _opening(client, enrolled.authenticator, spare) == 1
    client.change_mode(spare, Mode.PRF)
    client.delete(spare)
    with pytest.raises(NoVault):
        client.outlook(Change.TURN_OFF)


def _opening(client: VaultClient, *passkeys: CountingAuthenticator) -> int:
    opening = 0
    for passkey in passkeys:
        try:
            client.release(passkey)
        except Exception:  # noqa: BLE001, S112  whatever keeps it out
            continue
        opening += 1
    return opening
