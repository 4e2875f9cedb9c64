from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom_service.domain.checkpoints import (
    BrokenCheckpoint,
    CheckpointHead,
    CheckpointReader,
    Leaf,
    LeafTree,
    SignedCheckpoint,
    checkpoint_end,
    checkpoint_start,
    leaf_line,
)
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.fields import hash_fields


def leaf(number: int, *, version: int = 3) -> Leaf:
    return Leaf(number.to_bytes(32, "big"), version, hashlib.sha256(bytes([number])).digest())


LEAVES = [leaf(number) for number in (1, 2, 5, 9, 200)]


def root_of(leaves: list[Leaf]) -> bytes:
    """RFC 6962 section 2.1, word for word, with this project's labels in place of its prefixes."""
    if not leaves:
        return hash_fields("strongroom/v1/checkpoint-empty")
    if len(leaves) == 1:
        [one] = leaves
        return hash_fields("strongroom/v1/checkpoint-leaf", one.record_id, one.version, one.chain_head)
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hash_fields("strongroom/v1/checkpoint-node", root_of(leaves[:split]), root_of(leaves[split:]))


def tree_of(leaves: list[Leaf]) -> LeafTree:
    tree = LeafTree()
    for each in leaves:
        tree.add(each)
    return tree


def signed(leaves: list[Leaf]) -> SignedCheckpoint:
    tree = tree_of(leaves)
    head = CheckpointHead(
        serial=4,
        made_at=Millis(1_700_000_000_000),
        vault_version=7,
        leaves=tree.leaves,
        root=tree.root,
        previous_sha256=bytes(range(32)),
    )
    return SignedCheckpoint(head=head, identity_public_key=b"\4" + bytes(64), signature=bytes(64))


def lines_of(leaves: list[Leaf]) -> list[str]:
    return [checkpoint_start(), *(f"{leaf_line(each)}\n" for each in leaves), checkpoint_end(signed(leaves))]


def read(lines: list[str]) -> tuple[list[Leaf], SignedCheckpoint]:
    reader = CheckpointReader(lines)
    return list(reader), reader.signed()


@given(st.lists(st.integers(0, 2**16 - 1), unique=True, max_size=70))
def test_root_is_that_of_rfc_6962(numbers: list[int]) -> None:
    leaves = [Leaf((number + 1).to_bytes(32, "big"), 1, bytes(32)) for number in sorted(numbers)]
    tree = tree_of(leaves)
    assert (tree.leaves, tree.root) == (len(leaves), root_of(leaves))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(LEAVES[:-1], id="one less"),
        pytest.param([*LEAVES, leaf(201)], id="one more"),
        pytest.param([*LEAVES[:-1], leaf(200, version=4)], id="another version"),
        pytest.param([*LEAVES[:-1], replace(LEAVES[-1], chain_head=bytes(32))], id="another head"),
        pytest.param([*LEAVES[:-1], leaf(201)], id="another record"),
    ],
)
def test_root_is_of_these_leaves_alone(other: list[Leaf]) -> None:
    assert tree_of(other).root != tree_of(LEAVES).root


@pytest.mark.parametrize("leaves", [[leaf(2), leaf(1)], [leaf(1), leaf(1, version=4)], [Leaf(b"", 1, bytes(32))]])
def test_leaves_out_of_order_are_refused(leaves: list[Leaf]) -> None:
    with pytest.raises(BrokenCheckpoint, match="not above the one before"):
        tree_of(leaves)


def test_digest_is_over_every_member_of_the_head() -> None:
    head = signed(LEAVES).head
    changed = [
        replace(head, serial=5),
        replace(head, made_at=Millis(head.made_at + 1)),
        replace(head, vault_version=8),
        replace(head, leaves=6),
        replace(head, root=bytes(32)),
        replace(head, previous_sha256=bytes(32)),
    ]
    assert len({head.digest, *(each.digest for each in changed)}) == 7


@pytest.mark.parametrize("leaves", [[], LEAVES[:1], LEAVES])
def test_checkpoint_is_read_as_it_was_written(leaves: list[Leaf]) -> None:
    assert read(lines_of(leaves)) == (leaves, signed(leaves))


def test_text_is_as_documented() -> None:
    lines = lines_of([leaf(1)])
    assert lines[0] == "strongroom checkpoint 1\n"
    assert lines[1] == f"{'00' * 31}01 3 {hashlib.sha256(bytes([1])).hexdigest()}\n"
    assert json.loads(lines[2])["serial"] == 4
    assert len(lines) == 3


def in_head(**changes: object) -> str:
    document = json.loads(lines_of(LEAVES)[-1])
    document.update(changes)
    return json.dumps(document) + "\n"


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param([], id="empty"),
        pytest.param(["strongroom checkpoint 2\n", *lines_of(LEAVES)[1:]], id="another format"),
        pytest.param(lines_of(LEAVES)[:-1], id="no head"),
        pytest.param([*lines_of(LEAVES)[:2], *lines_of(LEAVES)[3:]], id="a leaf removed"),
        pytest.param([*lines_of(LEAVES)[:-1], f"{leaf_line(leaf(201))}\n", lines_of(LEAVES)[-1]], id="a leaf added"),
        pytest.param([*lines_of(LEAVES), "more\n"], id="something after the head"),
        pytest.param([lines_of(LEAVES)[0], "\n", *lines_of(LEAVES)[1:]], id="an empty line"),
        pytest.param([lines_of(LEAVES)[0], f"{'AB' * 32} 1 {'00' * 32}\n", in_head()], id="capital hex"),
        pytest.param([lines_of(LEAVES)[0], f"{'ab' * 31} 1 {'00' * 32}\n", in_head()], id="a short id"),
        pytest.param([lines_of(LEAVES)[0], f"{'ab' * 32} +1 {'00' * 32}\n", in_head()], id="a signed version"),
        pytest.param([*lines_of(LEAVES)[:-1], in_head(serial=-1)], id="a negative serial"),
        pytest.param([*lines_of(LEAVES)[:-1], in_head(serial=True)], id="a serial that is no number"),
        pytest.param([*lines_of(LEAVES)[:-1], in_head(made_at=2**63)], id="too large a number"),
        pytest.param([*lines_of(LEAVES)[:-1], in_head(signature="00")], id="a short signature"),
        pytest.param([*lines_of(LEAVES)[:-1], in_head(root=7)], id="a root that is no text"),
        pytest.param([*lines_of(LEAVES)[:-1], in_head(more="")], id="an unknown member"),
        pytest.param([*lines_of(LEAVES)[:-1], "{\n"], id="no JSON"),
    ],
)
def test_what_is_no_checkpoint_is_refused(spoilt: list[str]) -> None:
    with pytest.raises(BrokenCheckpoint):
        read(spoilt)
