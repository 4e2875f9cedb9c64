"""A checkpoint that is broken says where; each of its numbers has its bounds, and its lines one spelling."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

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

START = checkpoint_start()
LEAF = Leaf(b"\xab" * 32, 5, b"\xcd" * 32)
LARGEST = 2**63 - 1


def signed(leaves: list[Leaf], **changes: int) -> SignedCheckpoint:
    tree = LeafTree()
    for leaf in leaves:
        tree.add(leaf)
    numbers = {"serial": 1, "vault_version": 1, "leaves": tree.leaves, **changes}
    head = CheckpointHead(**numbers, made_at=Millis(1), root=tree.root, previous_sha256=bytes(32))
    return SignedCheckpoint(head=head, identity_public_key=bytes(65), signature=bytes(64))


def read(lines: list[str]) -> SignedCheckpoint:
    reader = CheckpointReader(lines)
    list(reader)
    return reader.signed()


def head_with(**changes: object) -> str:
    document = json.loads(checkpoint_end(signed([LEAF])))
    return json.dumps({**document, **changes}) + "\n"


HEAD = checkpoint_end(signed([LEAF]))
LINE = f"{leaf_line(LEAF)}\n"
NO_LEAF = "a line is not a leaf's"
NO_HEAD = "the checkpoint has no head at its end"


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([], "not a checkpoint of a format known here"),
        (["strongroom checkpoint 1 \n", HEAD], "not a checkpoint of a format known here"),
        (["strongroom checkpoint 1X\n", HEAD], "not a checkpoint of a format known here"),
        ([START, "no leaf\n"], NO_LEAF),
        ([START, f"{'ab' * 32} 0 {'cd' * 32}\n"], NO_LEAF),
        ([START, f"{'ab' * 32} {LARGEST + 1} {'cd' * 32}\n"], NO_LEAF),
        ([START, f"{'AB' * 32} 5 {'cd' * 32}\n"], NO_LEAF),
        ([START, f"{'ab' * 31} 5 {'cd' * 32}\n"], NO_LEAF),
        ([START, f"{'ab' * 31} 5 {'cd' * 31}\n"], NO_LEAF),
        ([START, f"{'ab' * 32} 5 {'cd' * 32}\r\n"], NO_LEAF),
        ([START, LINE, LINE], "leaf 2 is not above the one before"),
        ([START, LINE], NO_HEAD),
        ([START, "{}\n"], NO_HEAD),
        ([START, HEAD], "the leaves are not those that were signed"),
        ([START, LINE, HEAD, "\n"], "something comes after the checkpoint's head"),
        ([START, LINE, head_with(made_at=LARGEST + 1)], "made_at is not a number"),
        ([START, LINE, head_with(signature="00")], "signature is not 64 bytes"),
        ([START, LINE, head_with(more=1)], "the head has members that are not known here"),
    ],
)
def test_broken_checkpoint_says_what_is_wrong(lines: list[str], text: str) -> None:
    with pytest.raises(BrokenCheckpoint) as caught:
        read(lines)
    assert str(caught.value) == text


@pytest.mark.parametrize("version", [1, LARGEST])
def test_version_of_a_leaf_may_be_as_small_and_as_large_as_versions_are(version: int) -> None:
    leaf = replace(LEAF, version=version)
    assert read([START, f"{leaf_line(leaf)}\n", checkpoint_end(signed([leaf]))]) == signed([leaf])


@pytest.mark.parametrize("number", [0, LARGEST])
def test_number_of_a_head_may_be_as_small_and_as_large_as_numbers_are(number: int) -> None:
    made = signed([LEAF], serial=number, vault_version=number)
    assert read([START, LINE, checkpoint_end(made)]) == made


def test_last_line_may_go_without_its_end() -> None:
    assert read([START.rstrip("\n"), LINE, HEAD.rstrip("\n")]) == signed([LEAF])
