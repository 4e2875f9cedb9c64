"""The configuration as it takes effect, defaults included, for people to read and to send around.

No setting is a secret itself: secrets are in files of their own. What could hold one by a slip is masked all the same.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from strongroom_service.config.faults import Section

if TYPE_CHECKING:
    from strongroom_service.config.tenant_file import Tenant
    from strongroom_service.config.vault_file import VaultConfig

MASK: Final = "[redacted]"
_USER_AND_PASSWORD: Final = re.compile(r"//([^/@:]*):[^/@]*@")


def effective(config: VaultConfig) -> dict[str, Any]:
    """Return every key of the vault's file, nested as in it, of plain types."""
    told: dict[str, Any] = _plain(config)
    # Others' variables: of those that are no path nobody can say what they are for.
    environment = told["pkcs11"]["environment"]
    told["pkcs11"]["environment"] = {
        name: value if value.startswith("/") else MASK for name, value in environment.items()
    }
    program, *arguments = told["checkpoints"]["command"] or [None]
    told["checkpoints"]["command"] = [] if program is None else [program, *(MASK for _ in arguments)]
    return told


def tenant_told(tenant: Tenant) -> dict[str, Any]:
    """Return a tenant by its settings, of plain types; keys by their ids alone."""
    policy = tenant.policy
    return {
        "name": tenant.name,
        "issuer": tenant.issuer,
        "development": tenant.development,
        "rp_id": tenant.assertion_policy.rp_id,
        "origins": sorted(tenant.assertion_policy.origins),
        "token_keys": sorted(tenant.keys),
        "on_exhaustion": policy.on_exhaustion.value,
        "budget": policy.budget,
        "releases_per_day": policy.releases_per_day,
    }


def _plain(value: object) -> Any:  # noqa: ANN401  whatever a setting can be
    if isinstance(value, Section):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if dataclasses.is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [_plain(inner) for inner in value]
    return _plain_leaf(value)


def _plain_leaf(value: object) -> str | int | float | None:
    match value:
        case Enum():
            return str(value.value)
        case None | bool() | int() | float():
            return value
        case str():
            return _USER_AND_PASSWORD.sub(rf"//\1:{MASK}@", value)
        case PurePath():
            return str(value)
        case _:
            return MASK
