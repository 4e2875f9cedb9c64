"""A real Prometheus scrapes a real service whose keepers are killed: the right alert fires, by the shipped rules."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from deploy.development import vault_folder
from deploy.development.environment import DevelopmentVault
from tests.integration.service.test_life_of_service import keepers_of, metrics_of

_RULES: Final = Path(__file__).parents[3] / "deploy/prometheus/rules.yaml"
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


@pytest.mark.verify
def test_keepers_that_are_killed_again_and_again_fire_their_alert(tmp_path: Path) -> None:
    with DevelopmentVault.start(tmp_path / "vault") as vault, prometheus(tmp_path, vault) as url:
        wait_until(lambda: metrics_of(vault)["strongroom_keepers_connected"] == 2)
        # The alert for configuration that ought not to be in production waits ten minutes: nothing fires yet.
        wait_until(lambda: _scraped(url))
        assert "StrongroomKeeperRestarts" not in firing(url)
        for round_ in range(1, 5):
            keepers_of(vault)[0].kill()
            wait_until(lambda: metrics_of(vault)["strongroom_keeper_restarts_total"] >= round_)  # noqa: B023  called at once
            wait_until(lambda: metrics_of(vault)["strongroom_keepers_connected"] == 2)
        wait_until(lambda: "StrongroomKeeperRestarts" in firing(url))


def _scraped(url: str) -> bool:
    query = urllib.parse.urlencode({"query": "strongroom_build_info"})
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=5) as page:  # noqa: S310  our own http URL
            return bool(json.load(page)["data"]["result"])
    except OSError:
        return False
