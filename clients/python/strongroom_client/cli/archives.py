"""Commands about archives: back up, restore, list, verify."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from strongroom_client.age_keys import ArchiveIdentity
from strongroom_client.archive.errors import shown
from strongroom_client.archive.places import LocalPlace, LocalShelf, Place, Shelf
from strongroom_client.archive.reader import extract_archive, list_archive, verify_archive
from strongroom_client.archive.remote import RemoteShelf, is_url, remote_place
from strongroom_client.archive.tar_format import Entry, Kind
from strongroom_client.archive.writer import write_archive
from strongroom_client.cli.configuration import Configuration
from strongroom_client.cli.exit_codes import ExitCode
from strongroom_client.cli.opening import chosen_authenticator, opened_client, warn
from strongroom_client.cli.options import BACKUPS, Browser, ChosenMode, KeyFile, KeyPrompt, State, load
from strongroom_client.cli.output import Output, Shown, tell
from strongroom_client.cli.recovery_keys import given_recovery_key
from strongroom_client.cli.schedule import archive_name, one_at_a_time, remove_old
from strongroom_client.cli.showing import shown_time
from strongroom_client.clock import Millis, system_clock
from strongroom_client.errors import DeviceError
from strongroom_client.memory import Mode
from strongroom_client.memory_folder import MemoryFolder
from strongroom_client.notices import pending_notices
from strongroom_client.progress import progress_on

group = typer.Typer(help="Look into archives.", no_args_is_help=True)

_PERMISSIONS = 0o777
_TYPES = {
    Kind.FILE: stat.S_IFREG,
    Kind.DIRECTORY: stat.S_IFDIR,
    Kind.SYMLINK: stat.S_IFLNK,
    Kind.HARD_LINK: stat.S_IFREG,
}
_NS_PER_MS = 1_000_000

Where = Annotated[str, typer.Argument(metavar="ARCHIVE", help="A file, or a URL of storage: s3://bucket/name.")]
Target = Annotated[
    str,
    typer.Argument(metavar="ARCHIVE", help="A file or URL; or a folder with / at its end: named by time in there."),
]
Exclude = Annotated[list[str] | None, typer.Option("--exclude", help="Leave out what this pattern fits (.gitignore).")]
ExcludeFrom = Annotated[
    list[Path] | None, typer.Option("--exclude-from", help="Read such patterns from a file.", dir_okay=False)
]
KeepGoing = Annotated[
    bool, typer.Option("--keep-going", help="Leave out what changes or cannot be read, name it, and end with 11.")
]
Keep = Annotated[int | None, typer.Option(help="With a folder: remove all older archives but so many.", min=1)]
Only = Annotated[list[str] | None, typer.Option("--only", help="Restore only what this pattern fits (.gitignore).")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (backup, restore):
        app.command(rich_help_panel=BACKUPS)(command)
    app.add_typer(group, name="archive", rich_help_panel=BACKUPS)


def backup(
    folder: Path,
    archive: Target,
    *,
    exclude: Exclude = None,
    exclude_from: ExcludeFrom = None,
    keep: Keep = None,
    keep_going: KeepGoing = False,
    state: State = None,
    output: Shown = Output.TEXT,
) -> None:
    """Back up FOLDER to ARCHIVE. Asks nobody: it needs neither a passkey nor, for a file, a network."""
    configuration = load(state)
    shelf = _shelf(archive, configuration)
    if keep is not None and shelf is None:
        raise typer.BadParameter("only with a folder, written with / at its end", param_hint="--keep")
    patterns = [*_patterns_in(exclude_from or ()), *(exclude or ())]
    with one_at_a_time(configuration.memory_root.parent, where=archive):
        recipients = _recipients(configuration)
        if shelf is not None:
            shelf.tidy()
        name = archive_name(folder, now=system_clock())
        place = _place(archive, configuration) if shelf is None else shelf.place(name)
        with closing(progress_on(sys.stderr)) as progress:
            summary = write_archive(
                source=folder,
                target=place,
                recipients=recipients,
                progress=progress,
                exclude=patterns,
                keep_going=keep_going,
            )
        removed = () if shelf is None or keep is None else remove_old(shelf, folder=folder, made=name, keep=keep)
    for skipped in summary.skipped:
        typer.echo(f"Left out, since no archive can hold it: {shown(skipped)}", err=True)
    for pattern in summary.idle_patterns:
        typer.echo(f"Note: this pattern fitted nothing: {shown(pattern)}", err=True)
    for loss in summary.lost:
        typer.echo(f"NOT in the backup: {loss.said}", err=True)
    where = archive if shelf is None else f"{archive.rstrip('/')}/{name}"
    said = f"Backed up {summary.files} files, {summary.bytes_written} bytes, to {shown(where)}."
    said += f" Removed {len(removed)} older archives." if removed else ""
    said += f" {len(summary.lost)} files or folders are NOT in it." if summary.lost else ""
    tell(output, said, archive=where, removed=removed, summary=summary)
    if summary.lost:
        raise typer.Exit(ExitCode.INCOMPLETE)


def restore(
    archive: Where,
    folder: Path,
    *,
    only: Only = None,
    state: State = None,
    mode: ChosenMode = None,
    recovery_key_file: KeyFile = None,
    recovery_key_prompt: KeyPrompt = False,
    browser: Browser = False,
    output: Shown = Output.TEXT,
) -> None:
    """Restore ARCHIVE, or a part of it, to the new FOLDER, with the passkey; or with the recovery key, off line."""
    key_identities = _identities_of_key(recovery_key_file, prompt=recovery_key_prompt)
    place, identities = _opened(archive, state, mode=mode, browser=browser, by_key=key_identities)
    with closing(progress_on(sys.stderr)) as progress:
        summary = extract_archive(archive=place, target=folder, identities=identities, progress=progress, only=only)
    for name in summary.outward_links:
        typer.echo(f"Note: this link points outside of the folder: {shown(name)}", err=True)
    for pattern in summary.idle_patterns:
        typer.echo(f"Note: this pattern fitted nothing: {shown(pattern)}", err=True)
    tell(output, f"Restored {summary.files} files, {summary.bytes_written} bytes.", folder=folder, summary=summary)


@group.command("list")
def list_entries(
    archive: Where,
    *,
    state: State = None,
    mode: ChosenMode = None,
    recovery_key_file: KeyFile = None,
    recovery_key_prompt: KeyPrompt = False,
    browser: Browser = False,
    output: Shown = Output.TEXT,
) -> None:
    """List what is in ARCHIVE, which is read to its end and so found whole. Writes nothing."""
    key_identities = _identities_of_key(recovery_key_file, prompt=recovery_key_prompt)
    place, identities = _opened(archive, state, mode=mode, browser=browser, by_key=key_identities)
    with closing(progress_on(sys.stderr)) as progress:
        entries = tuple(list_archive(archive=place, identities=identities, progress=progress))
    tell(output, "\n".join(map(_line, entries)), entries=tuple(map(_fields, entries)))


@group.command()
def verify(
    archive: Where,
    *,
    state: State = None,
    mode: ChosenMode = None,
    recovery_key_file: KeyFile = None,
    recovery_key_prompt: KeyPrompt = False,
    browser: Browser = False,
    output: Shown = Output.TEXT,
) -> None:
    """Read ARCHIVE to its end, and write nothing: it opens with these keys, is whole, and could be restored."""
    key_identities = _identities_of_key(recovery_key_file, prompt=recovery_key_prompt)
    place, identities = _opened(archive, state, mode=mode, browser=browser, by_key=key_identities)
    with closing(progress_on(sys.stderr)) as progress:
        summary = verify_archive(archive=place, identities=identities, progress=progress)
    tell(output, f"Whole: {summary.files} files, {summary.bytes_written} bytes.", summary=summary)


def _recipients(configuration: Configuration) -> tuple[str, str]:
    """Return what archives are encrypted to, and tell what the user should know."""
    with MemoryFolder(configuration.memory_root, owner=configuration.settings.owner) as remembered:
        memory = remembered.load()
    for notice in pending_notices(memory.pending):
        warn(notice, names=memory.names)
    if memory.archive_recipient is None or memory.recovery_recipient is None:
        raise DeviceError("this device knows no keys to back up to: enroll or restore first")
    return memory.archive_recipient, memory.recovery_recipient


def _identities_of_key(path: Path | None, *, prompt: bool) -> tuple[ArchiveIdentity, ...] | None:
    key = given_recovery_key(path, prompt=prompt)
    return None if key is None else (key.age_identity(),)


def _opened(
    archive: str,
    state: Path | None,
    *,
    mode: Mode | None,
    browser: bool,
    by_key: tuple[ArchiveIdentity, ...] | None,
) -> tuple[Place, tuple[ArchiveIdentity, ...]]:
    """Return where the archive is, and what opens it. A file and the recovery key need no configuration."""
    if by_key is not None and not is_url(archive):
        return LocalPlace(Path(archive)), by_key
    configuration = load(state, browser=browser)
    return _place(archive, configuration), _released_identities(configuration, mode) if by_key is None else by_key


def _released_identities(configuration: Configuration, mode: Mode | None) -> tuple[ArchiveIdentity, ...]:
    with opened_client(configuration) as client:
        released = client.release(chosen_authenticator(configuration.authenticator), mode=mode)
    for version, error in released.unopened:
        typer.echo(f"Archive keys of version {version} did not open: {error}", err=True)
    return released.identities()


def _place(archive: str, configuration: Configuration) -> Place:
    return remote_place(archive, options=configuration.storage) if is_url(archive) else LocalPlace(Path(archive))


def _shelf(archive: str, configuration: Configuration) -> Shelf | None:
    """Return the folder that `archive` names, or None where it names the archive itself."""
    if not archive.endswith("/"):
        return None
    if is_url(archive):
        return RemoteShelf(remote_place(archive, options=configuration.storage))
    return LocalShelf(Path(archive))


def _patterns_in(paths: Iterable[Path]) -> Iterable[str]:
    for path in paths:
        try:
            yield from path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DeviceError(f"the patterns in {path} cannot be read: {type(error).__name__}") from error


def _fields(entry: Entry) -> dict[str, object]:
    return {
        "name": entry.name,
        "kind": entry.kind.name.lower(),
        "size": entry.size,
        "stored": entry.stored,
        "mode": entry.mode,
        "mtime_ns": entry.mtime_ns,
        "link": entry.link,
    }


def _line(entry: Entry) -> str:
    mode = stat.filemode(_TYPES.get(entry.kind, stat.S_IFREG) | entry.mode & _PERMISSIONS)
    when = shown_time(Millis(entry.mtime_ns // _NS_PER_MS))
    arrow = {Kind.SYMLINK: f" -> {shown(entry.link)}", Kind.HARD_LINK: f" = {shown(entry.link)}"}.get(entry.kind, "")
    return f"{mode}  {entry.size:>12}  {when}  {shown(entry.name)}{arrow}"
