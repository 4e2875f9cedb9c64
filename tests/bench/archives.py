"""How fast archives are written and restored, beside age alone on the same bytes."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pyrage  # type: ignore[import-untyped]  # it has no stubs

from strongroom_client.age_keys import generate_identity, recipient_of
from strongroom_client.archive.reader import extract_archive
from strongroom_client.archive.writer import write_archive

MEBIBYTE = 1 << 20
ROUNDS = 3
# Half of it media that no compression makes smaller, half text: 32 large files and 480 small ones.
_LARGE_FILES, _LARGE_BYTES = 32, 2 * MEBIBYTE
_SMALL_FILES, _SMALL_BYTES = 480, 128 * 1024
_WORDS = tuple(f"word{number}" for number in range(4_096))


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSpeeds:
    """MiB of content per second, each the median of `ROUNDS` runs. Archives and age files are synced to disk."""

    content_mib: float
    archive_mib: float
    backup: float
    restore: float
    age_encrypt: float
    age_decrypt: float


def measure_archives(folder: Path) -> ArchiveSpeeds:
    """Measure in `folder`, which is left full of files."""
    source = folder / "source"
    content_bytes = _make_source(source)
    plain, archive, sealed = folder / "content", folder / "source.tar.zst.age", folder / "content.age"
    plain.write_bytes(b"".join(path.read_bytes() for path in sorted(source.rglob("*.*"))))
    identity, recovery = generate_identity(), generate_identity()
    recipients = [recipient_of(identity), recipient_of(recovery)]
    targets = iter(folder / f"restored-{number}" for number in range(ROUNDS))

    def backup() -> None:
        write_archive(source=source, target=archive, recipients=recipients, progress=None)

    def restore() -> None:
        extract_archive(archive=archive, target=next(targets), identities=[identity], progress=None)

    def age_encrypt() -> None:
        parsed = [pyrage.x25519.Recipient.from_str(recipient) for recipient in recipients]
        with plain.open("rb") as content, sealed.open("wb") as target:
            pyrage.encrypt_io(content, target, parsed)
            os.fsync(target.fileno())

    def age_decrypt() -> None:
        key = pyrage.x25519.Identity.from_str(identity.reveal())
        with sealed.open("rb") as content, (folder / "opened").open("wb") as target:
            pyrage.decrypt_io(content, target, [key])

    content_mib = content_bytes / MEBIBYTE
    return ArchiveSpeeds(
        content_mib=content_mib,
        backup=content_mib / _seconds_of(backup),
        restore=content_mib / _seconds_of(restore),
        age_encrypt=content_mib / _seconds_of(age_encrypt),
        age_decrypt=content_mib / _seconds_of(age_decrypt),
        archive_mib=archive.stat().st_size / MEBIBYTE,
    )


def _seconds_of(run: Callable[[], None]) -> float:
    return median(_timed(run) for _ in range(ROUNDS))


def _timed(run: Callable[[], None]) -> float:
    started_at = time.perf_counter()
    run()
    return time.perf_counter() - started_at


def _make_source(folder: Path) -> int:
    chance = random.Random(1)
    for number in range(_LARGE_FILES):
        _write(folder / f"media-{number % 4}" / f"{number}.jpg", os.urandom(_LARGE_BYTES))
    for number in range(_SMALL_FILES):
        text = " ".join(chance.choices(_WORDS, k=_SMALL_BYTES // 6)).encode()
        _write(folder / f"notes-{number % 16}" / f"{number}.txt", text[:_SMALL_BYTES])
    return _LARGE_FILES * _LARGE_BYTES + _SMALL_FILES * _SMALL_BYTES


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
