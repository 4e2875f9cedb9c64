"""All that a process is configured by, and which of it may change while it runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strongroom_service.config.faults import Section
from strongroom_service.config.files import ConfigFiles, RecordedFiles, Snapshot
from strongroom_service.config.tenant_file import Tenants, load_tenants
from strongroom_service.config.vault_file import VaultConfig, load_vault_config

LIVE: Final = frozenset({"rates.peer", "rates.tenant", "rates.account"})
"""Keys of the vault's file that are taken into use without a restart; tenants' files are so as a whole."""

_GENERATION_DIGITS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The vault's file and its tenants, read together.

    Attributes:
        generation: the same in two processes that read the same tenants' files; for the log.
        snapshot: the files that it was read from.
    """

    vault: VaultConfig
    tenants: Tenants
    generation: str
    snapshot: Snapshot


def load_configuration(path: Path, files: ConfigFiles, *, started: VaultConfig | None = None) -> Configuration:
    """Read the vault's file at `path` and its tenants' files.

    These are in the folder that it names, or for a process that was `started` before, in the one that was named then.

    Raises:
        Misconfigured: every fault of the vault's file, or if it has none, of the tenants'.
    """
    recorded = RecordedFiles(files)
    vault = load_vault_config(path, files=recorded)
    tenants = load_tenants((started or vault).tenants_dir, files=recorded)
    snapshot = recorded.snapshot()
    return Configuration(vault=vault, tenants=tenants, generation=_generation(snapshot, path), snapshot=snapshot)


def with_live_parts(started: VaultConfig, newest: VaultConfig) -> VaultConfig:
    """Return the configuration that a process was started with, but for what `newest` may change in it."""
    live = {name.partition(".")[2]: getattr(newest.rates, name.partition(".")[2]) for name in LIVE}
    return started.model_copy(update={"rates": started.rates.model_copy(update=live)})


def needs_restart(started: VaultConfig, newest: VaultConfig) -> tuple[str, ...]:
    """Return the keys, as dotted paths, that differ and that a running process cannot change."""
    return tuple(_differences(started, newest, prefix=""))


def _differences(one: Section, other: Section, *, prefix: str) -> Iterator[str]:
    for name in type(one).model_fields:
        key, ours, theirs = prefix + name, getattr(one, name), getattr(other, name)
        if key in LIVE or ours == theirs:
            continue
        if isinstance(ours, Section) and isinstance(theirs, Section):
            yield from _differences(ours, theirs, prefix=f"{key}.")
        else:
            yield key


def _generation(snapshot: Snapshot, vault_file: Path) -> str:
    # By name and content: front and keepers may have the folder mounted at different places.
    files = sorted(
        (path.name, hashlib.sha256(content).hexdigest())
        for path, content in snapshot.contents.items()
        if path != vault_file.absolute()
    )
    return hashlib.sha256(repr(files).encode()).hexdigest()[:_GENERATION_DIGITS]
