"""A real Prometheus scrapes a real service under load whose keepers are killed: the right alert fires, the panels fill.

What the panels showed is left in build/dashboard.json, which `make dashboard` draws.
"""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest

from deploy.development import vault_folder
from deploy.development.environment import DevelopmentVault, VaultShape
from tests.fakes.hand_client import HandClient, Told
from tests.fakes.passkey import HONEST, Forgery
from tests.integration.service.evidence import strongroomd
from tests.integration.service.test_life_of_service import keepers_of, metrics_of

_ROOT: Final = Path(__file__).parents[3]
_RULES: Final = _ROOT / "deploy/prometheus/rules.yaml"
_PANELS: Final = json.loads((_ROOT / "deploy/prometheus/dashboard.json").read_text(encoding="utf-8"))["panels"]
# What load must move; the other panels may well stand at zero.
_MOVED: Final = {
    "Can users restore?",
    "Releases answered, 5 min",
    "Release, 99th percentile",
    "Keys released, per second",
    "Calls by code",
    "Latency by method, 99th percentile",
    "Attempts by outcome",
    "Token operations",
    "Seconds of a token operation",
    "Keeper restarts, 15 min",
    "Commit, 99th percentile",
    "Changes in one commit",
}
_WORKERS: Final = 2
_WRONG_EVERY: Final = 6
_PAUSE_SECONDS: Final = 0.1
_DEADLINE_SECONDS: Final = 60.0


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@contextmanager
def prometheus(folder: Path, vault: DevelopmentVault) -> Iterator[str]:
    [port] = vault_folder.free_ports(1)
    target = urllib.parse.urlsplit(vault.files.metrics_url).netloc
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(_RULES)],
        "scrape_configs": [{"job_name": "strongroom", "static_configs": [{"targets": [target]}]}],
    }
    file = folder / "prometheus.json"  # JSON is YAML
    file.write_text(json.dumps(config), encoding="utf-8")
    command = ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def firing(url: str) -> set[str]:
    try:
        with urllib.request.urlopen(f"{url}/api/v1/alerts", timeout=5) as page:  # noqa: S310  our own http URL
            alerts = json.load(page)["data"]["alerts"]
    except OSError:  # not listening yet
        return set()
    return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


@contextmanager
def load(vault: DevelopmentVault) -> Iterator[None]:
    """People who restore, some of them with a wrong signature, until the block ends."""
    stop = threading.Event()

    def restore(client: HandClient) -> None:
        count = 0
        while not stop.wait(_PAUSE_SECONDS):
            count += 1
            with contextlib.suppress(Told):  # the wrong ones, and whoever's keeper was just killed
                client.release(Forgery(unsigned=True) if count % _WRONG_EVERY == 0 else HONEST)

    clients = [HandClient(vault) for _ in range(_WORKERS)]
    for client in clients:
        client.enroll()
    threads = [threading.Thread(target=restore, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for client in clients:
            client.channel.close()


def ask(url: str, path: str, **arguments: object) -> list[dict[str, Any]]:
    query = urllib.parse.urlencode(arguments)
    with urllib.request.urlopen(f"{url}/api/v1/{path}?{query}", timeout=5) as page:  # noqa: S310  our own http URL
        result: list[dict[str, Any]] = json.load(page)["data"]["result"]
    return result


def drawn(url: str, begin: float) -> dict[str, list[dict[str, Any]]]:
    """What each panel of the dashboard shows since then: its series, each with its labels and [time, value]."""
    span = {"start": begin, "end": time.time(), "step": 1}
    return {
        panel["title"]: [
            series
            for target in panel["targets"]
            for series in ask(url, "query_range", query=target["expr"].replace("$job", "strongroom"), **span)
        ]
        for panel in _PANELS
    }


def finite(series: list[dict[str, Any]]) -> list[float]:
    return [number for each in series for _, value in each["values"] if math.isfinite(number := float(value))]


@pytest.mark.verify
def test_killed_keepers_fire_their_alert_and_every_panel_has_data() -> None:
    shape = VaultShape(policy={"cool_down_seconds": [1], "releases_per_day": 100})
    # A vault's folder needs a short name: that of a socket in it may have 80 bytes.
    with (
        TemporaryDirectory() as folder,
        DevelopmentVault.start(Path(folder) / "vault", shape=shape) as vault,
        prometheus(Path(folder), vault) as url,
    ):
        begin = time.time()
        assert strongroomd(vault.files.config_file, "checkpoint", "make").code == 0  # without one it has no age
        wait_until(lambda: metrics_of(vault)["strongroom_keepers_connected"] == 2)
        # The alert for configuration that ought not to be in production waits ten minutes: nothing fires yet.
        wait_until(lambda: _scraped(url))
        assert "StrongroomKeeperRestarts" not in firing(url)
        with load(vault):
            for round_ in range(1, 5):
                keepers_of(vault)[0].kill()
                wait_until(lambda: metrics_of(vault)["strongroom_keeper_restarts_total"] >= round_)  # noqa: B023  called at once
                wait_until(lambda: metrics_of(vault)["strongroom_keepers_connected"] == 2)
            wait_until(lambda: "StrongroomKeeperRestarts" in firing(url))
            wait_until(lambda: all(any(finite(drawn(url, begin)[title])) for title in _MOVED))
        panels = drawn(url, begin)
    assert set(panels) > _MOVED
    assert [title for title, series in panels.items() if not finite(series)] == []
    outcomes = {each["metric"]["outcome"] for each in panels["Attempts by outcome"] if any(finite([each]))}
    assert outcomes >= {"granted", "failed"}
    target = _ROOT / "build/dashboard.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(panels), encoding="utf-8")


def _scraped(url: str) -> bool:
    try:
        return bool(ask(url, "query", query="strongroom_build_info"))
    except OSError:
        return False
