"""Losing, adding, replacing and racing credentials at a real vault: what happens, and what its owner is told."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from deploy.development.environment import DevelopmentVault
from strongroom_client.age_file import NoMatchingIdentity, decrypt_bytes, encrypt_bytes
from strongroom_client.authenticators.port import Assertion, Attestation, NoMatchingCredential
from strongroom_client.authenticators.several import SeveralAuthenticators
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.client import VaultClient
from strongroom_client.errors import BeginAgain, ModeNotExpected, ReleaseQuotaUsed, ReplyMismatch
from strongroom_client.memory import Mode
from strongroom_client.notices import NoticeKind
from tests.fakes.resident import Resident


@pytest.fixture
def resident(development_vault: DevelopmentVault, tmp_path: Path) -> Resident:
    return Resident(development_vault, tmp_path)


def backup(client: VaultClient, text: str) -> bytes:
    memory = client.memory
    assert memory.archive_recipient is not None
    assert memory.recovery_recipient is not None
    return encrypt_bytes(text.encode(), recipients=[memory.archive_recipient, memory.recovery_recipient])


@dataclass
class Waiting:
    """Signs once it is let go: whoever is prompted takes the time that people take."""

    real: InsecureSoftwareAuthenticator
    at_prompt: int
    prompted: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)
    prompts: int = 0

    def make_credential(self, **arguments: object) -> Attestation:
        return self.real.make_credential(**arguments)  # type: ignore[arg-type]  # passed on as given

    def get_assertion(self, **arguments: object) -> Assertion:
        self.prompts += 1
        if self.prompts == self.at_prompt:
            self.prompted.set()
            assert self.let_go.wait(30)
        return self.real.get_assertion(**arguments)  # type: ignore[arg-type]  # passed on as given


def test_who_lost_every_passkey_releases_with_evidence_and_within_limits_and_enrolls_anew(resident: Resident) -> None:
    with resident.client("old device") as client:
        enrolled = client.enroll(resident.passkey("lost"), user_name=resident.account, name="Lost phone")
        archive = backup(client, "letters")
        policy = client.vault().policy
        assert policy is not None
        client.set_policy(resident.passkey("lost"), replace(policy, releases_per_day=3))
    key, found = enrolled.recovery_key, resident.passkey("found")
    with resident.client("new device") as client:
        released = client.release_with_recovery_key(key)
        assert decrypt_bytes(archive, identities=released.identities()) == b"letters"
        assert client.memory.names == {enrolled.credential_id: "Lost phone"}
        (event,) = (one for one in client.history()[:1] if one.kind == "release")
        assert event.message.assertion.recovery.public_key == key.credential().public_key
        with pytest.raises(ReleaseQuotaUsed):
            client.add_passkey(found, user_name=resident.account, by=key)
        assert client.vault().releases_left == 0
        assert client.examine_history() == (), "who signed for each release is proven, the recovery key too"


def test_new_passkey_of_who_lost_all_takes_the_lost_ones_out(resident: Resident) -> None:
    with resident.client("old device") as client:
        enrolled = client.enroll(resident.passkey("lost"), user_name=resident.account)
        before = backup(client, "before")
    found = resident.passkey("found")
    with resident.client("new device") as client:
        client.add_passkey(found, user_name=resident.account, by=enrolled.recovery_key, name="New phone")
        client.remove_passkey(found, enrolled.credential_id)
        identities = client.release(found).identities()
        assert decrypt_bytes(before, identities=identities) == b"before"
        after = backup(client, "after")
        assert client.examine_history() == ()
    with resident.client("old device") as client:
        with pytest.raises(NoMatchingCredential):
            client.release(resident.passkey("lost"))
        told = {notice.kind: notice.said for notice in client.notices}
        assert told[NoticeKind.PASSKEY_REMOVED] == (
            "a passkey was removed elsewhere: restore once, so that backups from here use the new key"
        )
        assert told[NoticeKind.PASSKEY_ADDED] == "a passkey was added elsewhere"
    with pytest.raises(NoMatchingIdentity):
        decrypt_bytes(after, identities=[enrolled.backup_identity])


def test_replaced_recovery_key_opens_nothing_new_even_for_who_released_with_it(resident: Resident) -> None:
    passkey = resident.passkey()
    with resident.client() as client:
        enrolled = client.enroll(passkey, user_name=resident.account)
    with resident.client("thief's device") as client:
        stolen = client.release_with_recovery_key(enrolled.recovery_key).identities()
    with resident.client() as client:
        changed = client.set_recovery(passkey)
        after = backup(client, "after")
        for keys in (stolen, [enrolled.recovery_key.age_identity()]):
            with pytest.raises(NoMatchingIdentity):
                decrypt_bytes(after, identities=list(keys))
        assert decrypt_bytes(after, identities=[changed.recovery_key.age_identity()]) == b"after"
    with resident.client("thief's device") as client, pytest.raises(ReplyMismatch, match="not the one that the vault"):
        client.release_with_recovery_key(enrolled.recovery_key)


def test_modes_are_changed_with_archives_as_they_are(resident: Resident) -> None:
    own, spare = resident.passkey("own"), resident.passkey("spare")
    with resident.client() as client:
        client.enroll(own, user_name=resident.account)
        client.add_passkey(spare, user_name=resident.account, by=own)
        archive = backup(client, "letters")
        client.change_mode(own, Mode.VAULT_HELD)
        assert [one.mode for one in client.vault().archives] == ["vault-held"]
    with resident.client("another device") as client:
        with pytest.raises(ModeNotExpected):
            client.release(own)
        held = client.release(spare, mode=Mode.VAULT_HELD).identities()
        assert decrypt_bytes(archive, identities=held) == b"letters"
    with resident.client() as client:
        client.change_mode(SeveralAuthenticators(own, spare), Mode.PRF)
        assert [one.mode for one in client.vault().archives] == ["prf"]
        assert decrypt_bytes(archive, identities=client.release(spare).identities()) == b"letters"
        with pytest.raises(NoMatchingIdentity):
            decrypt_bytes(backup(client, "after"), identities=held)
        kinds = [event.kind for event in client.history()]
        assert kinds.count("store") == 3
        assert client.examine_history() == ()
    with resident.client("another device") as client:
        client.vault()
        assert [one.said for one in client.notices if one.kind is NoticeKind.MODE_CHANGED] == [
            "the vault was moved to mode prf elsewhere: restore once, so that backups from here use the new key"
        ]
        assert client.release(own).opened


@pytest.mark.parametrize("at_prompt", [pytest.param(1, marks=pytest.mark.verify), 2])
def test_two_devices_at_once_lose_no_update_and_one_is_told(resident: Resident, at_prompt: int) -> None:
    """One is held at a prompt, to open or to sign, while the other lets a passkey in and renews the key."""
    own, spare, theirs = (resident.passkey(name) for name in ("own", "spare", "theirs"))
    with resident.client() as client:
        enrolled = client.enroll(own, user_name=resident.account)
        client.add_passkey(spare, user_name=resident.account, by=own)
    waiting = Waiting(spare, at_prompt=at_prompt)
    raised: list[BaseException] = []

    def remove() -> None:
        with resident.client("slow device") as client:
            try:
                client.remove_passkey(waiting, enrolled.credential_id)
            except BeginAgain as error:
                raised.append(error)

    slow = threading.Thread(target=remove)
    slow.start()
    assert waiting.prompted.wait(30)
    with resident.client() as client:
        client.add_passkey(theirs, user_name=resident.account, by=own, name="Theirs")
        client.renew(own)
        archive = backup(client, "made meanwhile")
    waiting.let_go.set()
    slow.join(30)
    assert [str(error) for error in raised] == [
        "another change of the vault came first, or the time ran out (BEGIN_AGAIN); this one changed nothing"
    ]
    with resident.client("slow device") as client:
        client.remove_passkey(spare, enrolled.credential_id)
        assert set(client.memory.names.values()) == {"Theirs"}
    with resident.client() as client:
        for passkey in (spare, theirs):
            assert decrypt_bytes(archive, identities=client.release(passkey).identities()) == b"made meanwhile"
        assert client.examine_history() == ()
