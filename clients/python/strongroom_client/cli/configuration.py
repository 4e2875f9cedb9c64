"""The client's configuration, strongroom.toml in its state folder. It names files, and holds no secret itself.

    vault = "vault.example:443"            required: host and port
    tenant = "acme"                        required
    account = "alice"                      required
    account_token_file = "token.jwt"       required; kept fresh by the product
    owner_key_files = ["ada.pub", "..."]   public keys (PEM) of the vault's owners, two or more: their word counts; or
    pins = ["5f3a..."]                     fingerprints of identity keys, 64 hex digits each; beside owners' keys they
                                           count until the owners have signed; or
    unpinned = true                        said in so many words: receipts then prove nothing
    ca_file = "ca.pem"                     CAs to believe; the system's where absent
    insecure = true                        no TLS at all; for tests
    name = "work"                          this device's name for the vault; `vault` where absent
    rp_id = "vault.example"                what the vault must say its RP ID is
    origin = "https://vault.example"       which of the vault's origins the authenticator is told
    browser_page = "https://..."           the product's page that asks for passkeys in a browser: docs/browser-page.md

    [authenticator]
    kind = "software-insecure"             keys in clear in a file; for tests and demonstrations
    file = "passkeys.json"                 or
    kind = "security-key"                  the one security key that is plugged in; or
    kind = "browser"                       passkeys of the browser's or a phone's, by that page

    [storage.s3]                           options of fsspec for s3://; likewise for other protocols. No secrets: those
    endpoint_url = "https://s3.example"    stay where the provider's own tools look for them (~/.aws/credentials)

    [further_authenticator]                where `passkey add` makes the new passkey; as [authenticator]

Relative paths start at the state folder. What is not known here is refused, not ignored.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from strongroom_client.authenticators.browser import origin_of
from strongroom_client.errors import DeviceError, UnpinnedVault
from strongroom_client.memory import AccountRef
from strongroom_client.session import VaultSettings
from strongroom_client.transport import Address
from strongroom_client.verification.bundles import Trust
from strongroom_client.verification.owner_bundles import OWNERS_NEEDED
from strongroom_client.verification.owner_keys import owner_key_of_pem

FILE_NAME = "strongroom.toml"
SOFTWARE = "software-insecure"
SECURITY_KEY = "security-key"
BROWSER = "browser"
_REQUIRED = frozenset({"vault", "tenant", "account", "account_token_file"})
_OPTIONAL = frozenset(
    {
        "owner_key_files",
        "pins",
        "unpinned",
        "ca_file",
        "insecure",
        "name",
        "rp_id",
        "origin",
        "browser_page",
        "storage",
        "authenticator",
        "further_authenticator",
    }
)
_SECRET = re.compile(r"key|secret|token|passw|credential|connection_string", re.IGNORECASE)
_Value = TypeVar("_Value")


class ConfigurationFault(DeviceError):
    """The configuration file is missing or wrong; says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatorChoice:
    """Which authenticator; `file` only for the software one, `page` only for the browser's."""

    kind: str
    file: Path | None = None
    page: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What the file says. `memory_root` is where memories are kept, `browser_page` what --browser leads to."""

    settings: VaultSettings
    address: Address
    account_token_file: Path
    authenticator: AuthenticatorChoice
    further_authenticator: AuthenticatorChoice
    memory_root: Path
    browser_page: str | None
    storage: Mapping[str, Mapping[str, Any]]


def default_state_folder() -> Path:
    """Return the folder for state of the XDG base directory specification."""
    root = os.environ.get("XDG_STATE_HOME", "")
    return (Path(root) if Path(root).is_absolute() else Path.home() / ".local" / "state") / "strongroom"


def load_configuration(state: Path) -> Configuration:
    """Read the configuration in the folder `state`.

    Raises:
        ConfigurationFault: it is missing, or something in it is.
        UnpinnedVault: it neither pins nor says `unpinned = true`, or does both.
    """
    path = state / FILE_NAME
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationFault(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationFault(f"{path} is not TOML: {error}") from error
    try:
        return _read(document, state)
    except ConfigurationFault as fault:
        raise ConfigurationFault(f"{path}: {fault}") from None


def _read(document: dict[str, Any], state: Path) -> Configuration:
    _require_names(document, required=_REQUIRED, optional=_OPTIONAL)
    vault = _get(document, "vault", str)
    ca_file = _optional(document, "ca_file", str)
    owner = AccountRef(
        vault=_optional(document, "name", str) or vault,
        tenant=_get(document, "tenant", str),
        account=_get(document, "account", str),
    )
    settings = VaultSettings(
        owner=owner,
        trust=_trust(document, state),
        rp_id=_optional(document, "rp_id", str),
        origin=_optional(document, "origin", str),
    )
    address = Address(
        target=vault,
        root_certificates=None if ca_file is None else state / ca_file,
        insecure=_optional(document, "insecure", bool) or False,
    )
    browser_page = _page(_optional(document, "browser_page", str))
    return Configuration(
        settings=settings,
        address=address,
        account_token_file=state / _get(document, "account_token_file", str),
        authenticator=_authenticator(_optional(document, "authenticator", dict), state, browser_page),
        further_authenticator=_authenticator(_optional(document, "further_authenticator", dict), state, browser_page),
        memory_root=state / "memory",
        browser_page=browser_page,
        storage=_storage(_optional(document, "storage", dict) or {}),
    )


def _trust(document: dict[str, Any], state: Path) -> Trust:
    files: list[Any] = _optional(document, "owner_key_files", list) or []
    pins: list[Any] = _optional(document, "pins", list) or []
    unpinned = _optional(document, "unpinned", bool) or False
    if unpinned == bool(pins or files):
        raise UnpinnedVault(
            "the configuration must pin the vault's owners (owner_key_files) or an identity key (pins),"
            " or say unpinned = true"
        )
    owners = frozenset(_owner_key(name, state) for name in files)
    if files and len(owners) < OWNERS_NEEDED:
        raise ConfigurationFault(f"owner_key_files must name {OWNERS_NEEDED} different keys or more")
    try:
        fingerprints = frozenset(bytes.fromhex(pin) for pin in pins)
        return Trust(pins=fingerprints, unpinned=unpinned, owners=owners)
    except (ValueError, TypeError):
        raise ConfigurationFault("pins must be fingerprints of 64 hex digits") from None


def _owner_key(name: object, state: Path) -> bytes:
    if not isinstance(name, str) or not name:
        raise ConfigurationFault("owner_key_files must be names of files")
    try:
        return owner_key_of_pem((state / name).read_bytes())
    except OSError as error:
        raise ConfigurationFault(f"owner_key_files: {state / name} cannot be read: {error.strerror}") from error
    except ValueError:
        raise ConfigurationFault(
            f"owner_key_files: {state / name} must hold an Ed25519 or P-256 public key in PEM"
        ) from None


def choose_browser(page: str | None) -> AuthenticatorChoice:
    """Return the browser as the authenticator.

    Raises:
        ConfigurationFault: no page for it is known.
    """
    if page is None:
        raise ConfigurationFault("the configuration must name, as browser_page, what asks for passkeys in a browser")
    return AuthenticatorChoice(kind=BROWSER, page=page)


def _page(page: str | None) -> str | None:
    try:
        return page if page is None or origin_of(page) else None
    except ValueError as error:
        raise ConfigurationFault(f"browser_page: {error}") from None


def _storage(table: dict[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    for protocol, options in table.items():
        if not isinstance(options, dict):
            raise ConfigurationFault(f"storage.{protocol} must be a table")
        for name in _names_in(options):
            if _SECRET.search(name):
                raise ConfigurationFault(f"storage.{protocol}.{name} looks like a secret: not in this file")
    return table


def _names_in(options: dict[str, Any]) -> Iterator[str]:
    for name, value in options.items():
        yield name
        if isinstance(value, dict):
            yield from _names_in(value)


def _authenticator(table: dict[str, Any] | None, state: Path, browser_page: str | None) -> AuthenticatorChoice:
    if table is None:
        return AuthenticatorChoice(kind=SECURITY_KEY)
    kind = _get(table, "kind", str)
    if kind not in {SOFTWARE, SECURITY_KEY, BROWSER}:
        raise ConfigurationFault(f'authenticator.kind must be "{SOFTWARE}", "{SECURITY_KEY}" or "{BROWSER}"')
    required = {"kind", "file"} if kind == SOFTWARE else {"kind"}
    _require_names(table, required=frozenset(required), optional=frozenset())
    if kind == BROWSER:
        return choose_browser(browser_page)
    return AuthenticatorChoice(kind=kind, file=state / _get(table, "file", str) if kind == SOFTWARE else None)


def _require_names(table: dict[str, Any], *, required: frozenset[str], optional: frozenset[str]) -> None:
    if missing := sorted(required - set(table)):
        raise ConfigurationFault(f"{', '.join(missing)} must be there")
    if unknown := sorted(set(table) - required - optional):
        raise ConfigurationFault(f"{', '.join(unknown)} is not known")


def _get(table: dict[str, Any], name: str, kind: type[_Value]) -> _Value:
    value = table.get(name)
    if not isinstance(value, kind) or value == "":
        raise ConfigurationFault(f"{name} must be a {kind.__name__}")
    return value


def _optional(table: dict[str, Any], name: str, kind: type[_Value]) -> _Value | None:
    return _get(table, name, kind) if name in table else None
