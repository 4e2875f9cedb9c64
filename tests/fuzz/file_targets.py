"""Files that others may have written: checkpoints and exports off the host, logs, receipts, what a child inherits."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from strongroom_client.clock import Millis as DeviceMillis
from strongroom_client.receipts.format import (
    FIRST,
    Accepted,
    CutShort,
    Dropped,
    Entry,
    KeptReceipt,
    NotALine,
    decode_line,
    encode_line,
    line_hash,
    segment_name,
)
from strongroom_client.receipts.log import ReceiptLog
from strongroom_client.verification.kept_receipts import examine_receipts
from strongroom_client.verification.positions import Position
from strongroom_client.verification.receipts import ReceiptFor
from strongroom_service.application.export_histories import export_histories
from strongroom_service.config.files import Snapshot
from strongroom_service.domain.checkpoints import (
    BrokenCheckpoint,
    CheckpointHead,
    Leaf,
    LeafTree,
    SignedCheckpoint,
    checkpoint_end,
    checkpoint_start,
    leaf_line,
)
from strongroom_service.domain.clock import Millis
from strongroom_service.keeper.formats.checkpoint import check_signature, sign_checkpoint
from strongroom_service.keeper.formats.receipt import identity_fingerprint
from strongroom_service.keeper.fulfilments import read_fulfilments
from strongroom_service.link.operator_keeper import OperatorKeeper
from strongroom_service.store.checkpoint_files import CheckpointFile
from tests.fakes.operator_desk import DeskConnection, OperatorDesk, store_of
from tests.fuzz import honest
from tests.fuzz.client_targets import HEAD, KEYS, NONCE, REPLY
from tests.fuzz.target import Target

CHECKER = Path(__file__).resolve().parents[2] / "deploy" / "evidence" / "check_export.py"
DEEP_JSON = '{"a":' + "[" * 10_000
LEAVES = tuple(Leaf(bytes([number]) * 32, number, bytes(32)) for number in range(1, 6))


def written(name: str, data: bytes) -> Path:
    path = honest.scratch() / name
    path.write_bytes(data)
    return path


@functools.cache
def signed_checkpoint() -> SignedCheckpoint:
    tree = LeafTree()
    for leaf in LEAVES:
        tree.add(leaf)
    head = CheckpointHead(
        serial=3, made_at=Millis(1), vault_version=4, leaves=tree.leaves, root=tree.root, previous_sha256=bytes(32)
    )
    return sign_checkpoint(honest.alice().desk.token, head, epoch=1)


def checkpoint(data: bytes) -> None:
    """Read a checkpoint's file, and see that what passes by its signature is what was signed."""
    pins = {identity_fingerprint(signed_checkpoint().identity_public_key)}
    with CheckpointFile(written("checkpoint", data)) as file:
        check_signature(file.signed, pins=pins)
        if tuple(file.leaves()) != LEAVES:
            raise AssertionError("other leaves than were signed")


def checkpoints() -> list[bytes]:
    lines = "".join(f"{leaf_line(leaf)}\n" for leaf in LEAVES)
    beyond = leaf_line(Leaf(bytes(32), 2**64, bytes(32)))
    return [
        f"{checkpoint_start()}{lines}{checkpoint_end(signed_checkpoint())}".encode(),
        f"{checkpoint_start()}{beyond}\n".encode(),
        f"{checkpoint_start()}{DEEP_JSON}\n".encode(),
    ]


@functools.cache
def checker() -> Any:  # noqa: ANN401  a program that is no package's
    """The program that is given away to check exports with."""
    spec = importlib.util.spec_from_file_location("check_export", CHECKER)
    if spec is None or spec.loader is None:
        raise ImportError(CHECKER)
    module = importlib.util.module_from_spec(spec)
    sys.modules["check_export"] = module  # dataclasses look for their module by its name
    spec.loader.exec_module(module)
    return module


def export(data: bytes) -> None:
    """Check an export, and see that where nothing is found all is there that was given out."""
    check = checker().read(data.decode("utf-8").splitlines(keepends=True), vault_pin())
    if not check.findings and check.counts != counts_of(exports()[0]):
        raise AssertionError("an export that is not the one given out was found sound")


def vault_pin() -> str:
    return identity_fingerprint(honest.alice().desk.token.identity_public_key(epoch=1)).hex()


@functools.cache
def exports() -> tuple[bytes]:
    honest.dave()
    desk = honest.alice().desk
    lines: list[str] = []
    keeper = OperatorKeeper(DeskConnection(OperatorDesk(desk)))
    asyncio.run(export_histories(store_of(desk), keeper=keeper, write=lines.append))
    return ("".join(lines).encode(),)


@functools.cache
def counts_of(data: bytes) -> dict[str, int]:
    counts: dict[str, int] = checker().read(data.decode().splitlines(), vault_pin()).counts
    return counts


def receipt_log(data: bytes) -> None:
    """Read a segment of the receipt log and examine what is in it, as `strongroom receipts verify` does."""
    folder = honest.scratch() / "receipts"
    folder.mkdir(exist_ok=True)
    (folder / segment_name(1)).write_bytes(data)
    lines = ReceiptLog(folder).read()
    examination = examine_receipts(lines, pins={KEYS.fingerprint}, remembered=Position(5, HEAD))
    repr(examination)


def receipt_lines() -> list[bytes]:
    made = KEYS.receipt("get-vault", challenge=NONCE, reply=REPLY, version=5, head=HEAD)
    receipt = KeptReceipt(
        receipt_for=ReceiptFor.GET_VAULT,
        challenge=NONCE,
        ceremony=None,
        reply_sha256=hashlib.sha256(REPLY).digest(),
        reply=REPLY,
        position=Position(5, HEAD),
        identity_key=KEYS.identity_public_key,
        signature=made.signature,
        verified_at=DeviceMillis(1),
    )
    accepted = Accepted(position=Position(4, HEAD), at=DeviceMillis(2))
    entries: tuple[Entry, ...] = (receipt, accepted, CutShort(7), Dropped(segment=1, lines=9, last=HEAD))
    lines, previous = list[bytes](), FIRST
    for entry in entries:
        lines.append(encode_line(entry, previous=previous))
        previous = line_hash(lines[-1])
    return lines


def receipt_logs() -> list[bytes]:
    return [b"\n".join(receipt_lines()) + b"\n"]


def fulfilment_lines() -> bytes:
    return b"".join(b"17000 release %s %d %s\n" % (b"ab" * 32, version, b"cd" * 32) for version in (3, 4))


def snapshots() -> list[bytes]:
    good = Snapshot({Path("/a/vault.toml"): b"audience = 1"}, {Path("/a/tenants"): ("x.toml",)})
    return [good.to_bytes(), DEEP_JSON.encode()]


TARGETS = {
    "checkpoint_file": Target(parse=checkpoint, refusals=(BrokenCheckpoint,), seeds=checkpoints),
    # Its own refusal, and text that is none: the file is opened as UTF-8.
    "export_file": Target(
        parse=export, refusals=(checker().Wrong, UnicodeDecodeError), seeds=lambda: [*exports(), DEEP_JSON.encode()]
    ),
    "receipt_line": Target(
        parse=decode_line, refusals=(NotALine,), seeds=lambda: [*receipt_lines(), DEEP_JSON.encode()]
    ),
    "receipt_log": Target(parse=receipt_log, refusals=(), seeds=receipt_logs),
    "fulfilment_log": Target(
        parse=lambda data: read_fulfilments(written("fulfilled.log", data)),
        refusals=(),
        seeds=lambda: [fulfilment_lines()],
    ),
    "configuration_snapshot": Target(parse=Snapshot.from_bytes, refusals=(ValueError,), seeds=snapshots),
}
