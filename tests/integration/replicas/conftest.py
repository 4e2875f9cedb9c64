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
