"""Archives made and read by processes of their own: killed midway, short of disk, and measured."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from strongroom_client.archive.reader import extract_archive, verify_archive
from strongroom_client.archive.staging import STAGING_PREFIX
from strongroom_client.archive.writer import write_archive
from tests.integration.client.archives import IDENTITY, RECIPIENT, picture

MIB = 1 << 20
LARGE = 300 * MIB
MEMORY_BOUND = 100 * MIB

WORKER = """
import resource, signal, sys
from pathlib import Path
from strongroom_client.age_keys import parse_identity, recipient_of
from strongroom_client.archive.errors import ArchiveError
from strongroom_client.archive.reader import extract_archive
from strongroom_client.archive.writer import write_archive

what, limit, source, target, identity = sys.stdin.readline().rstrip("\\n").split("\\t")

class Halting:
    done = 0
    def begin(self, *, task, total_bytes): pass
    def end(self): pass
    def advance(self, count):
        self.done += count
        if self.done > int(limit):
            print("halted", flush=True)
            sys.stdin.readline()

def resident_peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024

identity = parse_identity(identity)
before = resident_peak()
if what == "descriptors write":
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(limit), int(limit)))
if what == "disk":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
halting = Halting() if what.startswith("halting") else None
try:
    if what.endswith("write"):
        write_archive(source=Path(source), target=Path(target), recipients=[recipient_of(identity)], progress=halting)
    elif what.endswith("extract"):
        extract_archive(archive=Path(source), target=Path(target), identities=[identity], progress=halting)
    elif what == "disk":
        write_archive(source=Path(source), target=Path(target), recipients=[recipient_of(identity)], progress=None)
    elif what == "careless":
        Path(target).write_bytes(Path(source, "large").read_bytes())
except ArchiveError as error:
    print(type(error).__name__)
except KeyboardInterrupt:
    print("interrupted")
print(resident_peak() - before)
"""


def worker() -> subprocess.Popen[str]:
    # Not measured for coverage: a killed process leaves broken data behind.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    command = [sys.executable, "-c", WORKER]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def order(what: str, *, source: Path, target: Path, limit: int = 0) -> str:
    return f"{what}\t{limit}\t{source}\t{target}\t{IDENTITY.reveal()}\n"


def run(what: str, *, source: Path, target: Path, limit: int = 0) -> list[str]:
    with worker() as process:
        told, _ = process.communicate(order(what, source=source, target=target, limit=limit))
    assert process.returncode == 0
    return told.splitlines()


def stop_midway(what: str, number: signal.Signals, *, source: Path, target: Path) -> None:
    """Start the work, wait until it says that it is in the middle, and send the signal."""
    with worker() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(order(what, source=source, target=target, limit=MIB))
        process.stdin.flush()
        assert process.stdout.readline() == "halted\n"
        process.send_signal(number)
        if number is signal.SIGINT:
            assert process.stdout.read().startswith("interrupted\n")
    assert process.returncode == (0 if number is signal.SIGINT else -number)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for name in "abcd":
        (folder / name).write_bytes(os.urandom(MIB))
    return folder


@pytest.fixture
def archive(source: Path, tmp_path: Path) -> Path:
    write_archive(source=source, target=tmp_path / "archive", recipients=[RECIPIENT], progress=None)
    return tmp_path / "archive"


def left(tmp_path: Path) -> set[str]:
    return {path.name for path in tmp_path.iterdir()} - {"source", "archive"}


def test_killed_writer_leaves_nothing_under_the_final_name(source: Path, tmp_path: Path) -> None:
    stop_midway("halting write", signal.SIGKILL, source=source, target=tmp_path / "new")
    assert all(name.startswith(STAGING_PREFIX) for name in left(tmp_path))
    write_archive(source=source, target=tmp_path / "new", recipients=[RECIPIENT], progress=None)
    verify_archive(archive=tmp_path / "new", identities=[IDENTITY], progress=None)


def test_killed_writer_leaves_the_archive_it_would_have_replaced(source: Path, archive: Path) -> None:
    before = archive.read_bytes()
    stop_midway("halting write", signal.SIGKILL, source=source, target=archive)
    assert archive.read_bytes() == before


def test_interrupted_writer_leaves_nothing_at_all(source: Path, tmp_path: Path) -> None:
    stop_midway("halting write", signal.SIGINT, source=source, target=tmp_path / "new")
    assert left(tmp_path) == set()


def test_killed_restore_leaves_nothing_under_the_final_name(source: Path, archive: Path, tmp_path: Path) -> None:
    stop_midway("halting extract", signal.SIGKILL, source=archive, target=tmp_path / "new")
    assert all(name.startswith(STAGING_PREFIX) for name in left(tmp_path))
    extract_archive(archive=archive, target=tmp_path / "new", identities=[IDENTITY], progress=None)
    assert picture(tmp_path / "new") == picture(source)


@pytest.mark.parametrize("limit", [0, 4096, MIB, 4 * MIB])
def test_full_disk_is_reported_and_leaves_nothing(limit: int, source: Path, tmp_path: Path) -> None:
    assert run("disk", source=source, target=tmp_path / "new", limit=limit)[0] == "TargetUnfit"
    assert left(tmp_path) == set()


def test_folder_that_cannot_be_read_is_reported_and_leaves_nothing(source: Path, tmp_path: Path) -> None:
    """Running out of descriptors stands for every reason, since nothing is unreadable to a test run as root."""
    (source / "/".join("e" * 60)).mkdir(parents=True)
    assert run("descriptors write", source=source, target=tmp_path / "new", limit=40)[0] == "SourceUnreadable"
    assert left(tmp_path) == set()
    run("descriptors write", source=source, target=tmp_path / "new", limit=100)
    assert left(tmp_path) == {"new"}, "control"


def test_memory_does_not_grow_with_the_size_of_what_is_archived(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    with (folder / "large").open("wb") as file:
        file.write(os.urandom(30 * MIB))
        file.truncate(LARGE)
    (grown,) = run("write", source=folder, target=tmp_path / "archive")
    assert int(grown) < MEMORY_BOUND
    (grown,) = run("extract", source=tmp_path / "archive", target=tmp_path / "restored")
    assert int(grown) < MEMORY_BOUND
    assert (tmp_path / "restored" / "large").stat().st_size == LARGE


def test_control_reading_it_whole_takes_its_size_in_memory(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    with (folder / "large").open("wb") as file:
        file.truncate(LARGE)
    (grown,) = run("careless", source=folder, target=Path(os.devnull))
    assert int(grown) > MEMORY_BOUND
