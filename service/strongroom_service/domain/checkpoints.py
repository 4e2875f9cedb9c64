"""Checkpoints: what every record's chain head was at one time, under one signed Merkle root.

    leaf      = H("strongroom/v1/checkpoint-leaf", record id, version, chain head)           sorted by record id
    node      = H("strongroom/v1/checkpoint-node", left, right)             split as in RFC 6962 section 2.1
    root of nothing = H("strongroom/v1/checkpoint-empty")
    digest    = H("strongroom/v1/checkpoint", serial, made at, vault version, leaves, root, previous digest)

The digest is what the identity key signs, what the next checkpoint names as its previous, and what the vault's row
keeps. The vault version is that of the row that keeps it: by that alone a restored database is older than its last
checkpoint.

As text, one file a checkpoint, so that it can be read and compared with the tools that every system has:

    strongroom checkpoint 1
    <record id> <version> <chain head>            hex, decimal, hex; a line for each leaf
    {"serial": ..., "signature": ...}             the head, as JSON in one line; bytes in hex
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import StrongroomError
from strongroom_service.domain.fields import hash_fields

NO_CHECKPOINT = bytes(32)
_FIRST_LINE = "strongroom checkpoint 1"
_LEAF_LABEL = "strongroom/v1/checkpoint-leaf"
_NODE_LABEL = "strongroom/v1/checkpoint-node"
_EMPTY_LABEL = "strongroom/v1/checkpoint-empty"
_LABEL = "strongroom/v1/checkpoint"
_SIZES = {"root": 32, "previous_sha256": 32, "identity_public_key": 65, "signature": 64}
_NUMBERS = ("serial", "made_at", "vault_version", "leaves")
_MAX_INTEGER = 2**63 - 1


class BrokenCheckpoint(StrongroomError):
    """What was read is no checkpoint, or not the one that was signed; the message says where."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """Where one record's chain was."""

    record_id: bytes
    version: int
    chain_head: bytes

    @property
    def digest(self) -> bytes:
        """The leaf's hash."""
        return hash_fields(_LEAF_LABEL, self.record_id, self.version, self.chain_head)


class LeafTree:
    """Takes leaves in order of their record ids and has their root, in memory that grows with their logarithm."""

    def __init__(self) -> None:
        self._full: list[tuple[int, bytes]] = []  # full subtrees from the left: number of leaves, hash
        self._last = b""
        self.leaves = 0

    def add(self, leaf: Leaf) -> None:
        """Add the next leaf.

        Raises:
            BrokenCheckpoint: it does not come after the one before.
        """
        if leaf.record_id <= self._last:
            raise BrokenCheckpoint(f"leaf {self.leaves + 1} is not above the one before")
        self._last = leaf.record_id
        self.leaves += 1
        size, digest = 1, leaf.digest
        while self._full and self._full[-1][0] == size:
            _, left = self._full.pop()
            size, digest = size * 2, hash_fields(_NODE_LABEL, left, digest)
        self._full.append((size, digest))

    @property
    def root(self) -> bytes:
        """The root over the leaves so far."""
        if not self._full:
            return hash_fields(_EMPTY_LABEL)
        _, digest = self._full[-1]
        for _, left in reversed(self._full[:-1]):
            digest = hash_fields(_NODE_LABEL, left, digest)
        return digest


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointHead:
    """What is signed of a checkpoint; `vault_version` is that of the vault's row that keeps it."""

    serial: int
    made_at: Millis
    vault_version: int
    leaves: int
    root: bytes
    previous_sha256: bytes

    @property
    def digest(self) -> bytes:
        """What stands for this checkpoint (32 bytes)."""
        return hash_fields(
            _LABEL, self.serial, self.made_at, self.vault_version, self.leaves, self.root, self.previous_sha256
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCheckpoint:
    """A head with the identity key's signature (r || s) over its digest, and that key (uncompressed point)."""

    head: CheckpointHead
    identity_public_key: bytes
    signature: bytes


def leaf_line(leaf: Leaf) -> str:
    """Return the line of a leaf, without its end."""
    return f"{leaf.record_id.hex()} {leaf.version} {leaf.chain_head.hex()}"


def checkpoint_start() -> str:
    """Return what comes before the leaves."""
    return f"{_FIRST_LINE}\n"


def checkpoint_end(signed: SignedCheckpoint) -> str:
    """Return what comes after the leaves."""
    head = signed.head
    document = {
        "serial": head.serial,
        "made_at": head.made_at,
        "vault_version": head.vault_version,
        "leaves": head.leaves,
        "root": head.root.hex(),
        "previous_sha256": head.previous_sha256.hex(),
        "identity_public_key": signed.identity_public_key.hex(),
        "signature": signed.signature.hex(),
    }
    return f"{json.dumps(document)}\n"


class CheckpointReader:
    """Reads a checkpoint's lines: iterate over its leaves, and then ask for what was signed over them."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._tree = LeafTree()
        self._last_line = ""

    def __iter__(self) -> Iterator[Leaf]:
        """Yield the leaves.

        Raises:
            BrokenCheckpoint: a line is none of a checkpoint's.
        """
        if next(self._lines, "").rstrip("\n") != _FIRST_LINE:
            raise BrokenCheckpoint("not a checkpoint of a format known here")
        for line in self._lines:
            if line.startswith("{"):
                self._last_line = line
                break
            leaf = _parse_leaf(line)
            self._tree.add(leaf)
            yield leaf

    def signed(self) -> SignedCheckpoint:
        """Return the head, once all leaves were read, if it is over exactly these leaves. Its signature is not checked.

        Raises:
            BrokenCheckpoint: there is none, it is of other leaves, or something comes after it.
        """
        signed = _parse_head(self._last_line)
        if (signed.head.leaves, signed.head.root) != (self._tree.leaves, self._tree.root):
            raise BrokenCheckpoint("the leaves are not those that were signed")
        if next(self._lines, None) is not None:
            raise BrokenCheckpoint("something comes after the checkpoint's head")
        return signed


def _parse_leaf(line: str) -> Leaf:
    try:
        record_id, version, chain_head = line.rstrip("\n").split(" ")
        leaf = Leaf(bytes.fromhex(record_id), int(version), bytes.fromhex(chain_head))
    except ValueError:
        raise BrokenCheckpoint("a line is not a leaf's") from None
    if (
        not 0 < leaf.version <= _MAX_INTEGER
        or leaf_line(leaf) != line.rstrip("\n")
        or len(leaf.record_id) != len(leaf.chain_head)
        or len(leaf.chain_head) != len(NO_CHECKPOINT)
    ):
        raise BrokenCheckpoint("a line is not a leaf's")
    return leaf


def _parse_head(line: str) -> SignedCheckpoint:
    try:
        document = json.loads(line)
        numbers = {name: document.pop(name) for name in _NUMBERS}
        values = {name: bytes.fromhex(document.pop(name)) for name in _SIZES}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BrokenCheckpoint("the checkpoint has no head at its end") from None
    for name, number in numbers.items():
        if type(number) is not int or not 0 <= number <= _MAX_INTEGER:
            raise BrokenCheckpoint(f"{name} is not a number")
    for name, value in values.items():
        if len(value) != _SIZES[name]:
            raise BrokenCheckpoint(f"{name} is not {_SIZES[name]} bytes")
    if document:
        raise BrokenCheckpoint("the head has members that are not known here")
    head = CheckpointHead(
        serial=numbers["serial"],
        made_at=Millis(numbers["made_at"]),
        vault_version=numbers["vault_version"],
        leaves=numbers["leaves"],
        root=values["root"],
        previous_sha256=values["previous_sha256"],
    )
    return SignedCheckpoint(head=head, identity_public_key=values["identity_public_key"], signature=values["signature"])
