from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.fixtures.postgres import PostgresServer
from tests.fixtures.replicas import Replicas


@pytest.fixture(scope="package")
def replicas(postgres_server: PostgresServer) -> Iterator[Replicas]:
    """Three, each with two keepers, on one PostgreSQL; for all tests here, which leave them running."""
    # Not below pytest's folder, whose name may be too long for a socket in it.
    with TemporaryDirectory(prefix="replicas-") as folder, ExitStack() as held:
        name = postgres_server.create_database()
        held.callback(postgres_server.drop_database, name)
        yield held.enter_context(Replicas.started(postgres_server, name, Path(folder)))
