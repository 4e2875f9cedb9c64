from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.development.tenant import generate_tenant
from strongroom_service.config.faults import FaultyFile
from strongroom_service.config.jwks import load_keys
from strongroom_service.config.tenant_file import load_tenants
from strongroom_service.config.vault_file import load_vault_config
from strongroom_service.domain.errors import Misconfigured

KEY = generate_tenant().jwks()["keys"][0]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], max_codepoint=0xFFFF), max_size=20)
toml_values = st.booleans() | st.integers(-(2**40), 2**40) | texts | st.lists(texts | st.integers(0, 9), max_size=3)


def toml(document: dict[str, object]) -> str:
    """Of these values JSON and TOML have the same spelling."""
    return "\n".join(f"{key} = {json.dumps(value)}" for key, value in document.items())


def documents(*keys: str) -> st.SearchStrategy[dict[str, object]]:
    return st.dictionaries(st.sampled_from(keys), toml_values)


@given(st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "kid", "alg", "use", "key_ops", "d"]), json_values))
def test_any_jwk_is_read_or_told_to_be_faulty(change: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jwks.json"
        path.write_text(json.dumps({"keys": [{**KEY, **change}]}))
        with contextlib.suppress(FaultyFile):
            assert len(load_keys(path)) == 1


@given(documents("name", "issuer", "jwks_file", "development", "rp_id", "origins", "algorithms", "policy", "x"))
def test_any_tenant_file_without_a_policy_is_faulty(document: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tenant.toml").write_text(toml(document), encoding="utf-8")
        with pytest.raises(Misconfigured, match="policy"):
            load_tenants(Path(folder))


@given(
    documents("audience", "database", "run_dir", "tenants_dir", "single_user", "listen", "keepers", "pkcs11", "limits")
)
def test_any_vault_file_without_its_tables_is_faulty(document: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "strongroom.toml"
        path.write_text(toml(document), encoding="utf-8")
        with pytest.raises(Misconfigured) as caught:
            load_vault_config(path)
    assert all(line.startswith(str(path)) for line in str(caught.value).splitlines())
