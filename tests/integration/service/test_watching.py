"""Alert rules, dashboard and runbooks, held against what a running service really shows."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from deploy.development.environment import DevelopmentVault
from tests.fakes.hand_client import HandClient
from tests.integration.service.evidence import strongroomd
from tests.integration.service.test_life_of_service import metrics_of, wait_until

_ROOT: Final = Path(__file__).parents[3]
_FOLDER: Final = _ROOT / "deploy/prometheus"
_RULES: Final = (_FOLDER / "rules.yaml").read_text(encoding="utf-8")
_DASHBOARD: Final = (_FOLDER / "dashboard.json").read_text(encoding="utf-8")
_ALERTS: Final = re.findall(r"^ +- alert: (\w+)$", _RULES, re.MULTILINE)
_CONTROL: Final = "strongroom_nobody_counts_this_total"


def names_in(text: str) -> set[str]:
    """Metrics that expressions name; recorded ones (strongroom:...) are the rules' own."""
    return set(re.findall(r"\b(?:strongroom|grpc_server)_[a-z_]+", text))


def missing_from(vault: DevelopmentVault, text: str) -> set[str]:
    with urllib.request.urlopen(vault.files.metrics_url, timeout=5) as page:  # noqa: S310  our own http URL
        lines = page.read().decode().splitlines()
    return names_in(text) - {re.split(r"[{ ]", line)[0] for line in lines if not line.startswith("#")}


def test_every_metric_of_rules_and_dashboard_is_in_a_live_scrape(development_vault: DevelopmentVault) -> None:
    expressions = "\n".join(target["expr"] for panel in json.loads(_DASHBOARD)["panels"] for target in panel["targets"])

    assert len(names_in(_RULES)) > 15
    assert len(names_in(expressions)) > 15
    assert missing_from(development_vault, _RULES + expressions) == set()
    assert missing_from(development_vault, f"{expressions} + {_CONTROL}") == {_CONTROL}


def test_epochs_certificate_and_token_operations_are_told_as_they_are(development_vault: DevelopmentVault) -> None:
    listed = strongroomd(development_vault.files.config_file, "keys", "list", "--output", "json")
    in_use = {key["label"]: key for key in json.loads("\n".join(listed.lines)) if key["state"] == "active"}
    # Keepers' values are there once the front has looked at them.
    wait_until(lambda: metrics_of(development_vault)['strongroom_key_epoch{purpose="identity"}'] > 0)
    before = metrics_of(development_vault)
    for purpose in ("kek", "seal", "transport", "identity"):
        epoch = int(before[f'strongroom_key_epoch{{purpose="{purpose}"}}'])
        since = datetime.fromisoformat(in_use[f"strongroom-{purpose}-{epoch}"]["since"])
        created = before[f'strongroom_key_epoch_created_timestamp_seconds{{purpose="{purpose}"}}']
        assert int(created) == since.timestamp()

    [chain] = development_vault.files.config_file.parent.glob("server.pem")
    ends = x509.load_pem_x509_certificates(chain.read_bytes())[0].not_valid_after_utc
    assert before['strongroom_tls_certificate_not_after_timestamp_seconds{role="server"}'] == ends.timestamp()

    with HandClient(development_vault) as client:
        client.enroll()
        client.release()
    # Keepers tell what they asked of the token when the front next looks: one envelope was wrapped, and unwrapped.
    for operation in ("wrap", "unwrap"):
        told = asked_of_the_token(before, operation)
        wait_until(lambda: asked_of_the_token(metrics_of(development_vault), operation) > told)  # noqa: B023  called at once


def asked_of_the_token(metrics: dict[str, float], operation: str) -> float:
    name = "strongroom_token_operations_total{"
    return sum(value for key, value in metrics.items() if key.startswith(name) and f'operation="{operation}"' in key)


def test_chart_ships_these_rules() -> None:
    assert (_FOLDER.parent / "chart" / "strongroom" / "files" / "rules.yaml").read_text(encoding="utf-8") == _RULES


def test_each_alert_names_its_section_of_the_runbooks() -> None:
    sections = re.findall(r"^## (\w+)$", (_ROOT / "docs/runbooks.md").read_text(encoding="utf-8"), re.MULTILINE)
    anchors = re.findall(r"^ +runbook_url: docs/runbooks\.md#(\w+)$", _RULES, re.MULTILINE)

    assert anchors == [name.lower() for name in _ALERTS]
    assert sorted(sections) == sorted(_ALERTS)


def test_each_alert_fires_when_it_should_and_not_otherwise() -> None:
    cases = re.findall(r"^- name: (.+)$", (_FOLDER / "rules_test.yaml").read_text(encoding="utf-8"), re.MULTILINE)

    both = [f"{name} {how}" for name in _ALERTS for how in ("fires", "stays quiet")]
    beside = {
        "StrongroomReleaseSpike stays quiet in the first day",
        "StrongroomOwnerBundleEndsSoon fires for a faulty folder",
        "StrongroomOwnerBundleEndsSoon stays quiet without owners",
    }
    assert sorted(cases) == sorted([*both, *beside])
    tested = subprocess.run(
        ["promtool", "test", "rules", "rules_test.yaml"], cwd=_FOLDER, capture_output=True, text=True, check=False
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
