from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.fakes.stepped_vault import SHAPE
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.replicas import SERVICE_ROLE, Replicas


@pytest.fixture(scope="package")
def replicas(postgres_server: PostgresServer) -> Iterator[Replicas]:
    """Three, each with two keepers, on one PostgreSQL; for all tests here, which leave them running."""
    # Not below pytest's folder, whose name may be too long for a socket in it.
    with TemporaryDirectory(prefix="replicas-") as folder, ExitStack() as held:
        name = postgres_server.create_database()
        held.callback(postgres_server.drop_database, name)
        yield held.enter_context(
            Replicas.started(
                owner_url=postgres_server.url(name),
                service_url=postgres_server.url(name, user=SERVICE_ROLE),
                folder=Path(folder),
                shape=replace(SHAPE, postgresql={"single_node": True}),
            )
        )


@pytest.fixture
def service_url(postgres_server: PostgresServer, postgres_database: str) -> str:
    """An empty database's URL for the service's role, which exists."""
    if not postgres_server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", SERVICE_ROLE):
        postgres_server.execute(f"CREATE ROLE {SERVICE_ROLE} LOGIN")
    return postgres_server.url(postgres_database.rpartition("/")[2], user=SERVICE_ROLE)
