from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Generator

# Tests start programs, which as other users is by fork(): gRPC's handlers for that have been seen to wait for ever for
# its own threads. What is forked here runs another program at once and needs none of them. Read at gRPC's first use.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"

pytest_plugins = [
    "tests.fixtures.postgres",
    "tests.fixtures.redis",
    "tests.fixtures.token",
    "tests.fixtures.nss",
    "tests.fixtures.vault",
]

# No deadline: the time of one example on a shared core says nothing. In CI the same examples each time, so that a
# failure there is the change's; elsewhere new ones, so that more is tried.
settings.register_profile("strongroom", deadline=None, derandomize="CI" in os.environ, print_blob=True)
# For many runs of the tests in a row, each on a changed rule (tests/mutants/run.py): few examples, always the same.
settings.register_profile("mutants", parent=settings.get_profile("strongroom"), derandomize=True, max_examples=12)
settings.load_profile("strongroom")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Give each test the umask that the run began with: one that hardens its own process would leave its own behind."""
    before = os.umask(0o022)
    os.umask(before)
    try:
        return (yield)
    finally:
        os.umask(before)
