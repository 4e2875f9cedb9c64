"""The main job, acted out on this machine with the real service and the real client over gRPC with TLS.

    python -m deploy.development.demo [DIR]

Backs up DIR, which is only read, or a sample folder that it makes. Everything it writes goes to one temporary folder
(TMPDIR says where), which is removed in the end. Exits with 0 only if all that it tells has held; 1 with what did not;
130 or 143 when told to stop.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

from deploy.development import story_of_a_backup, story_of_a_stolen_login, story_of_wrong_signatures
from deploy.development.checks import CheckFailed, require
from deploy.development.narration import Narration, megabytes
from deploy.development.sample_tree import make_sample_tree
from deploy.development.stage import KEEPERS, Stage, remove_tree
from deploy.development.stop_signals import StopSignals
from deploy.development.tree_comparison import TreesDiffer, describe_tree
from strongroom_client.archive.errors import ArchiveError
from strongroom_client.authenticators.port import AuthenticatorError
from strongroom_client.envelope_content import EnvelopeError
from strongroom_client.errors import StrongroomError

_FAILURES: Final = (CheckFailed, TreesDiffer, ArchiveError, AuthenticatorError, EnvelopeError, StrongroomError)


class UnfitFolder(Exception):
    """The folder given cannot be demonstrated with."""


def main(arguments: Sequence[str]) -> int:
    """Run the demo; return the exit code."""
    parser = argparse.ArgumentParser(prog="demo", description="Strongroom's main job, acted out on this machine.")
    parser.add_argument("folder", metavar="DIR", nargs="?", type=Path, help="folder to back up (default: a sample)")
    given: Path | None = parser.parse_args(arguments).folder
    stop = StopSignals()
    begun_at = time.monotonic()
    narration = Narration(sys.stdout)
    try:
        with _temporary_folder(stop) as folder:
            _act(folder, given, narration, stop)
        require(not psutil.Process().children(recursive=True), "nothing is left running")
        require(not folder.exists(), "the temporary folder is gone")
    except (*_FAILURES, UnfitFolder) as failure:
        if stop.exit_code:  # told to stop, and the library that was at work made an error of its own of that
            return stop.exit_code
        print(f"The demo failed. {type(failure).__name__}: {failure}", file=sys.stderr)
        return 1
    seconds = time.monotonic() - begun_at
    narration.chapter(f"All of it held, in {seconds:.0f} s. Nothing is left running, the temporary folder is gone.")
    return 0


def _act(folder: Path, given: Path | None, narration: Narration, stop: StopSignals) -> None:
    source = _sample(folder) if given is None else _fit(given, temporary=folder)
    original = describe_tree(source)
    narration.chapter(f"Strongroom's main job, in {folder}")
    narration.fact(
        f"{'a sample folder' if given is None else repr(str(source))}: {original.files} files,"
        f" {original.folders} folders, {original.links} links, {megabytes(original.content_bytes)}"
    )
    begun_at = time.monotonic()
    stage = Stage(folder)
    alice, bob, carol = stage.person("alice"), stage.person("bob", strict=True), stage.person("carol")
    archive = folder / "backup.tar.zst.age"
    try:
        stage.vault.serve()
        seconds = time.monotonic() - begun_at
        narration.fact(
            f"vault at {stage.vault.address}: TLS, front, {KEEPERS} keepers, SoftHSM, SQLite; up in {seconds:.1f} s"
        )
        paper = story_of_a_backup.enroll(stage, alice, narration)
        story_of_a_backup.back_up(stage, alice, source=source, original=original, archive=archive, narration=narration)
        story_of_a_backup.restore_on_new_device(stage, alice, archive=archive, original=original, narration=narration)
        story_of_wrong_signatures.count_down(stage, alice, narration)
        story_of_wrong_signatures.use_up(stage, bob, narration)
        story_of_a_stolen_login.take_back(stage, carol, narration)
        story_of_a_stolen_login.prove(stage, carol, narration)
        story_of_a_backup.open_without_vault(
            stage, archive=archive, paper=paper, original=original, narration=narration
        )
    finally:
        stop.ignore_further()
        stage.vault.stop()


def _sample(folder: Path) -> Path:
    make_sample_tree(folder / "sample")
    return folder / "sample"


def _fit(given: Path, *, temporary: Path) -> Path:
    """Return the folder given, links resolved.

    Raises:
        UnfitFolder: it is none, or holds the temporary folder, so that the archive would be to hold itself.
    """
    source = given.resolve()
    if not source.is_dir():
        raise UnfitFolder(f"{str(given)!r} is not a folder")
    if temporary.resolve().is_relative_to(source):
        raise UnfitFolder(f"{str(given)!r} holds the temporary folder; set TMPDIR to one outside of it")
    return source


@contextmanager
def _temporary_folder(stop: StopSignals) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="strongroom-demo-"))
    try:
        yield folder
    finally:
        stop.ignore_further()
        remove_tree(folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
