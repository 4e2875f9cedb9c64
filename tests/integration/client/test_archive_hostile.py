"""Archives made to write outside of their target. Each attack is first shown to work on an extractor that trusts it."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from strongroom_client.archive.errors import ArchiveError, RefusedEntry
from strongroom_client.archive.extraction_tree import ExtractionTree
from strongroom_client.archive.reader import extract_archive, verify_archive
from strongroom_client.archive.tar_format import Entry, Kind
from tests.integration.client.archives import IDENTITY, Member, extract_naively, member, picture, sealed, tar_of

SYMLINK, HARD_LINK, FOLDER = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE
EVIL = b"planted"

# Each gets the folder outside, which holds a file `victim`, and lies beside the target.
ATTACKS: dict[str, Callable[[Path], list[Member]]] = {
    "absolute path": lambda outside: [member(str(outside / "new"), content=EVIL)],
    "parent path": lambda _: [member("../outside/new", content=EVIL)],
    "parent path after a folder": lambda _: [member("a", FOLDER), member("a/../../outside/new", content=EVIL)],
    "folder by parent path": lambda _: [member("../outside/new", FOLDER)],
    "link by parent path": lambda _: [member("../outside/new", SYMLINK, "/nowhere")],
    "path through an absolute link": lambda outside: [
        member("s", SYMLINK, str(outside)),
        member("s/new", content=EVIL),
    ],
    "path through a relative link": lambda _: [member("s", SYMLINK, "../outside"), member("s/new", content=EVIL)],
    "path through links that look harmless one by one": lambda _: [
        member("here", SYMLINK, "."),
        member("up", SYMLINK, "here/.."),
        member("up/outside/new", content=EVIL),
    ],
    "folder through a link": lambda _: [member("s", SYMLINK, "../outside"), member("s/new", FOLDER)],
    "folder entry over a link": lambda _: [
        member("s", SYMLINK, "../outside"),
        member("s", FOLDER, mode=0o755),
        member("s/new", content=EVIL),
    ],
    "link through a link": lambda _: [member("s", SYMLINK, "../outside"), member("s/new", SYMLINK, "/nowhere")],
    "hard link to an absolute path, then written to": lambda outside: [
        member("h", HARD_LINK, str(outside / "victim")),
        member("h", content=EVIL),
    ],
    "hard link to a parent path, then written to": lambda _: [
        member("h", HARD_LINK, "../outside/victim"),
        member("h", content=EVIL),
    ],
    "hard link through a symbolic link, then written to": lambda _: [
        member("s", SYMLINK, "../outside"),
        member("h", HARD_LINK, "s/victim"),
        member("h", content=EVIL),
    ],
    "mode of a folder through a link": lambda _: [
        member("s", SYMLINK, "../outside"),
        member("s/victim", FOLDER, mode=0o777),
    ],
}


def outside_of(tmp_path: Path) -> Path:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o755)
    (outside / "victim").write_bytes(b"untouched")
    (outside / "victim").chmod(0o600)
    os.utime(outside, ns=(0, 0))
    return outside


def extract(tar: bytes, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(sealed(tar))
    extract_archive(archive=tmp_path / "archive", target=tmp_path / "target", identities=[IDENTITY], progress=None)


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_is_refused_and_nothing_is_touched_outside(attack: str, tmp_path: Path) -> None:
    outside = outside_of(tmp_path)
    (tmp_path / "archive").write_bytes(sealed(tar_of(ATTACKS[attack](outside))))
    before = picture(tmp_path)
    with pytest.raises(RefusedEntry) as caught:
        extract_archive(archive=tmp_path / "archive", target=tmp_path / "target", identities=[IDENTITY], progress=None)
    assert picture(tmp_path) == before | {b".": picture(tmp_path)[b"."]}
    assert caught.value.entry in {info.name for info, _ in ATTACKS[attack](outside)}
    assert ascii(caught.value.entry) in str(caught.value)


@pytest.mark.parametrize("attack", ATTACKS)
def test_control_the_attack_works_on_an_extractor_that_trusts_it(attack: str, tmp_path: Path) -> None:
    outside = outside_of(tmp_path)
    if attack == "mode of a folder through a link":
        (outside / "victim").unlink()
        (outside / "victim").mkdir(mode=0o700)
    before = picture(outside)
    extract_naively(tar_of(ATTACKS[attack](outside)), tmp_path / "target")
    assert picture(outside) != before


def test_file_is_not_written_through_a_link_of_its_name(tmp_path: Path) -> None:
    outside = outside_of(tmp_path)
    attack = tar_of([member("s", SYMLINK, "../outside/victim"), member("s", content=EVIL)])
    with pytest.raises(RefusedEntry) as caught:
        extract(attack, tmp_path)
    assert caught.value.entry == "s"
    assert (outside / "victim").read_bytes() == b"untouched"
    (tmp_path / "naive").mkdir()
    (tmp_path / "naive" / "s").symlink_to("../outside/victim")
    (tmp_path / "naive" / "s").write_bytes(EVIL)
    assert (outside / "victim").read_bytes() == EVIL, "control: an ordinary open follows the link"


@pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.GNUTYPE_SPARSE, b"Z"])
def test_what_is_neither_file_folder_nor_link_is_refused(kind: bytes, tmp_path: Path) -> None:
    with pytest.raises(RefusedEntry) as caught:
        extract(tar_of([member("odd", kind)]), tmp_path)
    assert caught.value.entry == "odd"
    assert not (tmp_path / "target").exists()


def test_control_a_pipe_is_made_by_an_extractor_that_trusts_the_archive(tmp_path: Path) -> None:
    extract_naively(tar_of([member("odd", tarfile.FIFOTYPE)]), tmp_path / "naive")
    assert stat.S_ISFIFO((tmp_path / "naive" / "odd").stat().st_mode)


def test_bits_that_lend_privileges_are_not_restored(tmp_path: Path) -> None:
    tar = tar_of([member("program", content=EVIL, mode=0o6755), member("shared", FOLDER, mode=0o3777)])
    extract(tar, tmp_path)
    assert stat.S_IMODE((tmp_path / "target" / "program").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "target" / "shared").stat().st_mode) == 0o777
    extract_naively(tar, tmp_path / "naive")
    assert (tmp_path / "naive" / "program").stat().st_mode & stat.S_ISUID, "control"


@pytest.mark.parametrize(
    "members",
    [
        [member("a", content=b"1"), member("a", content=b"2")],
        [member("a", content=b"1"), member("./a", content=b"2")],
        [member("a", content=b"1"), member("b//../a", content=b"2")],
        [member("a", FOLDER), member("a", FOLDER, mode=0o777)],
        [member("a", FOLDER), member("a", content=b"2")],
        [member("a", FOLDER), member("a", SYMLINK, "/")],
        [member("a/b", content=b"1"), member("a", content=b"2")],
        [member("a", content=b"1"), member("a/b", content=b"2")],
        [member("a", SYMLINK, "b"), member("a", SYMLINK, "c")],
        [member("a", content=b"1"), member("b", content=b"1"), member("a", HARD_LINK, "b")],
        [member(".", content=b"1")],
        [member(".", SYMLINK, "/")],
        [member(".", FOLDER), member("./", FOLDER)],
    ],
)
def test_a_name_is_used_once(members: list[Member], tmp_path: Path) -> None:
    with pytest.raises(RefusedEntry) as caught:
        extract(tar_of(members), tmp_path)
    assert caught.value.entry == members[-1][0].name.rstrip("/")
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("link", ["missing", "folder", "symbolic", "", ".", "/", "h", "folder/missing", "symbolic/x"])
def test_a_hard_link_joins_an_earlier_file_of_the_archive_only(link: str, tmp_path: Path) -> None:
    members = [member("file"), member("folder", FOLDER), member("symbolic", SYMLINK, "file")]
    with pytest.raises(RefusedEntry) as caught:
        extract(tar_of([*members, member("h", HARD_LINK, link)]), tmp_path)
    assert caught.value.entry == "h"


def test_links_that_point_outside_are_restored_unfollowed_and_listed(tmp_path: Path) -> None:
    outside = outside_of(tmp_path)
    links = {
        "absolute": "/etc",
        "up": "..",
        "a/up twice": "../../x",
        "round about": "a/../../outside",
        "a/inside": "../file",
        "down": "a/inside",
        "dots": "..a",
    }
    (tmp_path / "archive").write_bytes(sealed(tar_of([member(name, SYMLINK, link) for name, link in links.items()])))
    summary = extract_archive(
        archive=tmp_path / "archive", target=tmp_path / "target", identities=[IDENTITY], progress=None
    )
    assert summary.outward_links == ("absolute", "up", "a/up twice", "round about")
    assert {name: str((tmp_path / "target" / name).readlink()) for name in links} == links
    assert (outside / "victim").read_bytes() == b"untouched"


def test_another_case_of_a_links_name_does_not_lead_through_it(tmp_path: Path) -> None:
    outside = outside_of(tmp_path)
    extract(tar_of([member("S", SYMLINK, "../outside"), member("s/new", content=EVIL)]), tmp_path)
    assert (tmp_path / "target" / "s" / "new").read_bytes() == EVIL
    assert os.listdir(outside) == ["victim"]  # noqa: PTH208  names are all that is asked


def entry(name: str, kind: Kind = Kind.FILE, link: str = "") -> Entry:
    return Entry(name=name, kind=kind, mode=0o600, mtime_ns=0, link=link)


def test_file_system_that_ignores_case_cannot_be_used_to_get_through_a_link(tmp_path: Path) -> None:
    """There, the name that an entry creates exists already although no entry of that name came: as here."""
    outside, target = outside_of(tmp_path), tmp_path / "target"
    target.mkdir()
    root = os.open(target, os.O_RDONLY)
    with closing(ExtractionTree(root)) as tree:
        (target / "s").symlink_to("../outside")
        for attempt in (
            lambda: tree.make_file(entry("s"), [EVIL]),
            lambda: tree.make_file(entry("s/new"), [EVIL]),
            lambda: tree.make_folder(entry("s/new", Kind.DIRECTORY)),
            lambda: tree.make_folder(entry("s", Kind.DIRECTORY)),
            lambda: tree.make_symlink(entry("s/new", Kind.SYMLINK, "/")),
            lambda: tree.make_hard_link(entry("h", Kind.HARD_LINK, "s/victim")),
        ):
            with pytest.raises(RefusedEntry):
                attempt()
    os.close(root)
    assert os.listdir(outside) == ["victim"]  # noqa: PTH208  names are all that is asked


def test_folder_replaced_by_a_link_behind_the_trees_back_is_not_followed(tmp_path: Path) -> None:
    """The last line of defence, O_NOFOLLOW: the tree believes that it made the folder, and the disk says a link."""
    outside, target = outside_of(tmp_path), tmp_path / "target"
    target.mkdir()
    root = os.open(target, os.O_RDONLY)
    before = picture(outside)
    with closing(ExtractionTree(root)) as tree:
        tree.make_folder(entry("d", Kind.DIRECTORY))
        tree.make_file(entry("file"), [b""])
        (target / "d").rmdir()
        (target / "d").symlink_to("../outside")
        with pytest.raises(RefusedEntry):
            tree.make_file(entry("d/new"), [EVIL])
        with pytest.raises(RefusedEntry):
            tree.make_hard_link(entry("h", Kind.HARD_LINK, "d/victim"))
        with pytest.raises(RefusedEntry):
            tree.finish()
    os.close(root)
    assert picture(outside) == before
    (target / "d" / "new").write_bytes(EVIL)
    assert picture(outside) != before, "control: an ordinary open follows the link"


@pytest.mark.parametrize("attack", [name for name in ATTACKS if "path" in name and "link" not in name])
def test_reading_through_names_paths_that_lead_out(attack: str, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(sealed(tar_of(ATTACKS[attack](outside_of(tmp_path)))))
    with pytest.raises(RefusedEntry):
        verify_archive(archive=tmp_path / "archive", identities=[IDENTITY], progress=None)


def pax(**records: str) -> Member:
    made = member("file", content=b"content")
    made[0].pax_headers = dict(records)
    return made


@pytest.mark.parametrize(
    "members",
    [
        [pax(path="../file")],
        [pax(path="/file")],
        [pax(path="fi\0le")],
        [pax(path="")],
        [pax(size="-1")],
        [pax(size="99999999999999999999")],
        [pax(size="7_0")],
        [pax(mtime="nan")],
        [pax(mtime="9" * 13)],
        [pax(mtime="1e5")],
        [pax(**{"GNU.sparse.major": "1"})],
        [member("s", SYMLINK, "")],
        [member("d", FOLDER, content=b"a folder with content")],
        [member("s", SYMLINK, "x", content=b"a link with content")],
    ],
)
def test_headers_that_say_the_impossible_are_refused(members: list[Member], tmp_path: Path) -> None:
    with pytest.raises(RefusedEntry):
        extract(tar_of(members), tmp_path)
    assert not (tmp_path / "target").exists()


def test_headers_without_bounds_are_not_kept_in_memory(tmp_path: Path) -> None:
    info, _ = member("x", tarfile.XHDTYPE)
    info.size = 8 << 30
    header = info.tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(ArchiveError, match="unreasonable size"):
        extract(header + bytes(1 << 20), tmp_path)
