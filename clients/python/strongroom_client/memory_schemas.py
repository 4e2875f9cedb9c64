"""Older schemas of `memory.json`, read as the one that is written now."""

from __future__ import annotations

from typing import Any, Final

from strongroom_client.strict_json import mapping

SCHEMA: Final = 4
_BEFORE_OWNERS = 2
_BEFORE_NAMES = 3


def of_this_schema(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document of schema 1, 2 or 3 as one of schema 4.

    The credentials of 1 were those at its position; before 3 there were no owners, and before 4 no names of passkeys.
    """
    if document.get("schema") == 1:
        added = {"set_aside": None, "set_aside_erase_at": None, "account_erase_at": None, "life": None}
        version = mapping(document["position"])["version"]
        document = {**document, **added, "schema": _BEFORE_OWNERS, "credentials_version": version}
    if document.get("schema") == _BEFORE_OWNERS:
        document = {**document, "schema": _BEFORE_NAMES, "owner_bundle": None}
    if document.get("schema") == _BEFORE_NAMES:
        document = {**document, "schema": SCHEMA, "names": {}}
    return document
