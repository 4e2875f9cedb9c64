"""Two devices at once: neither undoes what the other did, and who came second is told so before anybody signs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from strongroom_client.age_keys import recipient_of
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.client import VaultClient
from strongroom_client.errors import BeginAgain, NewestUnopened, ReplyMismatch
from strongroom_client.recovery_key import generate_recovery_key
from strongroom_client.steps import Rpc
from tests.fakes.client import EnrolledDevice, FakeMemory, client_of
from tests.fakes.vault import ACCOUNT

Change = Callable[[EnrolledDevice, VaultClient, Path], object]


def another(folder: Path, name: str) -> InsecureSoftwareAuthenticator:
    return InsecureSoftwareAuthenticator(state_path=folder / name)


def adds(enrolled: EnrolledDevice, client: VaultClient, folder: Path) -> object:
    return client.add_passkey(another(folder, "added"), user_name=ACCOUNT, by=enrolled.authenticator)


def removes(enrolled: EnrolledDevice, client: VaultClient, folder: Path) -> object:
    return client.remove_passkey(enrolled.authenticator, _id_of(another(folder, "spare")))


def replaces_recovery(enrolled: EnrolledDevice, client: VaultClient, _: Path) -> object:
    return client.set_recovery(enrolled.authenticator)


def stores(enrolled: EnrolledDevice, client: VaultClient, _: Path) -> object:
    return client.store_envelope(enrolled.authenticator, client.release(enrolled.authenticator).opened[0].content)


@pytest.fixture
def spare(enrolled: EnrolledDevice, tmp_path: Path) -> InsecureSoftwareAuthenticator:
    """A second passkey, there from the start; prompts count from zero after it was added."""
    spare = another(tmp_path, "spare")
    enrolled.client().add_passkey(spare, user_name=ACCOUNT, by=enrolled.authenticator)
    enrolled.client().release(enrolled.authenticator)
    enrolled.authenticator.prompts = 0
    return spare


CHANGES = [adds, removes, replaces_recovery, stores]


@pytest.mark.parametrize("change", CHANGES)
def test_change_that_another_device_came_before_is_given_up_unsigned(
    enrolled: EnrolledDevice, spare: InsecureSoftwareAuthenticator, tmp_path: Path, change: Change
) -> None:
    """The other device acts after this one has opened the envelope, and before it begins to replace it."""
    theirs, begun = another(tmp_path, "theirs"), list[object]()

    def meanwhile(request: object) -> None:
        begun.append(request)
        if len(begun) == 2:
            client_of(enrolled.vault).add_passkey(theirs, user_name=ACCOUNT, by=spare)

    client = enrolled.client()
    enrolled.front.spoil_requests[Rpc.BEGIN_CEREMONY] = meanwhile
    with pytest.raises(BeginAgain, match="another change of the vault came first"):
        change(enrolled, client, tmp_path)
    assert enrolled.authenticator.prompts == 1, "to open; nobody was asked to sign for nothing"
    assert client_of(enrolled.vault).release(theirs).opened, "what the other device did stands"

    change(enrolled, enrolled.client(), tmp_path)
    assert client_of(enrolled.vault).release(theirs).opened, "and stands beside what this one does then"


def test_fresh_archive_identity_of_another_device_is_not_lost(
    enrolled: EnrolledDevice, spare: InsecureSoftwareAuthenticator, tmp_path: Path
) -> None:
    """It backs up to it already: an envelope without it would leave that archive to the recovery key alone."""
    client, memory = enrolled.client(), FakeMemory()
    content = client.release(enrolled.authenticator).opened[0].content
    other = client_of(enrolled.vault, memory=memory)
    removed = another(tmp_path, "removed")
    added = other.add_passkey(removed, user_name=ACCOUNT, by=spare)
    other.remove_passkey(spare, added.credential_id)
    with pytest.raises(BeginAgain):
        client.store_envelope(enrolled.authenticator, content)
    released = client.release(enrolled.authenticator)
    assert memory.kept.archive_recipient in {recipient_of(one) for one in released.identities()}


def test_envelope_is_stored_only_by_who_has_opened_the_newest(enrolled: EnrolledDevice) -> None:
    content = enrolled.client().release(enrolled.authenticator).opened[0].content
    with pytest.raises(NewestUnopened, match="release first"):
        enrolled.client().store_envelope(enrolled.authenticator, content)


def test_change_does_not_go_by_an_older_envelope(enrolled: EnrolledDevice) -> None:
    """The newest is there, unconfirmed, but does not open: it may hold what the older one lacks."""
    client = enrolled.client()
    client.store_envelope(enrolled.authenticator, client.release(enrolled.authenticator).opened[0].content)
    enrolled.vault.record.archives[0].envelope = b"age-encryption.org/v1 spoilt"
    version = enrolled.vault.record.version
    with pytest.raises(NewestUnopened, match=r"archive keys of version \d+\) does not open, so nothing is changed"):
        enrolled.client().set_recovery(enrolled.authenticator, recovery_key=generate_recovery_key())
    assert enrolled.vault.record.version == version + 1, "the release, and no more"


def test_envelope_is_for_exactly_the_passkeys_that_the_vault_knows(
    enrolled: EnrolledDevice, spare: InsecureSoftwareAuthenticator
) -> None:
    """Whoever makes its content: nobody is locked out by it, and nobody is let in who could not ask for it."""
    client = enrolled.client()
    content = client.release(enrolled.authenticator).opened[0].content
    own = next(one for one in content.passkey_recipients if one.credential_id != _id_of(spare))
    stranger = replace(own, credential_id=b"a stranger's " + bytes(3))
    for recipients in ((own,), (*content.passkey_recipients, stranger)):
        with pytest.raises(ReplyMismatch, match="not for exactly the passkeys that the vault knows"):
            client.store_envelope(enrolled.authenticator, replace(content, passkey_recipients=recipients))
    assert enrolled.vault.calls.count(Rpc.STORE_ENVELOPE) == 1, "that of the enrollment"


def _id_of(passkey: InsecureSoftwareAuthenticator) -> bytes:
    return passkey.get_assertion(
        rp_id="vault.example", origin="https://vault.example", challenge=bytes(32), allow=(), prf_input=bytes(32)
    ).credential_id
