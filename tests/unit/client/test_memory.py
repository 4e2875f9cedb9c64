from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from strongroom_client.age_keys import generate_identity, recipient_of
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.client import VaultClient
from strongroom_client.clock import Millis
from strongroom_client.errors import MemoryFault, VaultWentBack
from strongroom_client.fields import hash_fields
from strongroom_client.memory import AccountMemory, AccountRef, Mode, decode_memory, encode_memory
from strongroom_client.memory_folder import MemoryFolder
from strongroom_client.pending import NOTHING_PENDING, Pending
from strongroom_client.receipts.format import KeptReceipt
from strongroom_client.session import VaultSettings
from strongroom_client.verification.bundles import SeenBundle, Trust
from strongroom_client.verification.credential_sets import CredentialSet, PublicCredential
from strongroom_client.verification.owner_bundles import SeenOwnerBundle
from strongroom_client.verification.positions import Position
from strongroom_client.verification.receipts import ReceiptFor
from strongroom_client.verification.signatures import check_signature, identity_fingerprint
from tests.fakes.client import OWNER
from tests.fakes.vault import ACCOUNT, FakeVault

FULL = AccountMemory(
    owner=OWNER,
    pins=frozenset({b"p" * 32, b"q" * 32}),
    position=Position(7, b"h" * 32),
    contested=Position(6, b"i" * 32),
    bundles=MappingProxyType({b"p" * 32: SeenBundle(3, b"s" * 32)}),
    owner_bundle=SeenOwnerBundle(
        serial=4, sha256=b"t" * 32, identity_keys=frozenset({b"p" * 32}), dropped=frozenset({b"o" * 32})
    ),
    credentials=CredentialSet((PublicCredential(b"id", b"key"),), b"r" * 32),
    credentials_version=7,
    set_aside=CredentialSet((PublicCredential(b"older id", b"older key"),)),
    pending=Pending(set_aside_erase_at=Millis(8), account_erase_at=Millis(9)),
    life=2,
    mode=Mode.VAULT_HELD,
    opened_archive_version=5,
    archive_recipient=recipient_of(generate_identity()),
    recovery_recipient=recipient_of(generate_identity()),
    names=MappingProxyType({b"id": "Zoë's phone"}),
)
Document = dict[str, Any]


@pytest.mark.parametrize("memory", [FULL, AccountMemory(owner=OWNER)])
def test_memory_comes_back_as_it_was(memory: AccountMemory) -> None:
    assert decode_memory(encode_memory(memory), owner=OWNER) == memory


def test_memory_of_the_schemas_before_is_read() -> None:
    document = json.loads(encode_memory(FULL))
    del document["names"]
    document["schema"] = 3
    nameless = replace(FULL, names=MappingProxyType({}))
    assert decode_memory(json.dumps(document).encode(), owner=OWNER) == nameless
    del document["owner_bundle"]
    document["schema"] = 2
    assert decode_memory(json.dumps(document).encode(), owner=OWNER) == replace(nameless, owner_bundle=None)
    for added in ("credentials_version", "set_aside", "set_aside_erase_at", "account_erase_at", "life"):
        del document[added]
    document["schema"] = 1
    expected = replace(nameless, owner_bundle=None, set_aside=None, pending=NOTHING_PENDING, life=None)
    assert decode_memory(json.dumps(document).encode(), owner=OWNER) == expected
    document["position"] = []
    with pytest.raises(MemoryFault):
        decode_memory(json.dumps(document).encode(), owner=OWNER)


def put(*path: str, value: object) -> Callable[[Document], None]:
    def spoil(document: Document) -> None:
        for name in path[:-1]:
            document = document[name]
        document[path[-1]] = value

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        put("schema", value=5),
        put("later", value=1),
        put("position", value=None),
        put("position", "version", value=-1),
        put("position", "version", value=True),
        put("position", "version", value=2**64),
        put("position", "version", value="7"),
        put("position", "chain_head", value="00"),
        put("position", "chain_head", value="AA" * 32),
        put("position", "later", value=1),
        put("pins", value=["00"]),
        put("pins", value="00"),
        put("bundles", value={"00": {"serial": 1, "sha256": "00" * 32}}),
        put("owner_bundle", value={}),
        put("owner_bundle", "serial", value="4"),
        put("owner_bundle", "sha256", value="00"),
        put("owner_bundle", "identity_keys", value=["00"]),
        put("owner_bundle", "dropped", value=None),
        put("credentials", "recovery_public_key", value="00"),
        put("mode", value="none"),
        put("names", value=[]),
        put("names", "6964", value="two\nlines"),
        put("names", "6964", value=7),
        put("names", "id", value="no hex"),
        put("archive_recipient", value="age1nonsense"),
        put("opened_archive_version", value=1.0),
        put("credentials_version", value=-1),
        put("set_aside", value=[]),
        put("set_aside_erase_at", value="soon"),
        put("life", value=True),
        put("account", value="mallory"),
        lambda document: document.pop("contested"),
    ],
)
def test_memory_of_any_other_form_is_refused(spoil: Callable[[Document], None]) -> None:
    document = json.loads(encode_memory(FULL))
    spoil(document)
    with pytest.raises(MemoryFault):
        decode_memory(json.dumps(document).encode(), owner=OWNER)


@pytest.mark.parametrize("encoded", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_what_is_no_memory_is_refused(encoded: bytes) -> None:
    with pytest.raises(MemoryFault):
        decode_memory(encoded, owner=OWNER)


def test_folder_keeps_memory_for_its_owner_only(tmp_path: Path) -> None:
    with MemoryFolder(tmp_path, owner=OWNER) as folder:
        folder.keep(FULL, entry=None)
        path = folder.path
    assert {stat.S_IMODE(one.stat().st_mode) for one in path.iterdir()} == {0o600}
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    with MemoryFolder(tmp_path, owner=OWNER) as folder:
        assert folder.load() == FULL
    other = AccountRef(vault=OWNER.vault, tenant=OWNER.tenant, account="bob")
    with MemoryFolder(tmp_path, owner=other) as folder:
        assert folder.load() == AccountMemory(owner=other)


def test_folder_is_for_one_client_at_a_time(tmp_path: Path) -> None:
    with MemoryFolder(tmp_path, owner=OWNER), pytest.raises(MemoryFault, match="another client"):
        MemoryFolder(tmp_path, owner=OWNER)
    MemoryFolder(tmp_path, owner=OWNER).close()


def test_damaged_memory_stops_the_client_and_stays(tmp_path: Path) -> None:
    with MemoryFolder(tmp_path, owner=OWNER) as folder:
        folder.keep(replace(FULL, contested=None), entry=None)
        (folder.path / "memory.json").write_text("{")
        with pytest.raises(MemoryFault, match="damaged"):
            folder.load()


def client_in(folder: MemoryFolder, vault: FakeVault) -> VaultClient:
    return VaultClient(
        settings=VaultSettings(owner=OWNER, trust=Trust(pins=frozenset({vault.keys.fingerprint}))),
        connection=vault,
        memory=folder,
        clock=lambda: Millis(vault.now),
    )


def test_kept_receipts_prove_what_the_vault_said_to_anybody(tmp_path: Path) -> None:
    """Each line is verified again with nothing but what it holds and the vault's fingerprint."""
    vault = FakeVault()
    with MemoryFolder(tmp_path, owner=OWNER) as folder:
        client = client_in(folder, vault)
        client.enroll(InsecureSoftwareAuthenticator(state_path=tmp_path / "passkeys"), user_name=ACCOUNT)
        client.vault()
        lines = [json.loads(line) for line in (folder.path / "receipts-000001.jsonl").read_text().splitlines()]
    versions = []
    for line in lines:
        assert identity_fingerprint(bytes.fromhex(line["identity_key"])) == vault.keys.fingerprint
        digest = hash_fields(
            line["receipt_for"],
            bytes.fromhex(line["challenge"]),
            bytes.fromhex(line["reply_sha256"]),
            line["version"],
            bytes.fromhex(line["chain_head"]),
        )
        check_signature(bytes.fromhex(line["signature"]), digest=digest, public_key=bytes.fromhex(line["identity_key"]))
        versions.append(line["version"])
    assert versions == [0, 1, 2, 3, 3, 3]


def test_log_holds_no_reply_of_a_release(tmp_path: Path) -> None:
    vault = FakeVault()
    with MemoryFolder(tmp_path, owner=OWNER) as folder:
        client = client_in(folder, vault)
        client.enroll(InsecureSoftwareAuthenticator(state_path=tmp_path / "passkeys"), user_name=ACCOUNT)
        client.history()
        kept = [line.entry for line in folder.receipts()]
    replies = {receipt.receipt_for: receipt.reply is not None for receipt in kept if isinstance(receipt, KeptReceipt)}
    assert replies == {one: one not in {ReceiptFor.RELEASE, ReceiptFor.LIST_EVENTS} for one in replies}
    assert ReceiptFor.RELEASE in replies


def test_evidence_of_a_vault_that_went_back_is_kept_and_outlives_the_client(tmp_path: Path) -> None:
    vault = FakeVault()
    passkeys = InsecureSoftwareAuthenticator(state_path=tmp_path / "passkeys")
    with MemoryFolder(tmp_path, owner=OWNER) as folder:
        client = client_in(folder, vault)
        client.enroll(passkeys, user_name=ACCOUNT)
        older = vault.record
        client.release(passkeys)
        vault.record = older
        with pytest.raises(VaultWentBack):
            client.vault()
        (evidence,) = folder.path.glob("contested-*.json")
        document = json.loads(evidence.read_text())
        assert (document["known"]["version"], document["shown"]["version"]) == (4, 3)
    with MemoryFolder(tmp_path, owner=OWNER) as folder, pytest.raises(VaultWentBack):
        client_in(folder, vault).vault()
    with MemoryFolder(tmp_path, owner=OWNER) as folder:
        client_in(folder, vault).accept_older_vault()
    with MemoryFolder(tmp_path, owner=OWNER) as folder:
        assert client_in(folder, vault).vault().version == 3
        assert list(folder.path.glob("contested-*.json")) == [evidence]
