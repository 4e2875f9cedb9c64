"""Known bytes of checkpoints and exports; the file was made by a plain reading of docs/protocol.md."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from strongroom_service.domain.checkpoints import CheckpointHead, Leaf, LeafTree
from strongroom_service.domain.clock import Millis
from strongroom_service.keeper.formats.export import ExportTally
from tests.fakes.account import Account

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "evidence.json").read_text(encoding="utf-8")
)


def test_checkpoint() -> None:
    vector = VECTORS["checkpoint"]
    tree = LeafTree()
    assert tree.root.hex() == vector["empty_root"]
    for each in vector["leaves"]:
        leaf = Leaf(bytes.fromhex(each["record_id"]), each["version"], bytes.fromhex(each["chain_head"]))
        assert leaf.digest.hex() == each["digest"]
        tree.add(leaf)
    head = CheckpointHead(
        serial=vector["serial"],
        made_at=Millis(vector["made_at"]),
        vault_version=vector["vault_version"],
        leaves=tree.leaves,
        root=tree.root,
        previous_sha256=bytes.fromhex(vector["previous_sha256"]),
    )
    assert (head.root.hex(), head.digest.hex()) == (vector["root"], vector["digest"])


def test_export() -> None:
    vector = VECTORS["export"]
    record_id, tally = bytes.fromhex(vector["record_id"]), ExportTally()
    account = Account()
    account.enroll()
    record = replace(
        account.held,
        tenant=vector["tenant"],
        account=vector["account"],
        version=vector["version"],
        chain_head=bytes.fromhex(vector["chain_head"]),
    )
    assert tally.add_record(record, record_id=record_id).hex() == vector["record_tally"]
    given = tally.add_event(
        bytes.fromhex(vector["content"]),
        record_id=record_id,
        version=vector["event_version"],
        sealed=bytes.fromhex(vector["sealed"]),
        previous_head=bytes.fromhex(vector["previous_head"]),
    )
    assert given.hex() == vector["event_tally"]
    assert tally.end_digest(made_at=Millis(vector["made_at"])).hex() == vector["end_digest"]
