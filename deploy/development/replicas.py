"""Further replicas of a vault: services of their own over the same token, tenants and database."""

from __future__ import annotations

import shutil
import tomllib
from typing import TYPE_CHECKING

from deploy.development import vault_folder
from deploy.development.environment import CONFIG_NAME, VaultFiles, find_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SHARED = ("ca.pem", "server.pem", "server-key.pem", "tenant-key.pem")


def make_replica(first: VaultFiles, folder: Path) -> VaultFiles:
    """Make the files of another replica of `first` in `folder`, which is new; it has its own ports, sockets and log.

    Raises:
        ValueError: the vault is in a file, which one service alone can serve from.
    """
    config = tomllib.loads((first.folder / CONFIG_NAME).read_text(encoding="utf-8"))
    if not config["database"].startswith("postgresql://"):
        raise ValueError("replicas need a database that they can share")
    folder = folder.resolve()
    folder.mkdir(parents=True)
    for name in _SHARED:
        shutil.copy(first.folder / name, folder / name)
    for name in ("data", "keeper"):
        (folder / name).mkdir(mode=0o700)
    config["tenants_dir"] = str(first.folder / "tenants")
    config["listen"]["port"], config["metrics"]["port"] = vault_folder.free_ports(2)
    (folder / CONFIG_NAME).write_text(vault_folder.toml_text(_tables(config)), encoding="utf-8")
    return find_files(folder)


def _tables(config: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    """Return the file's tables by their dotted names, its own keys under ""."""
    tables: dict[str, Mapping[str, object]] = {"": {}}
    for name, value in config.items():
        if not isinstance(value, dict):
            tables[""] = {**tables[""], name: value}
            continue
        inner = _tables(value)
        tables[name] = inner.pop("")
        tables |= {f"{name}.{below}": table for below, table in inner.items()}
    return tables
