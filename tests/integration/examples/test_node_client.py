"""The client in Node (clients/examples/node), from protos and docs/protocol.md alone, against a running service."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from deploy.development.environment import AUDIENCE, DevelopmentVault
from strongroom.v1 import ceremony_pb2, resources_pb2, vault_service_pb2
from strongroom_client.account_tokens import AccountTokenFrom
from strongroom_client.age_keys import ArchiveIdentity
from strongroom_client.archive.reader import extract_archive
from strongroom_client.archive.writer import write_archive
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.client import VaultClient
from strongroom_client.memory import AccountRef
from strongroom_client.memory_folder import MemoryFolder
from strongroom_client.progress import SilentProgress
from strongroom_client.recovery_key import parse_recovery_key
from strongroom_client.session import VaultSettings
from strongroom_client.transport import Address, GrpcConnection
from strongroom_client.verification.bundles import Trust
from tests.fakes.relay import Cheat, relayed

_EXAMPLE: Final = Path(__file__).parents[3] / "clients" / "examples" / "node"
_NODE: Final = Path(sys.executable).with_name("node")
_REFUSED: Final = 1
_NOT_PROVEN: Final = 5


@dataclass(frozen=True, kw_only=True)
class Device:
    """The state folder of a device that runs the client in Node."""

    vault: DevelopmentVault
    folder: Path
    account: str

    @property
    def passkeys(self) -> Path:
        return self.folder / "passkeys.json"

    def settle(self, *, address: str | None = None, pins: tuple[str, ...] | None = None) -> None:
        """Write vault.json."""
        token = self.folder / "token.jwt"
        token.write_text(self.vault.issue_token(self.account))
        settings = {
            "vault": address or self.vault.address,
            "tenant": self.vault.tenant.name,
            "account": self.account,
            "account_token_file": token.name,
            "ca_file": str(self.vault.ca_file),
            "pins": list(self.vault.pins if pins is None else pins),
        }
        (self.folder / "vault.json").write_text(json.dumps(settings))

    def run(self, command: str, *operands: Path) -> subprocess.CompletedProcess[str]:
        arguments: list[str | Path] = [_NODE, "src/main.ts", command, self.folder, *operands]
        return subprocess.run(arguments, cwd=_EXAMPLE, capture_output=True, text=True, check=False, timeout=60)

    def done(self, command: str, *operands: Path) -> str:
        """What a command says that must succeed, without a word on standard error."""
        ended = self.run(command, *operands)
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout

    def python_client(self, memory: Path) -> VaultClient:
        """The Python client on a device of its own."""
        owner = AccountRef(vault=AUDIENCE, tenant=self.vault.tenant.name, account=self.account)
        pins = frozenset(bytes.fromhex(pin) for pin in self.vault.pins)
        return VaultClient(
            settings=VaultSettings(owner=owner, trust=Trust(pins=pins)),
            connection=GrpcConnection(
                Address(target=self.vault.address, root_certificates=self.vault.ca_file),
                account_token=AccountTokenFrom(lambda: self.vault.issue_token(self.account)),
            ),
            memory=MemoryFolder(memory, owner=owner),
        )


@pytest.fixture
def device(development_vault: DevelopmentVault, tmp_path: Path) -> Device:
    folder = tmp_path / "device"
    folder.mkdir(mode=0o700)
    device = Device(vault=development_vault, folder=folder, account=f"node-{secrets.token_hex(8)}")
    device.settle()
    return device


def test_formats_are_those_of_the_vectors() -> None:
    ended = subprocess.run(
        [_NODE, "--test", "--test-reporter=tap", "tests/vectors.test.ts"],
        cwd=_EXAMPLE,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stdout
    assert "# pass 7\n" in ended.stdout


def test_node_and_python_open_each_others_envelopes_and_archives(device: Device, tmp_path: Path) -> None:
    notes, paper, archive = tmp_path / "notes", tmp_path / "paper", tmp_path / "of-node.age"
    (notes / "deep").mkdir(parents=True)
    (notes / "deep" / "note").write_text("remember")
    device.done("enroll", paper)
    device.done("backup", notes, archive)
    device.done("renew")

    with device.python_client(tmp_path / "memory") as python:
        passkey = InsecureSoftwareAuthenticator(state_path=device.passkeys)
        released = python.release(passkey)
        assert [len(one.content.archive_identities) for one in released.opened] == [2, 1]
        _restore(archive, tmp_path / "by-passkey", released.identities())
        recovery = parse_recovery_key(paper.read_text())
        assert python.release_with_recovery_key(recovery).identities() == released.identities()
        python.store_envelope(passkey, released.opened[0].content)
        assert python.examine_history() == ()
        memory = python.memory
    _restore(archive, tmp_path / "off-line", (recovery.age_identity(),))
    for restored in ("by-passkey", "off-line"):
        assert (tmp_path / restored / "deep" / "note").read_text() == "remember"

    assert memory.archive_recipient is not None
    of_python = tmp_path / "of-python.age"
    write_archive(source=notes, target=of_python, recipients=(memory.archive_recipient,), progress=SilentProgress())
    device.done("restore", of_python, tmp_path / "by-node")
    assert (tmp_path / "by-node" / "deep" / "note").read_text() == "remember"
    of_python.write_bytes(of_python.read_bytes()[:-1])
    assert device.run("restore", of_python, tmp_path / "cut-short").returncode == _REFUSED
    assert not (tmp_path / "cut-short").exists()


def test_renewal_is_given_up_where_another_device_came_between(device: Device, tmp_path: Path) -> None:
    device.done("enroll", tmp_path / "paper")
    recovery = parse_recovery_key((tmp_path / "paper").read_text())

    def other_device(response: bytes) -> bytes:
        with device.python_client(tmp_path / "memory") as python:
            python.release_with_recovery_key(recovery)
        return response

    with relayed(device.vault, {"ReleaseEnvelope": other_device}) as address:
        device.settle(address=address)
        ended = device.run("renew")
    assert (ended.returncode, ended.stderr) == (
        _REFUSED,
        "another device has changed the vault meanwhile: begin again\n",
    )


def test_vault_of_another_identity_key_is_not_spoken_to(device: Device, tmp_path: Path) -> None:
    device.settle(pins=("00" * 32,))
    ended = device.run("enroll", tmp_path / "paper")
    assert ended.returncode == _NOT_PROVEN
    assert ended.stderr == "NOT PROVEN: the key bundle is not signed by an identity key that is pinned here\n"
    assert not device.passkeys.exists()


def test_refusal_of_the_vault_is_told(device: Device, tmp_path: Path) -> None:
    device.done("enroll", tmp_path / "paper")
    ended = device.run("enroll", tmp_path / "other paper")
    assert ended.returncode == _REFUSED
    assert ended.stderr.startswith("The vault refused (ALREADY_EXISTS): ")


def _tampered_receipt(response: bytes) -> bytes:
    answer = vault_service_pb2.StoreEnvelopeResponse.FromString(response)
    answer.receipt.signature = bytes([*answer.receipt.signature[:-1], answer.receipt.signature[-1] ^ 1])
    return answer.SerializeToString()


def _other_envelope_stored(response: bytes) -> bytes:
    answer = vault_service_pb2.StoreEnvelopeResponse.FromString(response)
    reply = vault_service_pb2.StoreReply.FromString(answer.reply)
    reply.envelope_sha256 = bytes(32)
    answer.reply = reply.SerializeToString()
    return answer.SerializeToString()


def _stated(change: Callable[[ceremony_pb2.Statement], object]) -> Cheat:
    """A front that changes what a statement says."""

    def cheat(response: bytes) -> bytes:
        answer = vault_service_pb2.BeginCeremonyResponse.FromString(response)
        statement = ceremony_pb2.Statement.FromString(answer.ceremony[:-32])
        change(statement)
        answer.ceremony = statement.SerializeToString() + answer.ceremony[-32:]
        return answer.SerializeToString()

    return cheat


def _other_request(statement: ceremony_pb2.Statement) -> None:
    request = ceremony_pb2.CeremonyRequest.FromString(statement.request)
    request.register.recovery_public_key = bytes(31) + b"\1"
    statement.request = request.SerializeToString()


def _unknown_field(statement: ceremony_pb2.Statement) -> None:
    statement.MergeFromString(b"\xa0\x06\x01")  # field 100: 1


def _further_passkey(response: bytes) -> bytes:
    answer = vault_service_pb2.BeginCeremonyResponse.FromString(response)
    answer.credentials.append(resources_pb2.Credential(credential_id=bytes(32), cose_key=b"\xa0"))
    return answer.SerializeToString()


@pytest.mark.parametrize(
    ("rpc", "cheat", "told", "signed"),
    [
        ("StoreEnvelope", _tampered_receipt, "the receipt does not fit this answer to this question", True),
        ("StoreEnvelope", _other_envelope_stored, "the receipt does not fit this answer to this question", True),
        ("BeginCeremony", _stated(_other_request), "the ceremony is about another request than this client's", False),
        ("BeginCeremony", _stated(_unknown_field), "the statement has parts that are not known here", False),
        ("BeginCeremony", _further_passkey, "the ceremony is about other credentials than were listed with it", False),
    ],
    ids=["receipt", "reply", "request", "unknown field", "further passkey"],
)
def test_front_that_cheats_is_found_out(
    device: Device, tmp_path: Path, rpc: str, cheat: Cheat, told: str, *, signed: bool
) -> None:
    with relayed(device.vault, {rpc: cheat}) as address:
        device.settle(address=address)
        ended = device.run("enroll", tmp_path / "paper")
    assert (ended.returncode, ended.stderr) == (_NOT_PROVEN, f"NOT PROVEN: {told}\n")
    assert device.passkeys.exists() is signed


def test_vault_that_went_back_is_not_gone_on_with(device: Device, tmp_path: Path) -> None:
    device.done("enroll", tmp_path / "paper")

    def older(statement: ceremony_pb2.Statement) -> None:
        statement.version -= 1

    with relayed(device.vault, {"BeginCeremony": _stated(older)}) as address:
        device.settle(address=address)
        ended = device.run("renew")
    assert ended.returncode == _NOT_PROVEN
    assert ended.stderr == "NOT PROVEN: the vault went back: it has lost what this device knows of it\n"


def test_answers_that_are_lost_are_given_again_at_no_attempt(device: Device, tmp_path: Path) -> None:
    lost: list[bytes] = []

    def loses_the_first(response: bytes) -> bytes | None:
        lost.append(response)
        return None if len(lost) == 1 else response

    with relayed(device.vault, {"StoreEnvelope": loses_the_first}) as address:
        device.settle(address=address)
        device.done("enroll", tmp_path / "paper")
    with device.python_client(tmp_path / "memory") as python:
        assert [event.kind for event in python.history()] == ["release", "store", "register"]
    first, again = (vault_service_pb2.StoreEnvelopeResponse.FromString(response) for response in lost)
    assert first.reply == again.reply


def test_front_that_does_not_cheat_is_not_noticed(device: Device, tmp_path: Path) -> None:
    with relayed(device.vault, {}) as address:
        device.settle(address=address)
        device.done("enroll", tmp_path / "paper")


def _restore(archive: Path, folder: Path, identities: tuple[ArchiveIdentity, ...]) -> None:
    extract_archive(archive=archive, target=folder, identities=identities, progress=SilentProgress())
