from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.fakes.stepped_vault import SHAPE, SteppedVault


@pytest.fixture(scope="package")
def vault() -> Iterator[SteppedVault]:
    """Two keepers, no cool-downs; for all tests here, which strike its processes and leave it whole."""
    # Not below pytest's folder, whose name may be too long for a socket in it.
    with TemporaryDirectory(prefix="faults-") as folder, SteppedVault.start(Path(folder), shape=SHAPE) as vault:
        yield vault
