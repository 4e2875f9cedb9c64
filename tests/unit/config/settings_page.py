"""docs/settings.md, from the models that read the files; `python -m tests.unit.config.settings_page` writes it anew."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from strongroom_service.config.configuration import LIVE
from strongroom_service.config.databases import PostgresDatabase, SqliteDatabase
from strongroom_service.config.faults import Section
from strongroom_service.config.redis import TcpAddress, UnixAddress
from strongroom_service.config.tenant_file import TenantFile
from strongroom_service.config.vault_file import VaultConfig
from strongroom_service.domain.rates import Window

PAGE: Final = Path(__file__).resolve().parents[3] / "docs" / "settings.md"
_HEAD: Final = """# Settings

Every key of `strongroom.toml` and of a tenant's file, generated from the code that reads them
(`python -m tests.unit.config.settings_page`; a test holds this page against it). A key that is not here is refused, and
so is a value of another type. `strongroomd config check` tells every fault, `strongroomd config show` what is in use.

A path that is not absolute starts at the folder of the file that names it. Where the name of a key ends with a unit
(`_seconds`, `_bytes`, `_hours`, `_days`), that is its unit. **Taken up** says when a changed value counts: by *reload*
(SIGHUP to the parent) or by *restart*. How the keys work together: [operations](operations.md).
"""
_TENANT: Final = """
## A tenant's file

One `*.toml` in `tenants_dir` for each tenant; files whose names begin with a dot are left alone. All of it is taken up
by reload, and so is the JWK set that it names.
"""
_TYPES: Final[dict[object, str]] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    Window: "rate",
    SqliteDatabase: "URL",
    PostgresDatabase: "",
    TcpAddress: "URL",
    UnixAddress: "",
}


def page() -> str:
    """Return the page as it must be."""
    parts = [_HEAD, "\n## strongroom.toml\n", *_tables(VaultConfig, path=(), note="", live=LIVE)]
    parts += [_TENANT, *_tables(TenantFile, path=(), note="", live=None)]
    return "".join(parts)


def keys_of(model: type[Section]) -> frozenset[str]:
    """Return the dotted path of every key of a file."""
    return frozenset(_keys(model, ()))


def _keys(model: type[Section], path: tuple[str, ...]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = _section_of(field.annotation)
        if inner is None:
            yield ".".join((*path, name))
        else:
            yield from _keys(inner, (*path, name))


def _tables(model: type[Section], *, path: tuple[str, ...], note: str, live: frozenset[str] | None) -> Iterator[str]:
    """Yield the model's own keys, then each table in it; `live` None: everything is taken up by reload."""
    if path:
        yield f"\n### [{'.'.join(path)}]\n\n{_cell(model.__doc__ or '')}{note}\n"
    rows: list[str] = []
    inner: list[tuple[str, type[Section], str]] = []
    for name, field in model.model_fields.items():
        table = _section_of(field.annotation)
        if table is None:
            rows.append(_row(name, field, reloads=live is None or any(_below((*path, name), key) for key in live)))
        else:
            inner.append((name, table, _note(field)))
    if rows:
        yield "\n| key | type | default | taken up | meaning |\n| --- | --- | --- | --- | --- |\n" + "".join(rows)
    for name, table, said in inner:
        yield from _tables(table, path=(*path, name), note=said, live=live)


def _note(field: FieldInfo) -> str:
    if field.is_required():
        return " **Required.**"
    if field.default is None:
        return " Off unless the table is there."
    return ""


def _below(path: tuple[str, ...], key: str) -> bool:
    return ".".join(path) == key or ".".join(path).startswith(f"{key}.")


def _row(name: str, field: FieldInfo, *, reloads: bool) -> str:
    assert field.description, f"{name} has no description"
    taken_up = "reload" if reloads else "restart"
    return f"| `{name}` | {_type(field)} | {_default(field)} | {taken_up} | {_cell(field.description)} |\n"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")


def _type(field: FieldInfo) -> str:
    bounds = _bounds(field.metadata)
    return " ".join((_kind(field.annotation), *bounds))


def _bounds(metadata: Sequence[object]) -> Iterator[str]:
    found: dict[str, Any] = {}
    for rule in metadata:
        for name in ("ge", "gt", "le", "lt"):
            value = getattr(rule, name, None)
            if value is not None:
                found[name] = value
    for name, words in (("ge", "from"), ("gt", "above"), ("le", "to"), ("lt", "below")):
        if name in found:
            yield f"{words} {found[name]:,}".replace(",", "\u202f")


def _kind(annotation: object) -> str:  # noqa: PLR0911  one line for each kind of type
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        return " ".join((_kind(inner), *_bounds([part for item in metadata for part in _flat(item)])))
    if origin is Literal:
        return " or ".join(f'`"{value}"`' for value in get_args(annotation))
    if origin in {Union, types.UnionType}:
        return " or ".join(filter(None, (_kind(part) for part in get_args(annotation) if part is not types.NoneType)))
    if origin in {tuple, list}:
        return f"list: {_kind(get_args(annotation)[0])}"
    if origin is dict:
        return "table of texts"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f'`"{member.value}"`' for member in annotation)
    return _TYPES[annotation]


def _flat(item: object) -> Sequence[object]:
    return item.metadata if isinstance(item, FieldInfo) else [item]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True, validated_data={})
    assert value is not PydanticUndefined
    return "none" if value is None else f"`{_toml(value)}`"


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case Window():
            unit = {1: "s", 60: "min", 3_600: "h"}[value.seconds]
            return f'"{value.count}/{unit}"'
        case str():
            return f'"{value}"'
        case tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case dict() if not value:
            return "{}"
        case _:
            return str(value)


def _section_of(annotation: object) -> type[Section] | None:
    candidates = (annotation, *get_args(annotation))
    return next((kind for kind in candidates if isinstance(kind, type) and issubclass(kind, Section)), None)


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
