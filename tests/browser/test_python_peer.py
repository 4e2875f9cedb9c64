"""The page and the Python client on one vault: each opens what the other has made, archives and envelopes."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.development.environment import AUDIENCE
from strongroom_client.account_tokens import AccountTokenFrom
from strongroom_client.archive.reader import extract_archive
from strongroom_client.archive.writer import write_archive
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.client import VaultClient
from strongroom_client.memory import AccountRef
from strongroom_client.memory_folder import MemoryFolder
from strongroom_client.recovery_key import parse_recovery_key
from strongroom_client.session import VaultSettings
from strongroom_client.transport import Address, GrpcConnection
from strongroom_client.verification.bundles import Trust
from tests.browser.chromium import Chromium
from tests.browser.person import Person
from tests.browser.place import Place
from tests.browser.trees import CONTENTS, make_tree, zip_contents


def python_client(person: Person, memory: Path) -> VaultClient:
    """The Python client on a device of its own."""
    vault = person.place.vault
    owner = AccountRef(vault=AUDIENCE, tenant=vault.tenant.name, account=person.account)
    return VaultClient(
        settings=VaultSettings(owner=owner, trust=Trust(pins=frozenset(map(bytes.fromhex, vault.pins)))),
        connection=GrpcConnection(
            Address(target=vault.address, root_certificates=vault.ca_file),
            account_token=AccountTokenFrom(lambda: vault.issue_token(person.account)),
        ),
        memory=MemoryFolder(memory, owner=owner),
    )


def recipients_of(python: VaultClient) -> tuple[str, str]:
    """Return what a device that has opened the vault backs up to."""
    memory = python.memory
    assert memory.archive_recipient is not None
    assert memory.recovery_recipient is not None
    return memory.archive_recipient, memory.recovery_recipient


@pytest.mark.verify
def test_page_and_python_client_open_each_others_archives_and_envelopes(
    chromium: Chromium, place: Place, tmp_path: Path
) -> None:
    source = make_tree(tmp_path / "mine")
    (source / "links").mkdir()
    (source / "links" / "away").symlink_to("../letters/anna.txt")
    (source / "links" / "twin").hardlink_to(source / "letters" / "anna.txt")
    person = Person.arrives(chromium, place)
    person.protect()
    of_page = person.back_up(source / "letters", into=tmp_path / "saved")
    key = parse_recovery_key(person.recovery_key)

    with python_client(person, tmp_path / "memory") as python:
        released = python.release_with_recovery_key(key)
        extract_archive(archive=of_page, target=tmp_path / "1", identities=released.identities(), progress=None)
        extract_archive(archive=of_page, target=tmp_path / "2", identities=(key.age_identity(),), progress=None)
        # Python writes the envelope anew, for its own passkey beside the page's.
        software = InsecureSoftwareAuthenticator(state_path=tmp_path / "passkeys.json")
        python.add_passkey(software, user_name=person.account, by=key, name="laptop")
        of_python = tmp_path / "of-python.tar.zst.age"
        write_archive(source=source, target=of_python, recipients=recipients_of(python), progress=None)

    for restored in ("1", "2"):
        assert (tmp_path / restored / "letters" / "anna.txt").read_bytes() == CONTENTS["letters/anna.txt"]
        assert (tmp_path / restored / "letters" / "grüße.txt").read_bytes() == CONTENTS["letters/grüße.txt"]
    person.take_another_device()
    found = zip_contents(person.restore(of_python, into=tmp_path / "restored"))
    twins = {"letters/anna.txt", "links/twin"}  # whichever came first is the file, and the other a link to it
    assert {name: content for name, content in found.items() if name not in twins} == {
        name: content for name, content in CONTENTS.items() if name not in twins
    }
    assert [found[name] for name in twins & found.keys()] == [CONTENTS["letters/anna.txt"]]
    person.tab.wait_text("2 links cannot be kept in a ZIP and are left out.")
    person.tab.wait_text("links/away, which points to ../letters/anna.txt")
    person.go("Passkeys")
    assert "laptop" in person.passkey_names()

    # The page writes it anew, for the recovery key's successor; the passkey of Python's opens that.
    person.go("Recovery key")
    person.open_details("Replace the recovery key")
    person.tab.click("button", "Show a new key")
    successor = person.write_down()
    person.tab.click("button", "Replace the old key")
    person.tab.wait_text("The new recovery key is in force.")
    with python_client(person, tmp_path / "memory") as python:
        fresh, *kept = python.release(software).identities()
        assert tuple(kept) == released.identities(), "the page has put a fresh one before them"
        assert python.release_with_recovery_key(parse_recovery_key(successor)).identities() == (fresh, *kept)
        assert python.examine_history() == ()
