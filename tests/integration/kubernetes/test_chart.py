"""The Helm chart renders to what clusters take and reviewers look for, and refuses values that would be unsafe."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from strongroom_service.config.tenant_file import load_tenants
from strongroom_service.config.vault_file import load_vault_config
from tests.integration.kubernetes.rendering import CHART, PRODUCTION, ROOT, objects_of, one, run, template

pytestmark = pytest.mark.verify

_KUBERNETES: Final = ("1.34", "1.37")
# The operator's own kinds, whose schemas no release of Kubernetes has.
_WITHOUT_SCHEMA: Final = {"ServiceMonitor", "PrometheusRule"}
_KEEPERS_OWN: Final = {"keeper-secrets", "keeper-data", "keeper-tmp", "vendor"}

_UNSAFE: Final[Mapping[str, tuple[Mapping[str, Any], str]]] = {
    "softhsm": ({"pkcs11": {"moduleFile": "/usr/lib/softhsm/libsofthsm2.so"}}, "SoftHSM keeps keys in files"),
    "softhsm by its configuration": (
        {"pkcs11": {"environment": {"SOFTHSM2_CONF": "/c"}}},
        "SoftHSM keeps keys in files",
    ),
    "single user": ({"settings": {"": {"single_user": True}}}, "propertyNames|propertyName|does not match pattern"),
    "one user for both": ({"users": {"keeper": 10001}}, "users.front and users.keeper must differ"),
    "a system's user": ({"users": {"front": 0}}, "minimum"),
    "no on_exhaustion": ({"tenants": {"notes": {"policy": {"on_exhaustion": None}}}}, "on_exhaustion"),
    "another on_exhaustion": ({"tenants": {"notes": {"policy": {"on_exhaustion": "ask"}}}}, "on_exhaustion"),
    "a tenant of development": ({"tenants": {"notes": {"development": True}}}, "tenants.notes.development is refused"),
    "an image by tag": ({"image": {"digest": "", "tag": "latest"}}, "image.digest is required"),
    "no audience": ({"audience": ""}, "audience"),
    "a password in the URL": ({"database": {"url": "postgresql://strongroom:x@db1/vault"}}, "database/url"),
    "an unverified database": ({"database": {"url": "postgresql://strongroom@db1/vault"}}, "sslmode=verify-full"),
    "one database server": ({"database": {"singleNode": True}}, "database.singleNode is refused"),
    "a path of the host": ({"pkcs11": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}}, "pkcs11/volumes"),
    "checkpoints on a path of the host": (
        {"housekeeper": {"volume": {"hostPath": {"path": "/"}}}},
        "housekeeper/volume",
    ),
    "a secret in the environment": ({"pkcs11": {"environment": {"TOKEN_PIN": "1234"}}}, "TOKEN_PIN"),
    "two network tokens": (
        {"networkPolicy": {"hsm": {"peers": [{"ipBlock": {"cidr": "192.0.2.1/32"}}, {"podSelector": {"a": "b"}}]}}},
        "networkPolicy/hsm",
    ),
    "one owner": (
        {"owners": {"bundlesConfigMap": "b", "keysConfigMap": "k", "keyFiles": ["ada.pub"]}},
        "two names or more in owners.keyFiles",
    ),
    "browsers by a table of settings": ({"settings": {"browser": {"plaintext": True}}}, "propertyName 'browser'"),
    "an unknown value": ({"keeperz": {}}, "keeperz"),
}


@pytest.fixture(name="rendered", scope="module")
def _rendered(tmp_path_factory: pytest.TempPathFactory) -> str:
    return template(tmp_path_factory.mktemp("values"))


def test_chart_and_dockerfile_pass_the_linters(rendered: str, tmp_path: Path) -> None:
    run("helm", "lint", "--strict", CHART, "--values", PRODUCTION)
    run("hadolint", "--config", ROOT / "deploy/image/hadolint.yaml", ROOT / "deploy/image/Dockerfile")
    configuration = ROOT / "deploy/chart/yamllint.yaml"
    run("yamllint", "--strict", "-c", configuration, CHART / "values.yaml", CHART / "Chart.yaml", PRODUCTION)
    assert rendered


@pytest.mark.parametrize("release", _KUBERNETES)
def test_rendered_chart_fits_the_schemas_of_kubernetes(rendered: str, release: str, tmp_path: Path) -> None:
    path = tmp_path / "rendered.yaml"
    path.write_text(rendered, encoding="utf-8")
    said = run("kubernetes-validate", "--strict", "-k", release, path)
    kinds = {each["kind"] for each in objects_of(rendered)}
    unknown = {kind for kind in kinds if f"Couldn't find schema for kind {kind} " in said}
    assert unknown == kinds & _WITHOUT_SCHEMA


def test_every_failed_check_of_checkov_is_explained(rendered: str, tmp_path: Path) -> None:
    path = tmp_path / "rendered.yaml"
    path.write_text(rendered, encoding="utf-8")
    said = run("checkov", "-f", path, "--framework", "kubernetes", "--quiet", "--soft-fail", "-o", "json")
    report = json.loads(said[said.index("{") : said.rindex("}") + 1])
    failed: dict[str, set[str]] = {}
    for each in report["results"]["failed_checks"]:
        kind, _, name = each["resource"].split(".", 2)
        failed.setdefault(each["check_id"], set()).add(f"{kind}/{name}")
    explained = tomllib.loads((ROOT / "deploy/chart/checkov-explained.toml").read_text(encoding="utf-8"))
    assert failed == {check: set(each["fails"]) for check, each in explained.items()}
    assert all(each["because"] for each in explained.values())


@pytest.mark.parametrize("why", _UNSAFE)
def test_unsafe_values_are_refused(why: str, tmp_path: Path) -> None:
    values, said = _UNSAFE[why]
    message = template(tmp_path, values, fails=True)
    assert any(each in message for each in said.split("|")), message


def test_service_takes_the_configuration_that_the_chart_writes(rendered: str, tmp_path: Path) -> None:
    objects = objects_of(rendered)
    for name in ("vault", "vault-tenants"):
        for file, content in one(objects, "ConfigMap", name)["data"].items():
            # As kubelet mounts it: a link to a file in a folder beside.
            (tmp_path / name / "..data").mkdir(parents=True, exist_ok=True)
            (tmp_path / name / "..data" / file).write_text(content, encoding="utf-8")
            (tmp_path / name / file).symlink_to(Path("..data", file))
    config = load_vault_config(tmp_path / "vault/strongroom.toml")
    assert not config.single_user
    assert config.users is not None
    assert config.users.front_uid != config.users.keeper_uid
    assert config.health is not None
    assert len(load_tenants(tmp_path / "vault-tenants")) == 1


def test_what_the_owners_signed_is_the_fronts_alone(tmp_path: Path) -> None:
    owners = {"bundlesConfigMap": "signed", "keysConfigMap": "keys", "keyFiles": ["ada.pub", "grace.pub"]}
    objects = objects_of(template(tmp_path, {"owners": owners}))
    (tmp_path / "strongroom.toml").write_text(one(objects, "ConfigMap")["data"]["strongroom.toml"], encoding="utf-8")
    configured = load_vault_config(tmp_path / "strongroom.toml").owners
    assert configured is not None
    read = {str(configured.bundles_dir), *(str(path.parent) for path in configured.key_files)}
    pod = one(objects, "Deployment")["spec"]["template"]["spec"]
    front, *others = ({each["mountPath"] for each in container["volumeMounts"]} for container in pod["containers"])
    assert front >= read
    assert not read & set().union(*others)
    volumes = {each["name"]: each["configMap"]["name"] for each in pod["volumes"] if "configMap" in each}
    assert (volumes["owner-bundles"], volumes["owner-keys"]) == ("signed", "keys")


def test_pin_and_module_are_the_keepers_alone(rendered: str) -> None:
    pod = one(objects_of(rendered), "Deployment")["spec"]["template"]["spec"]
    front, keeper, housekeeper = pod["containers"]
    assert (front["name"], keeper["name"], housekeeper["name"]) == ("front", "keeper", "housekeeper")
    for other in (front, housekeeper):
        assert not _KEEPERS_OWN & {each["name"] for each in other["volumeMounts"]}
    assert {each["name"] for each in keeper["volumeMounts"]} >= _KEEPERS_OWN
    assert not {"front-secrets", "tls"} & {each["name"] for each in keeper["volumeMounts"]}
    assert "ports" not in keeper
    assert front["securityContext"]["runAsUser"] != keeper["securityContext"]["runAsUser"]
    assert not [each for each in pod["containers"] if "env" in each or "envFrom" in each]


def test_housekeeper_has_the_database_and_the_sockets_as_the_keepers_user(rendered: str) -> None:
    pod = one(objects_of(rendered), "Deployment")["spec"]["template"]["spec"]
    front, keeper, housekeeper = pod["containers"]
    (taking,) = (each for each in pod["initContainers"] if each["name"] == "take-housekeeper-secrets")
    assert housekeeper["args"] == ["housekeep", "--config", "/etc/strongroom/vault/strongroom.toml", "--every", "600"]
    assert housekeeper["securityContext"] == taking["securityContext"] == keeper["securityContext"]
    assert {each["name"] for each in taking["volumeMounts"]} == {"database", "housekeeper-secrets"}
    mounts = {each["name"]: each["mountPath"] for each in housekeeper["volumeMounts"]}
    assert mounts["housekeeper-secrets"] == "/secrets"
    assert mounts["sockets"] == "/run/strongroom"
    assert not {"tls", "front-secrets", "pin", "database"} & mounts.keys()
    (seen,) = (each for each in front["volumeMounts"] if each["name"] == "checkpoints")
    assert seen == {"name": "checkpoints", "mountPath": mounts["checkpoints"], "readOnly": True}
    assert mounts.keys() <= {each["name"] for each in pod["volumes"]}
    assert "ports" not in housekeeper


def test_housekeeper_keeps_checkpoints_where_it_is_told_or_is_left_out(tmp_path: Path) -> None:
    claim = {"persistentVolumeClaim": {"claimName": "checkpoints"}}
    without_default = {"housekeeper": {"volume": {"emptyDir": None, **claim}}}
    pod = one(objects_of(template(tmp_path, without_default)), "Deployment")["spec"]["template"]["spec"]
    (volume,) = (each for each in pod["volumes"] if each["name"] == "checkpoints")
    assert volume == {"name": "checkpoints", **claim}
    pod = one(objects_of(template(tmp_path, {"housekeeper": {"enabled": False}})), "Deployment")["spec"]["template"]
    assert "housekeep" not in json.dumps(pod["spec"])
    assert "checkpoints" not in json.dumps(pod["spec"])


def test_vault_is_made_once_by_the_keepers_user_before_pods_are(rendered: str, tmp_path: Path) -> None:
    objects = objects_of(rendered)
    migrate, job = one(objects, "Job", "vault-migrate"), one(objects, "Job", "vault-init")
    hooks = job["metadata"]["annotations"]
    assert hooks["helm.sh/hook"] == "pre-install"
    assert int(hooks["helm.sh/hook-weight"]) > int(migrate["metadata"]["annotations"]["helm.sh/hook-weight"])
    pod = job["spec"]["template"]["spec"]
    (init,) = pod["containers"]
    assert init["args"] == ["init", "--one-user", "--config", "/etc/strongroom/vault/strongroom.toml"]
    served = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"][1]
    assert init["securityContext"] == served["securityContext"]
    given = {mount["name"] for each in pod["initContainers"] for mount in each["volumeMounts"]}
    assert given == {"database", "pin", "secrets"}
    # What the pods are given is made after hooks: it is given the same by ones of its own, which are made before it.
    for volume, name in (("configuration", ""), ("tenants", "-tenants")):
        (mounted,) = (each["configMap"]["name"] for each in pod["volumes"] if each["name"] == volume)
        made = one(objects, "ConfigMap", mounted)
        assert made["metadata"]["annotations"]["helm.sh/hook"] == "pre-install"
        assert int(made["metadata"]["annotations"]["helm.sh/hook-weight"]) < int(hooks["helm.sh/hook-weight"])
        assert made["data"] == one(objects, "ConfigMap", f"vault{name}")["data"]
    labels = job["spec"]["template"]["metadata"]["labels"]
    (policy,) = (
        each["spec"]
        for each in objects
        if each["kind"] == "NetworkPolicy" and each["spec"]["podSelector"]["matchLabels"] == labels
    )
    assert sorted(port["port"] for rule in policy["egress"] for port in rule["ports"]) == [53, 53, 1792, 5432]
    without = objects_of(template(tmp_path, {"init": {"enabled": False}}))
    assert not [each for each in without if each["metadata"]["name"].startswith("vault-init")]


def test_every_container_is_restricted(rendered: str) -> None:
    specs = [each["spec"]["template"]["spec"] for each in objects_of(rendered) if each["kind"] in {"Deployment", "Job"}]
    assert len(specs) == 3
    for spec in specs:
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        for container in spec["initContainers"] + spec["containers"]:
            context = container["securityContext"]
            assert context["runAsUser"] >= 10_000
            assert context["runAsNonRoot"] is context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_prometheus_rule_is_the_rules_that_promtool_tests(rendered: str, tmp_path: Path) -> None:
    rule = one(objects_of(rendered), "PrometheusRule")
    (rules,) = objects_of((ROOT / "deploy/prometheus/rules.yaml").read_text(encoding="utf-8"))
    assert rule["spec"] == rules
    alerts = {each["alert"] for group in rules["groups"] for each in group["rules"] if "alert" in each}
    assert len(alerts) > 15
    runbooks = (ROOT / "docs/runbooks.md").read_text(encoding="utf-8")
    assert all(f"\n## {alert}\n" in runbooks for alert in alerts)
    without = objects_of(template(tmp_path, {"monitoring": {"prometheusRule": {"enabled": False}}}))
    assert not [each for each in without if each["kind"] == "PrometheusRule"]


def test_keeper_outlives_the_fronts_drain(rendered: str) -> None:
    objects = objects_of(rendered)
    pod = one(objects, "Deployment")["spec"]["template"]["spec"]
    settings = tomllib.loads(one(objects, "ConfigMap")["data"]["strongroom.toml"])
    keeper_waits = pod["containers"][1]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert keeper_waits > settings["drain_wait_seconds"] + settings["drain_grace_seconds"]
    assert pod["terminationGracePeriodSeconds"] > keeper_waits


def test_network_is_closed_but_for_named_peers(rendered: str) -> None:
    policies = [each["spec"] for each in objects_of(rendered) if each["kind"] == "NetworkPolicy"]
    assert all(each["policyTypes"] == ["Ingress", "Egress"] for each in policies)
    rules = [rule for each in policies for rule in (*(each.get("ingress") or ()), *(each.get("egress") or ()))]
    assert rules
    # A rule without peers means everybody, one without ports every port.
    assert all((rule.get("from") or rule.get("to")) and rule["ports"] for rule in rules)
    assert any("ingress" not in each and "egress" not in each for each in policies)
