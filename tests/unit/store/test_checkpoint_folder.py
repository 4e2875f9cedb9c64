from __future__ import annotations

from pathlib import Path

import pytest

from strongroom_service.domain.checkpoints import (
    NO_CHECKPOINT,
    BrokenCheckpoint,
    CheckpointHead,
    Leaf,
    LeafTree,
    SignedCheckpoint,
)
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Misconfigured, StoreUnavailable
from strongroom_service.store.checkpoint_files import CheckpointFile
from strongroom_service.store.checkpoint_folder import CheckpointFolder

LEAVES = [Leaf(bytes([number]) * 32, number, bytes(32)) for number in (1, 2, 3)]


def signed(serial: int, *, made_at: int = 1) -> SignedCheckpoint:
    tree = LeafTree()
    for leaf in LEAVES:
        tree.add(leaf)
    head = CheckpointHead(
        serial=serial,
        made_at=Millis(made_at),
        vault_version=serial + 1,
        leaves=3,
        root=tree.root,
        previous_sha256=NO_CHECKPOINT,
    )
    return SignedCheckpoint(head=head, identity_public_key=b"\4" + bytes(64), signature=bytes(64))


def draft(folder: CheckpointFolder, *heads: SignedCheckpoint) -> None:
    """Write a draft with these heads, one in place of the other, as a run that is cut short then would leave it."""
    begun = folder.begin()
    for leaf in LEAVES:
        begun.add(leaf)
    for each in heads:
        begun.finish(each)
    begun.close()


def read(path: Path) -> tuple[list[Leaf], SignedCheckpoint]:
    with CheckpointFile(path) as file:
        return list(file.leaves()), file.signed


@pytest.fixture
def folder(tmp_path: Path) -> CheckpointFolder:
    folder = CheckpointFolder(tmp_path / "checkpoints")
    with folder.alone():
        return folder


def test_checkpoint_gets_its_name_by_its_serial_and_is_read_as_it_was_written(folder: CheckpointFolder) -> None:
    draft(folder, signed(7))
    path = folder.publish(7)
    assert path.name == "checkpoint-00000007.txt"
    assert read(path) == (LEAVES, signed(7))
    assert folder.files() == [path]


def test_head_replaces_the_one_before(folder: CheckpointFolder) -> None:
    draft(folder, signed(7, made_at=10**12), signed(7, made_at=2))
    assert read(folder.publish(7)) == (LEAVES, signed(7, made_at=2))


def test_files_come_in_order_of_their_serials(folder: CheckpointFolder) -> None:
    for serial in (10**9, 3, 20):
        draft(folder, signed(serial))
        folder.publish(serial)
    (folder.path / "notes.txt").touch()
    assert [path.name for path in folder.files()] == [
        "checkpoint-00000003.txt",
        "checkpoint-00000020.txt",
        "checkpoint-1000000000.txt",
    ]


def test_no_checkpoint_takes_anothers_place(folder: CheckpointFolder) -> None:
    draft(folder, signed(7))
    path = folder.publish(7)
    draft(folder, signed(7, made_at=2))
    with pytest.raises(StoreUnavailable, match="File exists"):
        folder.publish(7)
    assert read(path)[1] == signed(7)


def test_draft_that_the_vaults_row_keeps_is_published(folder: CheckpointFolder) -> None:
    """Cut short between the commit and the name."""
    draft(folder, signed(7))
    path = folder.recover(digest=signed(7).head.digest)
    assert path is not None
    assert folder.files() == [path]
    assert folder.recover(digest=signed(7).head.digest) is None


@pytest.mark.parametrize("heads", [(), (signed(7, made_at=2),)])
def test_draft_that_never_counted_is_removed(folder: CheckpointFolder, heads: tuple[SignedCheckpoint, ...]) -> None:
    """Cut short before the commit, or before the head."""
    draft(folder, *heads)
    assert folder.recover(digest=signed(7).head.digest) is None
    assert folder.files() == []
    draft(folder, signed(7))  # the way is free again


def test_one_checkpoint_is_made_at_a_time(folder: CheckpointFolder) -> None:
    with folder.alone(), pytest.raises(Misconfigured, match="another checkpoint is being made"), folder.alone():
        pass
    with folder.alone():
        pass


def test_folder_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "none")
    assert folder.files() == []
    assert not folder.path.exists()


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match="cannot open"), CheckpointFolder(tmp_path / "file" / "folder").alone():
        pass


def test_file_that_changes_while_it_is_read_is_refused(folder: CheckpointFolder) -> None:
    draft(folder, signed(7))
    path = folder.publish(7)
    with CheckpointFile(path) as file:
        text = path.read_text(encoding="ascii")
        path.write_text(text.replace('"made_at": 1', '"made_at": 2'), encoding="ascii")
        with pytest.raises(BrokenCheckpoint, match="changed while it was read"):
            list(file.leaves())


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot read the checkpoint"):
        CheckpointFile(tmp_path / "none")
