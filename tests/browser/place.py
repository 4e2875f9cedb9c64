"""Where browser tests happen: a vault that serves browsers, and the page in front of it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.development.environment import DevelopmentVault
from deploy.development.page_server import PageSettings

_ACCOUNTS: Final = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A running vault and a running page of it.

    Attributes:
        origin: where the page is.
    """

    vault: DevelopmentVault
    origin: str


def page_settings(vault: DevelopmentVault, folder: Path, *, framed: bool = False) -> PageSettings:
    """Return what a page of that vault is to know."""
    address = vault.files.browser_url
    assert address is not None
    return PageSettings(
        folder=folder,
        vault=address,
        tenant=vault.tenant.name,
        pins=vault.pins,
        issue_token=lambda account, scope: vault.issue_token(account, scope=scope),
        framed=framed,
    )


def fresh_account() -> str:
    """Return the name of an account that nobody has used."""
    return f"person-{next(_ACCOUNTS)}"
