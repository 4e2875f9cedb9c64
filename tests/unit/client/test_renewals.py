"""Renewing the archive key, naming passkeys, and moving between the modes: archives stay, and what counts is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from strongroom.v1 import resources_pb2
from strongroom_client.age_keys import generate_identity, recipient_of
from strongroom_client.authenticators.port import NoMatchingCredential
from strongroom_client.authenticators.several import SeveralAuthenticators
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.client import VaultClient
from strongroom_client.envelope import decode_vault_held_envelope, encode_vault_held_envelope
from strongroom_client.errors import (
    ModeAlready,
    ModeNotExpected,
    NoSuchPasskey,
    NotVerified,
    OutcomeUnknown,
    PrfUnavailable,
    UnpinnedVault,
)
from strongroom_client.memory import Mode
from strongroom_client.passkey_names import BadPasskeyName
from strongroom_client.steps import Rpc
from tests.fakes.client import EnrolledDevice, FakeMemory, client_of
from tests.fakes.vault import ACCOUNT, FakeVault


def own_id(client: VaultClient) -> bytes:
    return client.vault().passkeys[0].credential_id


def newest(vault: FakeVault) -> bytes:
    return vault.record.archives[0].envelope


@pytest.fixture
def spare(tmp_path: Path) -> InsecureSoftwareAuthenticator:
    return InsecureSoftwareAuthenticator(state_path=tmp_path / "spare")


def test_renewed_key_comes_first_and_older_ones_stay(enrolled: EnrolledDevice) -> None:
    client = enrolled.client()
    first = client.release(enrolled.authenticator).identities()
    enrolled.authenticator.prompts = 0
    once = client.renew(enrolled.authenticator)
    assert enrolled.authenticator.prompts == 2
    assert client.memory.archive_recipient == once.archive_recipient
    twice = client.renew(enrolled.authenticator)
    identities = client_of(enrolled.vault).release(enrolled.authenticator).identities()
    assert [recipient_of(one) for one in identities[:2]] == [twice.archive_recipient, once.archive_recipient]
    assert identities[2:] == first, "an archive made before two renewals still opens"


def test_confirmed_envelope_stays_beside_the_renewed_one_until_that_is_opened(enrolled: EnrolledDevice) -> None:
    client = enrolled.client()
    client.release(enrolled.authenticator)
    before = [one.archive_version for one in client.vault().archives]
    renewed = client.renew(enrolled.authenticator)
    assert [one.archive_version for one in client.vault().archives] == [renewed.archive_version, *before]
    client.release(enrolled.authenticator)
    assert [one.archive_version for one in client.vault().archives] == [renewed.archive_version]


def test_name_is_given_on_one_device_and_known_on_the_other(
    enrolled: EnrolledDevice, spare: InsecureSoftwareAuthenticator
) -> None:
    client, other = enrolled.client(), FakeMemory()
    own = own_id(client)
    added = client.add_passkey(spare, user_name=ACCOUNT, by=enrolled.authenticator, name="Spare key")
    client.rename_passkey(enrolled.authenticator, own, "Phone")
    assert set(client.memory.names.values()) == {"Phone", "Spare key"}
    client_of(enrolled.vault, memory=other).release(spare)
    assert other.kept.names == client.memory.names
    client.rename_passkey(enrolled.authenticator, added.credential_id, "")
    assert set(client.memory.names.values()) == {"Phone"}
    client.rename_passkey(enrolled.authenticator, added.credential_id, "Again")
    client.remove_passkey(enrolled.authenticator, added.credential_id)
    assert set(client.memory.names.values()) == {"Phone"}, "the name goes with the passkey"


def test_name_is_nowhere_outside_of_the_envelope(enrolled: EnrolledDevice, tmp_path: Path) -> None:
    vault, name = FakeVault(), "Zoë's phone"
    passkey = InsecureSoftwareAuthenticator(state_path=tmp_path / "named")
    client = client_of(vault, connection=enrolled.front)
    enrolled.front.vault = vault
    client.enroll(passkey, user_name=ACCOUNT, name=name)
    client.rename_passkey(passkey, own_id(client), name + "!")
    client.vault()
    client.history()
    assert name + "!" in client.memory.names.values()
    sent = b"".join(message.SerializeToString() for _, message in enrolled.front.seen)
    assert name.encode() not in sent
    assert name.encode() not in b"".join(one.envelope for one in vault.record.archives)
    client.change_mode(passkey, Mode.VAULT_HELD)
    assert name.encode() in newest(vault), "control: this is what a name looks like"


@pytest.mark.parametrize("name", ["two\nlines", "x" * 129])
def test_bad_name_is_refused_before_anything_is_asked(
    enrolled: EnrolledDevice, spare: InsecureSoftwareAuthenticator, name: str
) -> None:
    client = enrolled.client()
    for attempt in (
        lambda: client.rename_passkey(enrolled.authenticator, b"id", name),
        lambda: client.add_passkey(spare, user_name=ACCOUNT, by=enrolled.authenticator, name=name),
        lambda: client.enroll(spare, user_name=ACCOUNT, name=name),
    ):
        with pytest.raises(BadPasskeyName, match="passkey's name must"):
            attempt()
    assert enrolled.authenticator.prompts == 0


def test_passkey_that_the_vault_lacks_gets_no_name(enrolled: EnrolledDevice) -> None:
    with pytest.raises(NoSuchPasskey):
        enrolled.client().rename_passkey(enrolled.authenticator, b"i" * 16, "Phone")
    assert enrolled.vault.calls.count(Rpc.STORE_ENVELOPE) == 1, "that of the enrollment"


def test_vault_held_envelope_is_released_without_prf_and_archives_stay(enrolled: EnrolledDevice) -> None:
    client = enrolled.client()
    identities = client.release(enrolled.authenticator).identities()
    client.change_mode(enrolled.authenticator, Mode.VAULT_HELD)
    assert decode_vault_held_envelope(newest(enrolled.vault)).archive_identities == identities
    assert client.vault().mode == "vault-held"
    assert enrolled.client().release(enrolled.authenticator).identities() == identities
    with pytest.raises(ModeNotExpected):
        client_of(enrolled.vault).release(enrolled.authenticator)
    with pytest.raises(ModeAlready, match="vault-held already"):
        client.change_mode(enrolled.authenticator, Mode.VAULT_HELD)


def test_move_back_drops_what_the_vault_could_open_and_begins_with_a_fresh_key(
    enrolled: EnrolledDevice, spare: InsecureSoftwareAuthenticator
) -> None:
    client = enrolled.client()
    client.change_mode(enrolled.authenticator, Mode.VAULT_HELD)
    client.add_passkey(spare, user_name=ACCOUNT, by=enrolled.authenticator)
    old = client.release(enrolled.authenticator).identities()
    client.change_mode(SeveralAuthenticators(enrolled.authenticator, spare), Mode.PRF)
    assert [one.mode for one in enrolled.vault.record.archives] == [resources_pb2.MODE_PRF]
    for passkey in (enrolled.authenticator, spare):
        identities = client_of(enrolled.vault).release(passkey).identities()
        assert identities[1:] == old
        assert recipient_of(identities[0]) == client.memory.archive_recipient


def test_device_that_knows_the_weaker_mode_goes_along_with_the_stronger(
    enrolled: EnrolledDevice, spare: InsecureSoftwareAuthenticator
) -> None:
    client = enrolled.client()
    client.change_mode(enrolled.authenticator, Mode.VAULT_HELD)
    other = FakeMemory()
    client_of(enrolled.vault, memory=other).release(enrolled.authenticator, mode=Mode.VAULT_HELD)
    client.change_mode(enrolled.authenticator, Mode.PRF)
    device = client_of(enrolled.vault, memory=other)
    assert device.memory.mode is Mode.VAULT_HELD
    device.add_passkey(spare, user_name=ACCOUNT, by=enrolled.authenticator)
    assert other.kept.mode is Mode.PRF
    assert client_of(enrolled.vault).release(spare).opened


def test_move_to_prf_goes_by_no_recipient_that_the_vault_may_have_put_there(
    enrolled: EnrolledDevice, spare: InsecureSoftwareAuthenticator
) -> None:
    """While the vault alone held the envelope, who has its keys could write into it as it liked."""
    client = enrolled.client()
    client.add_passkey(spare, user_name=ACCOUNT, by=enrolled.authenticator)
    content = client.release(enrolled.authenticator).opened[0].content
    client.change_mode(enrolled.authenticator, Mode.VAULT_HELD)
    thief = generate_identity()
    planted = tuple(replace(one, recipient=recipient_of(thief)) for one in content.passkey_recipients)
    forged = replace(decode_vault_held_envelope(newest(enrolled.vault)), passkey_recipients=planted)
    enrolled.vault.record.archives[0].envelope = encode_vault_held_envelope(forged)
    client.change_mode(SeveralAuthenticators(enrolled.authenticator, spare), Mode.PRF)
    now = client.release(enrolled.authenticator).opened[0].content
    assert recipient_of(thief) not in now.recipients()
    assert now.passkey_recipients == content.passkey_recipients


def test_move_to_prf_needs_every_passkey_there(enrolled: EnrolledDevice, spare: InsecureSoftwareAuthenticator) -> None:
    client = enrolled.client()
    client.change_mode(enrolled.authenticator, Mode.VAULT_HELD)
    added = client.add_passkey(spare, user_name=ACCOUNT, by=enrolled.authenticator, name="Spare")
    with pytest.raises(NoMatchingCredential, match=r'passkey "Spare" \(.*bring it, or remove it first'):
        client.change_mode(enrolled.authenticator, Mode.PRF)
    assert client.vault().mode == "vault-held"
    client.remove_passkey(enrolled.authenticator, added.credential_id)
    client.change_mode(enrolled.authenticator, Mode.PRF)
    assert client.vault().mode == "prf"


def test_move_to_prf_needs_prf(tmp_path: Path) -> None:
    vault = FakeVault()
    without = InsecureSoftwareAuthenticator(state_path=tmp_path / "without", has_prf=False)
    client = client_of(vault)
    client.enroll(without, user_name=ACCOUNT, mode=Mode.VAULT_HELD)
    with pytest.raises(PrfUnavailable, match=r"gives no PRF output.*remove it first"):
        client.change_mode(without, Mode.PRF)
    assert client.vault().mode == "vault-held"


def test_move_to_the_vault_alone_needs_a_pin(enrolled: EnrolledDevice) -> None:
    client = client_of(enrolled.vault, pinned=False)
    with pytest.raises(UnpinnedVault):
        client.change_mode(enrolled.authenticator, Mode.VAULT_HELD)
    assert enrolled.authenticator.prompts == 0


@pytest.mark.parametrize("is_stored", [False, True])
def test_device_goes_on_after_a_move_whose_answer_never_came(enrolled: EnrolledDevice, *, is_stored: bool) -> None:
    client = enrolled.client()
    if is_stored:
        enrolled.front.lose[Rpc.STORE_ENVELOPE] = 100
    else:
        enrolled.front.spoil_requests[Rpc.STORE_ENVELOPE] = _unreachable
    with pytest.raises(OutcomeUnknown):
        client.change_mode(enrolled.authenticator, Mode.VAULT_HELD)
    assert enrolled.client().release(enrolled.authenticator).opened, "no --mode is needed: its user has said so before"
    assert enrolled.memory.kept.mode is (Mode.VAULT_HELD if is_stored else Mode.PRF)


def test_refused_move_leaves_the_device_as_strict_as_before(enrolled: EnrolledDevice) -> None:
    def refuse(_: object) -> None:
        raise NotVerified("NOT_VERIFIED")

    enrolled.front.spoil_requests[Rpc.STORE_ENVELOPE] = refuse
    with pytest.raises(NotVerified):
        enrolled.client().change_mode(enrolled.authenticator, Mode.VAULT_HELD)
    assert enrolled.memory.kept.mode is Mode.PRF


def _unreachable(_: object) -> None:
    raise OutcomeUnknown("gone")
