"""One service for all that is done to it here: afterwards it must be what it was before."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.development.environment import DevelopmentVault, VaultShape, make_files
from deploy.development.tenant import DevelopmentTenant, generate_tenant, write_tenant
from tests.bench.processes import find_children
from tests.fakes.stepped_vault import until
from tests.integration.abuse.spoiling import MARK

# Patient with keepers: on a busy host a slow one is not to be taken for one that abuse has brought down.
SHAPE = VaultShape(
    keepers=2,
    policy={"budget": 100, "cool_down_seconds": [], "releases_per_day": 1_000},
    browser=True,
    keeper_settings={"call_deadline_seconds": 30.0, "heartbeat_timeout_seconds": 60.0},
)


@dataclass(frozen=True)
class Abused:
    """A running vault with a second tenant, whose accounts are strangers to the first one's."""

    vault: DevelopmentVault
    stranger: DevelopmentTenant


@pytest.fixture(scope="session")
def abused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Abused]:
    folder = Path(tmp_path_factory.mktemp("abused"))
    files = make_files(folder, SHAPE)
    stranger = generate_tenant(name="other", issuer="https://login.other.example")
    write_tenant(stranger, folder / "tenants")
    with DevelopmentVault(files) as vault:
        vault.init()
        vault.serve()
        until(lambda: metrics_of(vault)["strongroom_keepers_connected"] == SHAPE.keepers, "both keepers are connected")
        before, started = find_children(vault.pid), vault.log_file.stat().st_size
        yield Abused(vault, stranger)
        assert find_children(vault.pid) == before, "a process was replaced"
        require_untroubled(vault, log_from=started)


def require_untroubled(vault: DevelopmentVault, *, log_from: int) -> None:
    """Nothing broke, by the word of metrics and log; and the log repeats nothing of what was sent."""
    # On a busy host a keeper's probe may have come late; then the next one comes in time.
    until(lambda: metrics_of(vault)["strongroom_keepers_connected"] == SHAPE.keepers, "both keepers are connected")
    assert metrics_of(vault)["strongroom_stale_records_total"] == 0
    log = vault.log_file.read_bytes()[log_from:].decode()
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert [line for line in lines if line["level"] not in {"info", "debug"}] == []
    assert lines
    assert MARK.decode() not in log
    assert MARK.hex() not in log


def metrics_of(vault: DevelopmentVault) -> dict[str, float]:
    with urllib.request.urlopen(vault.files.metrics_url, timeout=5) as reply:  # noqa: S310  our own URL, http
        lines = reply.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}
