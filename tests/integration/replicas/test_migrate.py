"""`strongroomd migrate`: the schema under a role of its own, and the service's role that can do no more than serve."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import errors

from strongroom_service.store.postgres_schema import KNOWN_VERSION
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.replicas import migrate

FIRST = f"Migrated from schema version 0 to {KNOWN_VERSION}.\n"
AGAIN = f"Migrated from schema version {KNOWN_VERSION} to {KNOWN_VERSION}.\n"


def refused(*options: str) -> tuple[int, str]:
    command = [sys.executable, "-P", "-m", "strongroom_service.cli.main", "migrate", *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.returncode, done.stderr


def test_second_run_changes_nothing(service_url: str, postgres_database: str) -> None:
    assert migrate(postgres_database) == FIRST
    assert migrate(postgres_database) == AGAIN


def test_dry_run_leaves_nothing(service_url: str, postgres_database: str) -> None:
    assert migrate(postgres_database, "--dry-run") == FIRST.replace("Migrated", "Would migrate")
    with psycopg.connect(postgres_database) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def test_runs_at_once_each_end_well(service_url: str, postgres_database: str) -> None:
    together = threading.Barrier(4)

    def run(_: int) -> str:
        together.wait()
        return migrate(postgres_database)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(run, range(4))) == [FIRST, AGAIN, AGAIN, AGAIN]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id BIGINT)",
        "ALTER TABLE records ADD COLUMN mine BIGINT",
        "DROP TABLE feed_waiting",
        "TRUNCATE events",
        "DELETE FROM records",
        "DELETE FROM vault",
        "UPDATE events SET at = 0",
        "INSERT INTO schema_version VALUES (99, 1)",
        "CREATE INDEX mine ON records (version)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_role_of_the_service_cannot_change_the_schema_or_take_rows_away(
    service_url: str, postgres_database: str, statement: str
) -> None:
    migrate(postgres_database)
    with psycopg.connect(service_url, autocommit=True) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def test_role_that_could_change_the_schema_is_not_given_the_service(postgres_database: str) -> None:
    code, said = refused("--database", postgres_database, "--service-role", "postgres")
    assert (code, said) == (1, "role postgres could change the schema: the service needs one that cannot\n")


@pytest.mark.parametrize(
    "way", ["ALTER ROLE {role} NOINHERIT; GRANT {owner} TO {role}", "GRANT CREATE ON SCHEMA public TO {role}"]
)
def test_role_that_could_change_the_schema_by_another_way_is_not_given_the_service(
    postgres_server: PostgresServer, postgres_database: str, way: str
) -> None:
    names = {name: f"{name}_{postgres_database[-12:]}" for name in ("owner", "role")}
    for name in names.values():
        postgres_server.execute(f"CREATE ROLE {name} LOGIN")
    database = postgres_database.rpartition("/")[2]
    try:
        postgres_server.execute(f"ALTER DATABASE {database} OWNER TO {names['owner']}")
        postgres_server.execute(way.format(**names), database=database)
        url = postgres_server.url(database, user=names["owner"])
        code, said = refused("--database", url, "--service-role", names["role"])
        assert (code, "could change the schema" in said) == (1, True), said
    finally:
        postgres_server.execute(f"ALTER DATABASE {database} OWNER TO postgres")
        for name in names.values():
            postgres_server.execute(f"DROP OWNED BY {name}", database=database)
            postgres_server.execute(f"DROP ROLE {name}")


def test_missing_role_is_named_with_what_makes_it(postgres_database: str) -> None:
    code, said = refused("--database", postgres_database, "--service-role", "nobody_there")
    assert (code, said) == (1, "there is no role nobody_there: CREATE ROLE nobody_there LOGIN\n")
    with psycopg.connect(postgres_database) as connection:
        assert connection.execute("SELECT to_regclass('records')").fetchone() == (None,)


def test_password_in_the_url_is_refused_and_not_repeated() -> None:
    code, said = refused("--database", "postgresql://owner:hunter2@127.0.0.1/vault", "--service-role", "any")
    assert (code, "must not hold a password" in said, "hunter2" in said) == (1, True, False)


def test_server_elsewhere_must_prove_its_name() -> None:
    code, said = refused("--database", "postgresql://owner@db.example/vault", "--service-role", "any")
    assert (code, "sslmode=verify-full" in said) == (1, True)
