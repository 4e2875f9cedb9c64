"""`strongroomd support-bundle`: what somebody who helps must know of a vault, and nothing that must stay with it.

Of logs only counts go in: which process told of which event how often, and when first and last.
"""

from __future__ import annotations

import io
import json
import os
import platform
import tarfile
from collections import Counter
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING, Any, Final

from strongroom_service.bootstrap.doctor.examination import run_doctor
from strongroom_service.bootstrap.standing import run_status
from strongroom_service.bootstrap.system import DISTRIBUTION, SystemClock
from strongroom_service.config.effective import effective, tenant_told
from strongroom_service.config.tenant_file import load_tenants
from strongroom_service.config.vault_file import load_vault_config
from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_MODE: Final = 0o600
_LIBRARIES: Final = ("cryptography", "grpcio", "protobuf", "psycopg", "pydantic", "python-pkcs11", "prometheus_client")
# What a name is made of in our logs; other libraries' lines could hold anything there.
_NAME_SIGNS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-.")
_MAX_NAME: Final = 64
_MAX_LINES: Final = 1_000_000


def run_support_bundle(config_path: Path, *, file: Path, logs: Sequence[Path]) -> list[str]:
    """Write a new tar.gz for its owner alone; return the names in it.

    Raises:
        Misconfigured: the configuration is faulty, a log cannot be read, or `file` is there already.
    """
    config = load_vault_config(config_path)
    tenants = load_tenants(config.tenants_dir)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
    except OSError as error:
        raise Misconfigured(f"cannot make {file}: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as target:
        counted = {str(path): _counted(path) for path in logs}
        findings = run_doctor(config_path, host=None)  # before status, which becomes the front's user for good
        documents: dict[str, Any] = {
            "version.json": _versions(),
            "config.json": effective(config),
            "tenants.json": [tenant_told(tenant) for tenant in tenants],
            "doctor.json": [
                {"check": each.check, "outcome": each.outcome.value, "found": each.found, "remedy": each.remedy}
                for each in findings
            ],
            "status.json": run_status(config_path).told(),
            "logs.json": counted,
        }
        with tarfile.open(fileobj=target, mode="w:gz") as bundle:
            for name, document in documents.items():
                _add(bundle, name, document)
    return list(documents)


def _versions() -> dict[str, str]:
    return {
        "strongroom": version_of(DISTRIBUTION),
        "python": platform.python_version(),
        "system": platform.platform(),
        **{name: version for name in _LIBRARIES if (version := _installed(name)) is not None},
    }


def _installed(name: str) -> str | None:
    try:
        return version_of(name)
    except PackageNotFoundError:
        return None


def _counted(path: Path) -> dict[str, Any]:
    """Count a log's lines by what they say happened; of lines that are not ours only how many."""
    events: Counter[str] = Counter()
    first, last, others, size = None, None, 0, 0
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for _, line in zip(range(_MAX_LINES), lines, strict=False):
                size += len(line)
                known = _parse(line)
                if known is None:
                    others += 1
                    continue
                at, named = known
                first, last = first or at, at
                events[named] += 1
    except OSError as error:
        raise Misconfigured(f"cannot read the log {path}: {error.strerror}") from error
    return {"characters": size, "first": first, "last": last, "other_lines": others, "events": dict(events)}


def _parse(line: str) -> tuple[str, str] | None:
    try:
        told = json.loads(line)
        at, parts = told["ts"], [told["process"], told["level"], told["event"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not _are_names(parts) or not isinstance(at, str) or not _is_time(at):
        return None
    return at, " ".join(parts)


def _are_names(parts: Iterable[object]) -> bool:
    return all(isinstance(part, str) and 0 < len(part) <= _MAX_NAME and set(part) <= _NAME_SIGNS for part in parts)


def _is_time(text: str) -> bool:
    return len(text) <= _MAX_NAME and set(text) <= set("0123456789-:.TZ")


def _add(bundle: tarfile.TarFile, name: str, document: object) -> None:
    content = json.dumps(document, indent=2).encode()
    member = tarfile.TarInfo(f"strongroom-support/{name}")
    member.size, member.mode, member.mtime = len(content), _MODE, SystemClock().now() // 1_000
    bundle.addfile(member, io.BytesIO(content))
