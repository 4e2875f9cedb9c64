from __future__ import annotations

from pathlib import Path

import pytest

_ORACLE_PYTHON = Path(__file__).parents[2] / ".venv-oracles" / "bin" / "python"


@pytest.fixture(scope="session")
def oracle_python() -> Path:
    """The interpreter of the environment with independent implementations; made by `make setup`."""
    if not _ORACLE_PYTHON.exists():
        pytest.fail(f"{_ORACLE_PYTHON} is missing; `make setup` makes it")
    return _ORACLE_PYTHON
