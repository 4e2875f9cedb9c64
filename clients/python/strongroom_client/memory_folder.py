"""The folder of one account's memory on this device: memory.json, receipts.jsonl, contested-*.json and a lock.

`receipts.jsonl` has every verified receipt with the answer that it signs, base64, one object per line: proof of what
the vault said, also against a vault that later denies it. The lock is held while a client is open, since two that
remember different things would each overwrite what the other has learned.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from strongroom_client.clock import Millis
from strongroom_client.errors import MemoryFault
from strongroom_client.fields import encode_fields
from strongroom_client.memory import AccountMemory, AccountRef, decode_memory, encode_memory
from strongroom_client.verification.positions import Position

_FOLDER_LABEL = "strongroom/v1/memory-folder"
_PRIVATE_FOLDER = 0o700
_PRIVATE_FILE = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A verified answer.

    Attributes:
        receipt_for: label of the RPC.
        question: the nonce, or the whole ceremony (its challenge can be computed from it).
        reply: serialized reply message.
        receipt: serialized Receipt.
        identity_key: public key that signed, uncompressed point.
        verified_at: this device's time, unix milliseconds.
    """

    receipt_for: str
    question: bytes
    reply: bytes
    receipt: bytes
    identity_key: bytes
    verified_at: Millis


class Memory(Protocol):
    """Keeps what a device remembers of one account's vault."""

    def load(self) -> AccountMemory:
        """Return what is remembered; of a new account, nothing."""

    def keep(self, memory: AccountMemory, *, proof: Proof | None) -> None:
        """Keep `memory` durably in place of what was, and add `proof` to the proofs."""

    def keep_contested(self, *, known: Position, shown: Position, proof: Proof) -> None:
        """Keep, as evidence, both positions and the proof of the newly shown one."""

    def close(self) -> None:
        """Let others use it."""


class MemoryFolder:
    """Memory in a folder of its own below `root`, for one client at a time; a context manager.

    Raises:
        MemoryFault: the folder cannot be made, or another client has it open.
    """

    def __init__(self, root: Path, *, owner: AccountRef) -> None:
        name = hashlib.sha256(
            encode_fields(_FOLDER_LABEL, owner.vault.encode(), owner.tenant.encode(), owner.account.encode())
        ).hexdigest()[:32]
        self.path = root / name
        self._owner = owner
        try:
            self.path.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
        except OSError as error:
            raise MemoryFault(f"the memory folder {self.path} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise MemoryFault("another client on this device is using this account's memory") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let other clients in."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def load(self) -> AccountMemory:
        """Return what is remembered.

        Raises:
            MemoryFault: the file is damaged, another account's, or unreadable.
        """
        try:
            encoded = (self.path / "memory.json").read_bytes()
        except FileNotFoundError:
            return AccountMemory(owner=self._owner)
        except OSError as error:
            raise MemoryFault(f"the memory file cannot be read: {error.strerror}") from error
        return decode_memory(encoded, owner=self._owner)

    def keep(self, memory: AccountMemory, *, proof: Proof | None) -> None:
        """Add the proof first, so that nothing is remembered without its proof; then replace the memory.

        Raises:
            MemoryFault: the disk did not take it.
        """
        try:
            if proof is not None:
                self._append(proof)
            self._replace("memory.json", encode_memory(memory))
        except OSError as error:
            raise MemoryFault(f"the memory of this account cannot be kept: {error.strerror}") from error

    def keep_contested(self, *, known: Position, shown: Position, proof: Proof) -> None:
        """Write both positions and the proof of the new one; receipts.jsonl has the proof of the known one.

        Raises:
            MemoryFault: the disk did not take it.
        """
        document = {
            "known": {"version": known.version, "chain_head": known.chain_head.hex()},
            "shown": {"version": shown.version, "chain_head": shown.chain_head.hex()},
            "proof": _proof_document(proof),
        }
        name = f"contested-{shown.version}-{shown.chain_head.hex()[:16]}.json"
        try:
            self._replace(name, json.dumps(document, indent=1).encode() + b"\n")
        except OSError as error:
            raise MemoryFault(f"the evidence cannot be kept: {error.strerror}") from error

    def _append(self, proof: Proof) -> None:
        line = json.dumps(_proof_document(proof)).encode() + b"\n"
        descriptor = os.open(
            self.path / "receipts.jsonl", os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE
        )
        with os.fdopen(descriptor, "ab") as file:
            size = os.fstat(descriptor).st_size
            if size > 0 and os.pread(descriptor, 1, size - 1) != b"\n":
                file.write(b"\n")  # after a line that a crash cut short
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def _replace(self, name: str, content: bytes) -> None:
        temporary = self.path / f".{name}.{secrets.token_hex(8)}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE_FILE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path / name)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _proof_document(proof: Proof) -> dict[str, object]:
    return {
        "receipt_for": proof.receipt_for,
        "question": base64.b64encode(proof.question).decode(),
        "reply": base64.b64encode(proof.reply).decode(),
        "receipt": base64.b64encode(proof.receipt).decode(),
        "identity_key": base64.b64encode(proof.identity_key).decode(),
        "verified_at": proof.verified_at,
    }
