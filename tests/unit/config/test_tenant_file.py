from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from deploy.development.tenant import DevelopmentTenant, generate_tenant, write_tenant
from strongroom_service.config.tenant_file import Tenant, Tenants, load_tenants
from strongroom_service.domain.credentials import AssertionPolicy
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.domain.policy import OnExhaustion, Policy

TENANT = """\
name = "notes"
issuer = "https://login.notes.example"
jwks_file = "notes.jwks.json"
rp_id = "notes.example"
origins = ["https://notes.example", "https://app.notes.example"]

[policy]
on_exhaustion = "destroy"
"""
KEY = generate_tenant()


def write(folder: Path, text: str = TENANT, *, name: str = "notes", jwks: object = None) -> None:
    (folder / f"{name}.toml").write_text(text)
    (folder / f"{name}.jwks.json").write_text(json.dumps(KEY.jwks() if jwks is None else jwks))


def faults_of(folder: Path) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        load_tenants(folder)
    return str(caught.value).splitlines()


def only(tenants: Tenants) -> Tenant:
    [tenant] = tenants
    return tenant


def test_minimal_tenant_gets_the_documented_defaults(tmp_path: Path) -> None:
    write(tmp_path)

    tenants = load_tenants(tmp_path)

    tenant = only(tenants)
    assert tenant.policy == Policy(on_exhaustion=OnExhaustion.DESTROY)
    assert tenant.assertion_policy == AssertionPolicy(
        rp_id="notes.example",
        origins=frozenset({"https://notes.example", "https://app.notes.example"}),
        algorithms=(-7, -8, -257),
    )
    assert {kid: key.algorithm for kid, key in tenant.keys.items()} == {KEY.kid: "ES256"}
    assert not tenant.development
    assert tenants.named("notes") is tenant
    assert tenants.issuing_as("https://login.notes.example") is tenant
    assert tenants.named("other") is None
    assert tenants.issuing_as("notes") is None
    assert len(tenants) == 1
    assert tenants.in_development() == ()


def test_limits_and_algorithms_are_the_operators_choice(tmp_path: Path) -> None:
    text = TENANT.replace("[policy]", "algorithms = [-8, -7]\n[policy]\nbudget = 3\ncool_down_seconds = []")
    write(tmp_path, text)

    tenant = only(load_tenants(tmp_path))

    assert tenant.assertion_policy.algorithms == (-8, -7)
    assert (tenant.policy.budget, tenant.policy.cool_down_seconds) == (3, ())


def test_development_tenant_is_pointed_at(tmp_path: Path) -> None:
    write_tenant(KEY, tmp_path)

    assert load_tenants(tmp_path).in_development() == ("notes",)


def test_private_key_of_a_tenant_is_not_shown() -> None:
    assert "PrivateKey" not in repr(KEY)
    assert isinstance(KEY, DevelopmentTenant)


@pytest.mark.parametrize(
    ("accepted", "refused", "rule"),
    [
        ('name = "notes"', 'name = "Notes"', "name: "),
        ('name = "notes"', f'name = "{65 * "n"}"', "name: "),
        ('name = "notes"', 'name = "notes\\n"', "name: "),
        ("https://login.notes.example", "https://login notes", "issuer: "),
        ("https://login.notes.example", "", "issuer: "),
        ('rp_id = "notes.example"', 'rp_id = "localhost"', "rp_id: localhost is for"),
        ("https://app.notes.example", "https://app.other.example", "origins.1: must have rp_id"),
        ("https://app.notes.example", "http://localhost", "origins.1: must be https"),
        ("https://app.notes.example", "https://notes.example", "origins: must differ"),
        ('["https://notes.example", "https://app.notes.example"]', "[]", "origins: "),
        ("[policy]", "algorithms = [-7, -36]\n[policy]", "algorithms: must be different ones of -7, -8, -257"),
        ("[policy]", "algorithms = [-7, -7]\n[policy]", "algorithms: must be different ones"),
        ("[policy]", "algorithms = []\n[policy]", "algorithms: "),
        ("[policy]", 'development = "yes"\n[policy]', "development: "),
        ('on_exhaustion = "destroy"', "", "policy.on_exhaustion: is required"),
        ('on_exhaustion = "destroy"', 'on_exhaustion = "forgive"', "policy.on_exhaustion: Input should be"),
        ('on_exhaustion = "destroy"', 'on_exhaustion = "ignore"', "policy.on_exhaustion: .*'destroy'"),
        ("[policy]\n", "[policy]\nbudget = 101\n", "policy.budget: budget must be 1 to 100"),
        ("[policy]\n", '[policy]\nbudget = "10"\n', "policy.budget: .*valid integer"),
        ("[policy]\n", "[policy]\nbudget = true\n", "policy.budget: .*valid integer"),
        ("[policy]\n", "[policy]\ncool_down_seconds = [60, 5]\n", "policy.cool_down_seconds: .*must not fall"),
        ("[policy]\n", '[policy]\ncool_down_seconds = ["60"]\n', "policy.cool_down_seconds.0: .*valid integer"),
        ("[policy]\n", "[policy]\nreleases_per_day = 0\n", "policy.releases_per_day: .*must be 1 to 1000"),
        ("[policy]\n", "[policy]\nreset_grace_seconds = 60\n", "policy.reset_grace_seconds: .*must be 86400"),
        ("[policy]\n", "[policy]\nattempts = 3\n", "policy.attempts: is not a known key"),
        ("notes.jwks.json", "other.jwks.json", r"other\.jwks\.json: cannot be read"),
    ],
)
def test_broken_rule_is_told_by_its_key(tmp_path: Path, accepted: str, refused: str, rule: str) -> None:
    assert accepted in TENANT
    write(tmp_path)
    load_tenants(tmp_path)

    write(tmp_path, TENANT.replace(accepted, refused))
    [fault] = faults_of(tmp_path)

    assert re.search(rule, fault)


def test_faults_of_all_files_are_told_together(tmp_path: Path) -> None:
    write(tmp_path, TENANT.replace("notes.example", "NOTES.example").replace('"destroy"', '"forgive"'), name="a")
    write(tmp_path, TENANT.replace('name = "notes"', ""), name="b")
    write(tmp_path, TENANT.replace("notes.jwks", "c.jwks"), name="c", jwks={"keys": []})

    faults = faults_of(tmp_path)

    assert [fault.removeprefix(f"{tmp_path}/").split(": ")[:2] for fault in faults] == [
        ["a.toml", "rp_id"],
        ["a.toml", "policy.on_exhaustion"],
        ["b.toml", "name"],
        ["c.jwks.json", "keys"],
    ]


def test_name_and_issuer_belong_to_one_tenant(tmp_path: Path) -> None:
    write(tmp_path, name="notes")
    write(tmp_path, TENANT.replace('name = "notes"', 'name = "other"'), name="same-issuer")
    write(tmp_path, TENANT.replace("login.notes", "login.other"), name="same-name")

    faults = faults_of(tmp_path)

    assert [re.sub(r"^.*/", "", fault) for fault in faults] == [
        "same-issuer.toml: issuer: must be its own; notes.toml has the same",
        "same-name.toml: name: must be its own; notes.toml has the same",
    ]


def test_folder_without_tenants_is_a_fault_and_hidden_files_are_none(tmp_path: Path) -> None:
    write(tmp_path, name=".hidden")

    assert "at least one tenant" in faults_of(tmp_path)[0]
    assert "cannot be read" in faults_of(tmp_path / "absent")[0]
