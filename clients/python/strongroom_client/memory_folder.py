"""The folder of one account's memory on this device: memory.json, the receipt log, contested-*.json and a lock.

The receipt log (receipts/log.py) has every verified receipt: proof of what the vault said, also against a vault that
later denies it. The lock is held while a client is open, since two that remember different things would each overwrite
what the other has learned.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from strongroom_client.errors import MemoryBusy, MemoryFault
from strongroom_client.fields import encode_fields
from strongroom_client.memory import AccountMemory, AccountRef, decode_memory, encode_memory
from strongroom_client.receipts.format import FIRST, Entry, KeptLine, KeptReceipt, encode_line
from strongroom_client.receipts.log import ReceiptLog
from strongroom_client.verification.positions import Position

_FOLDER_LABEL = "strongroom/v1/memory-folder"
_PRIVATE_FOLDER = 0o700
_PRIVATE_FILE = 0o600


class Memory(Protocol):
    """Keeps what a device remembers of one account's vault."""

    def load(self) -> AccountMemory:
        """Return what is remembered; of a new account, nothing."""

    def receipts(self) -> tuple[KeptLine, ...]:
        """Return all lines of the receipt log, oldest first."""

    def keep(self, memory: AccountMemory, *, entry: Entry | None) -> None:
        """Keep `memory` durably in place of what was, and add `entry` to the receipt log."""

    def keep_contested(self, *, known: Position, shown: Position, receipt: KeptReceipt) -> None:
        """Keep, as evidence, both positions and the receipt for the newly shown one."""

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
        self._log = ReceiptLog(self.path)
        try:
            self.path.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
        except OSError as error:
            raise MemoryFault(f"the memory folder {self.path} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise MemoryBusy("another client on this device is using this account's memory") from error

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

    def receipts(self) -> tuple[KeptLine, ...]:
        """Return all lines of the receipt log, oldest first.

        Raises:
            MemoryFault: the log cannot be read.
        """
        try:
            return tuple(self._log.read())
        except OSError as error:
            raise MemoryFault(f"the receipts cannot be read: {error.strerror}") from error

    def keep(self, memory: AccountMemory, *, entry: Entry | None) -> None:
        """Add the entry first, so that nothing is remembered without its receipt; then replace the memory.

        Raises:
            MemoryFault: the disk did not take it.
        """
        try:
            if entry is not None:
                self._log.append(entry)
            self._replace("memory.json", encode_memory(memory))
        except OSError as error:
            raise MemoryFault(f"the memory of this account cannot be kept: {error.strerror}") from error

    def keep_contested(self, *, known: Position, shown: Position, receipt: KeptReceipt) -> None:
        """Write both positions and the receipt for the new one; the log has that for the known one.

        Raises:
            MemoryFault: the disk did not take it.
        """
        document = {
            "known": {"version": known.version, "chain_head": known.chain_head.hex()},
            "shown": {"version": shown.version, "chain_head": shown.chain_head.hex()},
            "receipt": json.loads(encode_line(receipt, previous=FIRST)),
        }
        name = f"contested-{shown.version}-{shown.chain_head.hex()[:16]}.json"
        try:
            self._replace(name, json.dumps(document, indent=1).encode() + b"\n")
        except OSError as error:
            raise MemoryFault(f"the evidence cannot be kept: {error.strerror}") from error

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
