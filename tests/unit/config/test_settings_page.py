"""docs/settings.md says what the code reads, and operations.md shows a file that it would take."""

from __future__ import annotations

import tomllib
from pathlib import Path

from strongroom_service.config.tenant_file import TenantFile
from strongroom_service.config.vault_file import VaultConfig, load_vault_config
from tests.unit.config import settings_page

_OPERATIONS = settings_page.PAGE.with_name("operations.md")


def test_the_page_is_what_the_models_say() -> None:
    assert settings_page.PAGE.read_text(encoding="utf-8") == settings_page.page(), (
        "`python -m tests.unit.config.settings_page` writes it anew"
    )


def test_the_page_names_every_key_once_per_table() -> None:
    rows = [line for line in settings_page.page().splitlines() if line.startswith("| `")]
    assert len(rows) == len(settings_page.keys_of(VaultConfig)) + len(settings_page.keys_of(TenantFile))


def test_the_whole_example_of_operations_is_good(tmp_path: Path) -> None:
    """Who starts with docs/operations.md gets a file that `config check` takes, and the tenant's beside it."""
    page = _OPERATIONS.read_text(encoding="utf-8")
    vault, tenant = (_block_after(page, f"`{name}`:") for name in ("strongroom.toml", "tenants/notes.toml"))
    (tmp_path / "strongroom.toml").write_text(vault, encoding="utf-8")
    config = load_vault_config(tmp_path / "strongroom.toml")
    assert config.users is not None
    assert not config.single_user
    TenantFile.model_validate(tomllib.loads(tenant), context={"folder": tmp_path})


def _block_after(page: str, words: str) -> str:
    """Return the indented block that follows the line ending with `words`."""
    _, _, rest = page.partition(f"{words}\n\n")
    lines = []
    for line in rest.splitlines():
        if line and not line.startswith("    "):
            break
        lines.append(line.removeprefix("    "))
    assert lines, words
    return "\n".join(lines)
