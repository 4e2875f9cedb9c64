"""The listener for browsers in the chart: only if asked for, and for named peers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from strongroom_service.config.vault_file import load_vault_config
from tests.integration.kubernetes.rendering import objects_of, one, template

pytestmark = pytest.mark.verify


def test_browsers_have_a_port_only_if_asked_for_and_for_named_peers(tmp_path: Path) -> None:
    assert "browser" not in template(tmp_path)
    peers = [{"ipBlock": {"cidr": "0.0.0.0/0"}}]
    browser = {"enabled": True, "tlsSecretName": "public", "serviceType": "LoadBalancer"}
    objects = objects_of(template(tmp_path, {"browser": browser, "networkPolicy": {"browsers": peers}}))
    (tmp_path / "strongroom.toml").write_text(one(objects, "ConfigMap")["data"]["strongroom.toml"], encoding="utf-8")
    configured = load_vault_config(tmp_path / "strongroom.toml").browser
    assert configured is not None
    assert (configured.port, str(configured.tls_key_file)) == (8445, "/browser-tls/tls.key")
    assert not configured.plaintext
    service = one(objects, "Service", "vault-browser")["spec"]
    assert (service["ports"][0]["targetPort"], service["externalTrafficPolicy"]) == ("browser", "Local")
    front, *others = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert {"name": "browser", "containerPort": 8445} in front["ports"]
    assert "browser" not in json.dumps(others)
    rules = one(objects, "NetworkPolicy", "vault-peers")["spec"]["ingress"]
    assert {"from": peers, "ports": [{"protocol": "TCP", "port": "browser"}]} in rules
    nobody = one(objects_of(template(tmp_path, {"browser": browser})), "NetworkPolicy", "vault-peers")
    assert "browser" not in json.dumps(nobody)
