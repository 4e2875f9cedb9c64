"""What is for browsers is loaded for them alone."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

WATCHED = ["connectrpc", "h11", "protobuf", "pyqwest", "uvicorn"]
PROGRAM = """
import json, sys
import strongroom_service.bootstrap.front
if sys.argv[1] == "wanted":
    import strongroom_service.front.browser.server
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules} & set(sys.argv[2:]))))
"""


@pytest.mark.parametrize(("wanted", "loaded"), [("unwanted", []), ("wanted", WATCHED)])
def test_without_its_table_a_front_imports_nothing_for_browsers(wanted: str, loaded: list[str]) -> None:
    program = [sys.executable, "-P", "-c", PROGRAM, wanted, *WATCHED]
    done = subprocess.run(program, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == loaded
