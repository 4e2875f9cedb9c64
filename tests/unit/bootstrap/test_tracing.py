"""Each in a child process: what is imported there is the question."""

from __future__ import annotations

import json
import subprocess
import sys

_PROGRAM = """
import asyncio, contextlib, json, sys

missing, wanted = sys.argv[1] == "missing", sys.argv[2] == "wanted"
if missing:
    sys.modules["opentelemetry"] = None  # as if it were not installed
import strongroom_service.bootstrap.front
from strongroom_service.bootstrap.tracing import make_tracing
from strongroom_service.config.tracing import TracingTable
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.telemetry.logs import get_logger


async def make():
    table = TracingTable(endpoint="http://127.0.0.1:9/v1/traces") if wanted else None
    async with contextlib.AsyncExitStack() as resources:
        return type(make_tracing(table, log=get_logger(), resources=resources)).__name__


try:
    made = asyncio.run(make())
except Misconfigured as error:
    made = str(error)
names = {name.partition(".")[0] for name, module in sys.modules.items() if module is not None}
print(json.dumps([made, sorted(names & {"opentelemetry", "requests", "urllib3"})]))
"""


def made(*, missing: bool = False, wanted: bool) -> list[object]:
    words = ["missing" if missing else "installed", "wanted" if wanted else "unwanted"]
    output = subprocess.run([sys.executable, "-c", _PROGRAM, *words], check=True, capture_output=True, text=True)
    told = json.loads(output.stdout)
    assert isinstance(told, list)
    return told


def test_without_its_table_a_front_imports_nothing_of_tracing() -> None:
    assert made(wanted=False) == ["NoTracing", []]
    assert made(wanted=True) == ["OpenTelemetryTracing", ["opentelemetry", "requests", "urllib3"]]  # the control


def test_missing_extra_is_told_with_how_to_install_it() -> None:
    assert made(missing=True, wanted=False) == ["NoTracing", []]
    [message, _] = made(missing=True, wanted=True)
    assert "[tracing] needs the extra `tracing`" in str(message)
    assert "pip install --require-hashes -r requirements/tracing.txt" in str(message)
