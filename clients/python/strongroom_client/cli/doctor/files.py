"""This device's files: who may read them, and what it remembers."""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from strongroom_client.account_tokens import AccountTokenFile
from strongroom_client.cli.configuration import SOFTWARE, Configuration
from strongroom_client.cli.doctor.findings import Finding, Outcome, fail, ok, warn
from strongroom_client.errors import AccountTokenMissing, MemoryBusy, MemoryFault
from strongroom_client.memory import AccountMemory
from strongroom_client.memory_folder import MemoryFolder
from strongroom_client.strict_json import mapping

_OTHERS_WRITE: Final = 0o022
_OTHERS: Final = 0o077


def check_modes(configuration: Configuration) -> Iterator[Finding]:
    """Look at who may read and write what only this user should."""
    root = configuration.memory_root
    yield _private_folder("state_folder", root.parent, forbidden=_OTHERS_WRITE)
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir())] if root.is_dir() else []
    found = [_private_folder("memory_folder", path, forbidden=_OTHERS_WRITE) for path in folders]
    if found:
        yield next((finding for finding in found if finding.outcome is Outcome.FAIL), found[-1])
    for choice in {configuration.authenticator, configuration.further_authenticator}:
        if choice.kind == SOFTWARE and choice.file is not None and choice.file.exists():
            yield _private_file("passkey_file", choice.file)


def check_token(configuration: Configuration, *, now_seconds: float) -> Iterator[Finding]:
    """Look at the account token, as far as this device can judge it."""
    path, owner = configuration.account_token_file, configuration.settings.owner
    remedy = "sign in to the product again, so that it writes a fresh one"
    try:
        claims = _claims(AccountTokenFile(path)())
    except (AccountTokenMissing, ValueError, TypeError) as error:
        yield fail("account_token", f"{path}: {error}" if str(error) else f"{path} holds no JWT", remedy)
        return
    yield _private_file("account_token_file", path)
    expires = claims.get("exp")
    if claims.get("sub") != owner.account:
        yield fail("account_token", "it is another account's than the configuration says", remedy)
    elif not isinstance(expires, int | float) or expires <= now_seconds:
        yield fail("account_token", "it has expired, by this device's clock", remedy)
    else:
        yield ok("account_token", f"good until {datetime.fromtimestamp(expires, tz=UTC):%Y-%m-%d %H:%M:%S UTC}")


def check_memory(configuration: Configuration) -> tuple[Finding, AccountMemory | None]:
    """Look at what this device remembers."""
    try:
        with MemoryFolder(configuration.memory_root, owner=configuration.settings.owner) as folder:
            memory = folder.load()
    except MemoryBusy as error:
        return warn("memory", str(error), "wait until the other command has ended"), None
    except MemoryFault as error:
        return fail("memory", str(error), "put memory.json back from a backup, or move it away and restore once"), None
    if memory.contested is not None:
        said = f"the vault showed version {memory.contested.version}, which does not go on from what is known"
        return fail("memory", said, "ask the vault's operator; then `strongroom accept-older-vault`"), memory
    if memory.archive_recipient is None:
        return warn("memory", "no keys to back up to are known", "enroll, or restore once"), memory
    return ok("memory", f"the vault at version {memory.position.version}; ready for backups"), memory


def _claims(token: str) -> dict[str, object]:
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004  RFC 7515, section 7.1
        raise ValueError
    return mapping(json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))))


def _private_folder(check: str, path: Path, *, forbidden: int) -> Finding:
    try:
        status = path.stat()
    except OSError as error:
        return fail(check, f"{path}: {error.strerror}", "make it, for this user alone")
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & forbidden:
        return fail(check, f"{path} is not this user's alone to change", f"chown it to yourself, and chmod 700 {path}")
    if status.st_mode & _OTHERS:
        return warn(check, f"others may look into {path}", f"chmod 700 {path}")
    return ok(check, f"{path} is this user's alone")


def _private_file(check: str, path: Path) -> Finding:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return fail(check, f"{path}: {error.strerror}", "let this user read it")
    if mode & _OTHERS:
        return fail(check, f"{path} can be read by others (mode {stat.S_IMODE(mode):o})", f"chmod 600 {path}")
    return ok(check, f"{path} is this user's alone")
