"""A folder such as people have, and such as break backup programs: odd names, links, modes, times and sizes.

The same bytes and times on every run. Nothing in it is anybody's.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Final

_MIB: Final = 1 << 20
_PHOTOS: Final = 44
_NOTES: Final = 130
_SECOND: Final = 10**9
_FIRST_TIME: Final = 1_262_304_000 * _SECOND  # 2010-01-01
_HOUR: Final = 3_600 * _SECOND

_ODD_NAMES: Final = (
    b" leading and trailing blanks ",
    b"two\nlines",
    b"tab\there",
    b"carriage\rreturn",
    b"-rf",
    b"--help",
    b"-",
    b"~",
    b"...",
    b".hidden",
    b"back\\slash",
    b"'single' \"double\" `back`",
    b"$(echo expanded) ${HOME} %PATH%",
    b"*?[a-z]",
    b"semi;colon & ampersand | pipe > file",
    b"#comment",
    b"CON",
    b"escape\x1b[31mred",
    b"\x01\x02\x7f",
    b"latin-1 caf\xe9",
    b"not UTF-8 \xff\xfe\xc3\x28",
    "composed caf\u00e9".encode(),
    "decomposed cafe\u0301".encode(),
    "photo \N{PARTY POPPER}\N{FAMILY}\N{ZERO WIDTH JOINER}\N{GIRL}.txt".encode(),
    "\u202eright to left".encode(),
    "\u65e5\u672c\u8a9e".encode(),
    b"n" * 255,
    b"Case",
    b"case",
)
_SIZES: Final = (1, 511, 512, 513, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, _MIB - 1, _MIB, _MIB + 1)
_FILE_MODES: Final = (0o600, 0o644, 0o755, 0o444, 0o400, 0o640, 0o777, 0o500)
_TIMES_NS: Final = (
    0,
    1,
    -86_400 * _SECOND,
    1_000_000_000 * _SECOND + 123_456_789,
    4_102_444_800 * _SECOND,  # 2100-01-01
    (1 << 32) * _SECOND + 999_999_999,
)
_WORDS: Final = ("what", "somebody", "wrote", "down", "and", "would", "miss", "if", "it", "were", "gone")


def make_sample_tree(root: Path) -> None:
    """Make the folder `root` with more than 200 files and 50 MB.

    Raises:
        FileExistsError: it is there already.
    """
    root.mkdir()
    chance = random.Random(2026)  # noqa: S311  content of samples, the same on every run
    for make in (_photos, _notes, _odd_names, _sizes, _links, _modes, _depths):
        folder = root / make.__name__.strip("_")
        folder.mkdir()
        make(folder, chance)
    _set_times(root)
    # The last word on modes: a folder that nobody may write to cannot get entries or be cleaned by chance.
    (root / "modes" / "read-only folder").chmod(0o555)


def _photos(folder: Path, chance: random.Random) -> None:
    """As of a camera: large, and no compressor makes them smaller."""
    for number in range(_PHOTOS):
        (folder / f"IMG_{number:04}.JPG").write_bytes(chance.randbytes(_MIB + chance.randrange(_MIB // 4)))


def _notes(folder: Path, chance: random.Random) -> None:
    """Many, small, repetitive."""
    for number in range(_NOTES):
        year = folder / str(2010 + number % 13)
        year.mkdir(exist_ok=True)
        words = chance.choices(_WORDS, k=chance.randrange(20, 4_000))
        (year / f"note {number}.md").write_text(" ".join(words) + "\n")


def _odd_names(folder: Path, chance: random.Random) -> None:
    for name in _ODD_NAMES:
        (folder / os.fsdecode(name)).write_bytes(name + chance.randbytes(64))
    within = folder / os.fsdecode(b"folder \xff\n-x")
    within.mkdir()
    (within / "file").write_text("in an odd folder\n")


def _sizes(folder: Path, chance: random.Random) -> None:
    for size in _SIZES:
        (folder / f"{size} bytes").write_bytes(chance.randbytes(size))
    for number in range(3):
        (folder / f"empty {number}").touch()
    (folder / "empty folder" / "in it another").mkdir(parents=True)
    with (folder / "mostly holes").open("wb") as sparse:
        sparse.write(b"begin")
        sparse.seek(4 * _MIB)
        sparse.write(b"middle")
        sparse.truncate(8 * _MIB)


def _links(folder: Path, chance: random.Random) -> None:
    (folder / "file").write_bytes(chance.randbytes(10_000))
    (folder / "folder").mkdir()
    (folder / "folder" / "inner").write_text("behind a link\n")
    for name, target in (
        (b"to file", b"file"),
        (b"to folder", b"folder"),
        (b"up and down", b"../links/folder/inner"),
        (b"dangling", b"nowhere/at/all"),
        (b"absolute", b"/nonexistent/strongroom"),
        (b"to itself", b"to itself"),
        (b"to odd name \xfe", b"two\nlines \xff"),
        (b"far", b"x" * 300),
    ):
        os.symlink(target, os.path.join(os.fsencode(folder), name))  # noqa: PTH118, PTH211  names are bytes
    (folder / "twice").hardlink_to(folder / "file")
    (folder / "folder" / "thrice").hardlink_to(folder / "file")
    (folder / "empty").touch()
    (folder / "empty too").hardlink_to(folder / "empty")


def _modes(folder: Path, chance: random.Random) -> None:
    for mode in _FILE_MODES:
        file = folder / f"file {mode:04o}"
        file.write_bytes(chance.randbytes(100))
        file.chmod(mode)
    for name, mode in (("private folder", 0o700), ("open folder", 0o777), ("read-only folder", 0o755)):
        (folder / name).mkdir()
        (folder / name / "file").write_text(f"in a {name}\n")
        (folder / name).chmod(mode)


def _depths(folder: Path, chance: random.Random) -> None:
    deep = folder
    for level in range(24):
        deep = deep / f"level {level} {'and deeper ' * 3}".strip()
        deep.mkdir()
    (deep / "at the bottom").write_bytes(chance.randbytes(1_000))


def _set_times(root: Path) -> None:
    """Give everything a time of its own, the odd ones too; folders after what is in them."""
    top = os.fsencode(root)
    # Not rglob: that of Python 3.11.2 stumbles over a link to a name that is too long.
    entries = sorted(folder + b"/" + name for folder, folders, files in os.walk(top) for name in (*folders, *files))
    for number, path in enumerate(reversed([top, *entries])):
        mtime_ns = _TIMES_NS[number] if number < len(_TIMES_NS) else _FIRST_TIME + number * _HOUR + number
        os.utime(path, ns=(mtime_ns, mtime_ns), follow_symlinks=False)
