"""`strongroomd doctor` on PostgreSQL: what the service's role may, its schema, and who confirms a commit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.development.environment import VaultShape, make_files
from tests.fixtures.replicas import migrate
from tests.integration.service.evidence import strongroomd


@pytest.fixture
def migrated(service_url: str, postgres_database: str) -> str:
    """A database with this release's schema, by the URL of the service's role."""
    migrate(postgres_database)
    return service_url


def outcomes(folder: Path, url: str, *, single_node: bool) -> dict[str, tuple[str, str]]:
    """Return outcome and finding of each check of a vault that has no keys yet."""
    settings = {"database": url, "data_dir": "data"}
    shape = VaultShape(keepers=1, settings=settings, postgresql={"single_node": single_node})
    said = strongroomd(make_files(folder, shape).config_file, "doctor", "--output", "json")
    assert not said.errors, said.errors
    return {each["check"]: (each["outcome"], each["found"]) for each in json.loads("\n".join(said.lines))}


def test_role_that_has_what_it_needs_and_one_server_that_is_meant(tmp_path: Path, migrated: str) -> None:
    found = outcomes(tmp_path, migrated, single_node=True)
    assert (found["schema"][0], found["database_role"][0], found["standbys"][0]) == ("ok", "ok", "warn"), found


def test_role_that_could_do_more_is_named(tmp_path: Path, migrated: str, postgres_database: str) -> None:
    assert migrated != postgres_database
    outcome, found = outcomes(tmp_path, postgres_database, single_node=True)["database_role"]
    assert (outcome, "is a superuser" in found, "owns tables" in found) == ("fail", True, True)


def test_commits_that_nobody_else_confirms_are_named(tmp_path: Path, migrated: str) -> None:
    found = outcomes(tmp_path, migrated, single_node=False)
    assert (found["standbys"][0], found["database"][0]) == ("fail", "fail")
    assert "synchronous_standby_names is empty" in found["database"][1]


def test_database_that_was_not_migrated_is_named(tmp_path: Path, postgres_database: str) -> None:
    found = outcomes(tmp_path, postgres_database, single_node=True)
    assert (found["schema"][0], found["database"][0]) == ("fail", "ok")
    assert "strongroomd migrate" in found["schema"][1]
