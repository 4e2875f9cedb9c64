"""The main job, chapter by chapter: enroll, back up, restore on a new device, and open without the vault."""

from __future__ import annotations

import time
from pathlib import Path

from deploy.development.checks import require
from deploy.development.narration import Narration, megabytes, speed
from deploy.development.stage import Person, Stage, remove_tree
from deploy.development.tree_comparison import Tree, describe_tree, require_same_trees
from strongroom_client.age_keys import ArchiveIdentity
from strongroom_client.archive.reader import extract_archive
from strongroom_client.archive.writer import write_archive
from strongroom_client.recovery_key import parse_recovery_key

_ENROLLMENT_PROMPTS = 3  # passkey made, first envelope stored, trial release


def enroll(stage: Stage, person: Person, narration: Narration) -> str:
    """Enroll `person`; return the recovery key as it is shown."""
    narration.chapter(f"1  {person.account} enrolls a passkey")
    begun_at = time.monotonic()
    with stage.client(person) as client:
        enrollment = client.enroll(person.passkey, user_name=person.account)
        seconds = time.monotonic() - begun_at
        status = client.vault()
    shown = enrollment.recovery_key.reveal()
    require(person.passkey.prompts == _ENROLLMENT_PROMPTS, f"enrolling takes {_ENROLLMENT_PROMPTS} prompts")
    require(status.state == "live" and status.has_recovery_key, "the vault is live and knows the recovery credential")
    narration.fact(
        f"passkey made, archive key stored, trial release opened it: {person.passkey.prompts} prompts, {seconds:.1f} s"
    )
    narration.fact(
        f"the vault signs: {status.state}, version {status.version}, {status.attempts_left} attempts,"
        f" {len(status.passkeys)} passkey, mode {status.mode}"
    )
    narration.fact("recovery key, shown this once (it belongs on paper):")
    rows = shown.splitlines()
    for left, right in zip(rows[::2], rows[1::2], strict=True):
        narration.fact(f"   {left}   {right}")
    return shown


def back_up(stage: Stage, person: Person, *, source: Path, original: Tree, archive: Path, narration: Narration) -> None:
    """Write `source`, which `original` describes, to `archive`. Needs no prompt and not the vault."""
    narration.chapter("2  Back up the folder")
    with stage.client(person) as client:
        memory = client.memory
    recipients = [one for one in (memory.archive_recipient, memory.recovery_recipient) if one is not None]
    prompts, begun_at = person.passkey.prompts, time.monotonic()
    with narration.progress() as progress:
        summary = write_archive(source=source, target=archive, recipients=recipients, progress=progress)
    seconds = time.monotonic() - begun_at
    require(person.passkey.prompts == prompts, "a backup asks for no prompt")
    require(len(recipients) == 2, "an archive is encrypted to archive key and recovery key")  # noqa: PLR2004  those two
    require_same_trees(expected=original, found=describe_tree(source))
    narration.fact(
        f"{summary.files} files, {summary.directories} folders, {summary.links} links,"
        f" {megabytes(summary.bytes_read)} in {speed(summary.bytes_read, seconds=seconds)}"
    )
    narration.fact(f"no prompt; {megabytes(summary.bytes_written)}, encrypted to archive key and recovery key, in")
    narration.fact(str(archive))
    if summary.skipped:
        narration.fact(f"left out: {len(summary.skipped)} sockets, pipes or devices, which no archive can hold")


def restore_on_new_device(stage: Stage, person: Person, *, archive: Path, original: Tree, narration: Narration) -> None:
    """Forget the device, keep archive and passkey, release through the vault, restore, compare."""
    narration.chapter("3  A new device: only the archive and the passkey are left")
    remove_tree(person.device)
    prompts, begun_at = person.passkey.prompts, time.monotonic()
    with stage.client(person) as client:
        require(client.memory.position.version == 0, "a new device remembers nothing")
        released = client.release(person.passkey)
        seconds = time.monotonic() - begun_at
        status = client.vault()
    require(person.passkey.prompts == prompts + 1, "a release takes one prompt")
    narration.fact(f"one prompt, {1e3 * seconds:.0f} ms: archive key released, sealed to this device, opened by PRF")
    narration.fact(f"receipt checked against the pinned identity key; {status.releases_left} releases left today")
    _restore_and_compare(
        archive, released.identities(), original=original, target=stage.folder / "restored", narration=narration
    )


def open_without_vault(stage: Stage, *, archive: Path, paper: str, original: Tree, narration: Narration) -> None:
    """Stop the service and open the same archive with what was written on paper."""
    narration.chapter("7  The vault is gone: the recovery key alone")
    require(stage.vault.stop() == 0, "a vault told to stop ends well")
    require(not stage.is_listening(), "a stopped vault answers nobody")
    narration.fact(f"service stopped, nothing listens at {stage.vault.address}")
    identity = parse_recovery_key(paper).age_identity()
    _restore_and_compare(
        archive, (identity,), original=original, target=stage.folder / "recovered", narration=narration
    )


def _restore_and_compare(
    archive: Path, identities: tuple[ArchiveIdentity, ...], *, original: Tree, target: Path, narration: Narration
) -> None:
    begun_at = time.monotonic()
    with narration.progress() as progress:
        summary = extract_archive(archive=archive, target=target, identities=identities, progress=progress)
    seconds = time.monotonic() - begun_at
    require_same_trees(expected=original, found=describe_tree(target))
    narration.fact(f"{summary.files} files restored in {speed(summary.bytes_written, seconds=seconds)}")
    narration.fact(f"compared: {len(original.entries)} entries, every byte, name, mode, link and time is the same")
    remove_tree(target)
