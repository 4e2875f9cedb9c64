"""The backend's file, app.toml. Relative paths start at its folder; what is not known here is refused.

origin = "https://notes.example"        where users reach the page: an origin of the tenant's file at the vault
port = 8737                             of 127.0.0.1, behind the product's own TLS
page_folder = "page"                    the built page of clients/web: index.html, page.js, page.css, icon.svg
users_file = "users.toml"               INSECURE demo sign-in; a product has its own
signing_key_file = "tenant-key.pem"     the private key of account tokens: EC P-256, mode 0600
well_known_folder = "well-known"        optional: what platforms fetch from /.well-known/

[vault]
audience = "https://vault.example"      as in the vault's file
issuer = "https://login.notes.example"  as in the tenant's file
tenant = "notes"
browser_url = "https://vault.example:8443"
pins = ["5f3a..."]                      fingerprints of the vault's identity keys, 64 hex digits each
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

_PIN: Final = re.compile(r"[0-9a-f]{64}")
_PATHS: Final = ("page_folder", "users_file", "signing_key_file", "well_known_folder")


class SettingsFault(Exception):
    """app.toml is wrong; says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSettings:
    """The vault, as the page and its tokens need it."""

    audience: str
    issuer: str
    tenant: str
    browser_url: str
    pins: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of app.toml."""

    origin: str
    port: int
    page_folder: Path
    users_file: Path
    signing_key_file: Path
    vault: VaultSettings
    well_known_folder: Path | None = None

    @property
    def is_https(self) -> bool:
        """Whether the page is reached over TLS: its cookie is then for TLS only, and for this host only."""
        return self.origin.startswith("https://")

    @property
    def host(self) -> str:
        """What the header Host must be."""
        return urlsplit(self.origin).netloc


def load_settings(file: Path) -> Settings:
    """Read app.toml.

    Raises:
        SettingsFault: it breaks a rule, which is named.
    """
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        vault = table.pop("vault")
        _require_known(table, Settings, "")
        _require_known(vault, VaultSettings, "vault.")
        paths = {name: file.parent / table.pop(name) for name in _PATHS if name in table}
        vault["pins"] = tuple(vault["pins"])
        settings = Settings(**table, **paths, vault=VaultSettings(**vault))
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise SettingsFault(f"{file}: {error}") from None
    if not settings.is_https and urlsplit(settings.origin).hostname != "localhost":
        raise SettingsFault(f"{file}: origin must be https://, or http://localhost for development")
    if not settings.vault.pins or not all(_PIN.fullmatch(pin) for pin in settings.vault.pins):
        raise SettingsFault(f"{file}: vault.pins must be fingerprints of 64 hex digits, and at least one")
    return settings


def _require_known(table: dict[str, Any], shape: type, prefix: str) -> None:
    unknown = table.keys() - {field.name for field in fields(shape)}
    if unknown:
        raise KeyError(f"unknown settings: {', '.join(sorted(prefix + name for name in unknown))}")
