from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from deploy.development.tenant import generate_tenant, write_tenant
from strongroom_service.cli import main as cli

CONFIG = """\
audience = "https://vault.localhost"
database = "sqlite:///vault.db"
run_dir = "run"
tenants_dir = "tenants"
single_user = true
[listen]
host = "127.0.0.1"
port = 8443
tls_certificate_file = "server.pem"
tls_key_file = "server-key.pem"
[keepers]
log_file = "fulfilled.log"
[pkcs11]
module_file = "module.so"
token_label = "vault"
pin_file = "pin"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    write_tenant(generate_tenant(), tmp_path / "tenants")
    path = tmp_path / "strongroom.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def exit_code_of(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["strongroomd", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def test_good_configuration_is_told_with_what_is_for_development(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: Path
) -> None:
    assert exit_code_of(monkeypatch, "config", "check", "--config", str(config)) == 0
    told = capsys.readouterr().out
    assert "good, 1 tenant." in told
    assert "Tenant notes is marked for development" in told
    assert "single_user is set" in told


def test_every_fault_of_the_configuration_is_told_on_stderr_with_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: Path
) -> None:
    config.write_text(CONFIG.replace("port = 8443", "port = 0").replace("run_dir", "rundir"), encoding="utf-8")
    assert exit_code_of(monkeypatch, "config", "check", "--config", str(config)) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "listen.port" in told.err
    assert "rundir: is not a known key" in told.err


@pytest.mark.parametrize("command", ["serve", "keeper", "front"])
def test_supervisor_is_told_of_an_unfit_configuration_by_78(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    assert exit_code_of(monkeypatch, command, "--config", str(tmp_path / "none.toml")) == 78


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("unheard-of",), "No such command"),
        (("config", "check"), "Missing option '--config'"),
        (("serve", "--config", "/", "--fast"), "No such option"),
        (("migrate",), "--database"),
        (("version", "--output", "yaml"), "'yaml' is not one of"),
    ],
)
def test_wrong_usage_is_code_3_and_says_where_help_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    assert exit_code_of(monkeypatch, *arguments) == 3
    said = capsys.readouterr()
    assert (said.out, told in said.err, "--help'" in said.err) == ("", True, True), said.err


def test_version_is_told_to_programs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(monkeypatch, "version", "--output", "json") == 0
    assert set(json.loads(capsys.readouterr().out)) == {"strongroom", "python"}


def test_version_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(monkeypatch, "version") == 0
    assert capsys.readouterr().out.strip()


def test_command_for_the_supervisor_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of(monkeypatch, "--help") == 0
    told = capsys.readouterr().out
    assert "serve" in told
    assert "run-keeper-child" not in told


def test_configuration_is_shown_as_it_takes_effect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: Path
) -> None:
    assert exit_code_of(monkeypatch, "config", "show", "--config", str(config), "--output", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["listen"]["port"], told["metrics"]["port"]) == (8443, 9464)
    assert told["pkcs11"]["pin_file"] == str(config.parent / "pin")
    assert told["rates"]["account"]["begin"][0] == {"count": 30, "seconds": 60}


def test_tenants_are_listed_and_their_faults_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: Path
) -> None:
    assert exit_code_of(monkeypatch, "tenants", "list", "--config", str(config), "--output", "json") == 0
    [told] = json.loads(capsys.readouterr().out)
    assert (told["name"], told["on_exhaustion"], told["budget"], told["token_keys"]) == ("notes", "destroy", 10, 1)
    assert exit_code_of(monkeypatch, "tenants", "check", "--config", str(config)) == 0
    assert "never for real users" in capsys.readouterr().out
    (config.parent / "tenants" / "notes.toml").write_text('name = "Notes"\n', encoding="utf-8")
    assert exit_code_of(monkeypatch, "tenants", "check", "--config", str(config)) == 1
    assert "notes.toml: issuer" in capsys.readouterr().err
