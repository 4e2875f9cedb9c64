from __future__ import annotations

import re
from pathlib import Path

import pytest

from strongroom_service.config.databases import SqliteDatabase
from strongroom_service.config.vault_file import VaultConfig, load_vault_config
from strongroom_service.domain.errors import Misconfigured

MINIMAL = """\
audience = "https://vault.example"
database = "sqlite:///data/strongroom.db"
run_dir = "/run/strongroom"
tenants_dir = "tenants"

[listen]
host = "0.0.0.0"
port = 8443
tls_certificate_file = "tls/server.pem"
tls_key_file = "tls/server.key"

[keepers]
log_file = "/var/log/strongroom/keeper.log"

[pkcs11]
module_file = "/usr/lib/softhsm/libsofthsm2.so"
token_label = "strongroom"
pin_file = "pin"
environment = { SOFTHSM2_CONF = "/etc/softhsm2.conf" }
"""


def load(folder: Path, text: str) -> VaultConfig:
    path = folder / "strongroom.toml"
    path.write_text(text)
    return load_vault_config(path)


def faults_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        load(folder, text)
    return str(caught.value).splitlines()


def test_minimal_file_gets_the_documented_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL)

    assert config.audience == "https://vault.example"
    assert (config.listen.host, config.listen.port) == ("0.0.0.0", 8443)  # noqa: S104  read, not bound
    assert (config.metrics.host, config.metrics.port) == ("127.0.0.1", 9464)
    assert (config.keepers.count, config.keepers.call_deadline_seconds) == (2, 2.0)
    assert config.keepers.heartbeat_timeout_seconds == 5.0
    assert config.limits.max_deadline_seconds == 10.0
    assert not config.single_user
    assert config.users is None
    assert config.pkcs11.environment == {"SOFTHSM2_CONF": "/etc/softhsm2.conf"}


def test_relative_paths_start_at_the_folder_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "strongroom.toml").write_text(MINIMAL)
    monkeypatch.chdir(tmp_path)

    config = load_vault_config(Path("etc/strongroom.toml"))

    assert config.database == SqliteDatabase(folder / "data/strongroom.db")
    assert config.listen.tls_key_file == folder / "tls/server.key"
    assert config.pkcs11.pin_file == folder / "pin"
    assert config.tenants_dir == folder / "tenants"
    assert config.run_dir == Path("/run/strongroom")


def test_absolute_database_path_has_four_slashes(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL.replace("sqlite:///data", "sqlite:////var/lib"))

    assert config.database == SqliteDatabase(Path("/var/lib/strongroom.db"))


def test_all_faults_are_told_together_with_file_key_and_rule(tmp_path: Path) -> None:
    text = (
        MINIMAL.replace("port = 8443", "port = 70000\ncolour = 1")
        .replace('audience = "https://vault.example"', "")
        .replace("[keepers]", "[keepers]\ncount = 0")
        .replace("sqlite:///data/strongroom.db", "mysql://db/strongroom")
    )

    faults = faults_of(tmp_path, text)

    file = re.escape(str(tmp_path / "strongroom.toml"))
    assert len(faults) == 5
    for rule in (
        "audience: is required",
        "database: must be sqlite:///.* or postgresql://.*",
        r"listen\.port: .*less than or equal to 65535",
        "listen.colour: is not a known key",
        "keepers.count: .*greater than or equal to 1",
    ):
        assert any(re.fullmatch(f"{file}: {rule}", fault) for fault in faults), faults


def test_values_are_not_repeated(tmp_path: Path) -> None:
    text = MINIMAL.replace('pin_file = "pin"', 'pin_file = "pin"\npin = "4711-hunter2"').replace("8443", '"hunter3"')

    faults = faults_of(tmp_path, text)

    assert len(faults) == 2
    assert not re.search("hunter|4711", "\n".join(faults))


@pytest.mark.parametrize(
    ("accepted", "refused", "rule"),
    [
        ("port = 8443", 'port = "8443"', "listen.port: .*valid integer"),
        ("port = 8443", "port = true", "listen.port: .*valid integer"),
        ("[keepers]\n", "[keepers]\ncall_deadline_seconds = 5\n", "keepers: heartbeat_timeout_seconds must be longer"),
        ("[keepers]\n", "[keepers]\ncall_deadline_seconds = nan\n", "keepers.call_deadline_seconds: .*finite"),
        ("[listen]", "single_user = 1\n[listen]", "single_user: .*valid boolean"),
        ("sqlite:///data/strongroom.db", "sqlite:///:memory:", "database: must name a file"),
        ("sqlite:///data/strongroom.db", "sqlite:///", "database: must name a file"),
        ('pin_file = "pin"', 'pin_file = ""', "pkcs11.pin_file: must name a file"),
        ('pin_file = "pin"', 'pin_file = "pin\\u0000"', "pkcs11.pin_file: must name a file"),
        ("sqlite:///data/strongroom.db", "sqlite:///a.db?mode=memory", "database: must name a file"),
        ("/run/strongroom", "/run/" + 80 * "x", "run_dir: must be at most 80 bytes"),
        ('token_label = "strongroom"', f'token_label = "{17 * "ä"}"', "pkcs11.token_label: must be at most 32 bytes"),
        ("SOFTHSM2_CONF", "TOKEN_PIN", "pkcs11.environment: TOKEN_PIN looks like a secret"),
        ("SOFTHSM2_CONF", "HSM_PASSWORD", "pkcs11.environment: HSM_PASSWORD looks like a secret"),
        ("SOFTHSM2_CONF", "softhsm2-conf", "pkcs11.environment: must have names of"),
        ("https://vault.example", "vault example", "audience: "),
    ],
)
def test_broken_rule_is_told_by_its_key(tmp_path: Path, accepted: str, refused: str, rule: str) -> None:
    assert accepted in MINIMAL
    load(tmp_path, MINIMAL)

    [fault] = faults_of(tmp_path, MINIMAL.replace(accepted, refused))

    assert re.search(rule, fault)


USERS = "\n[users]\nfront_uid = 801\nfront_gid = 801\nkeeper_uid = 802\nkeeper_gid = 802\n"


def test_front_and_keeper_need_different_users_unless_single_user_is_set(tmp_path: Path) -> None:
    same = MINIMAL + USERS.replace("802", "801")

    [fault] = faults_of(tmp_path, same)

    assert "users.front_uid and users.keeper_uid must differ" in fault
    assert load(tmp_path, MINIMAL + USERS).users is not None
    assert load(tmp_path, f"single_user = true\n{same}").single_user


def test_children_never_run_as_root(tmp_path: Path) -> None:
    [fault] = faults_of(tmp_path, MINIMAL + USERS.replace("keeper_uid = 802", "keeper_uid = 0"))

    assert "users.keeper_uid" in fault


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"audience = \xff", "is not UTF-8"),
        (b"audience =", "is not TOML"),
        (b"audience = 'a'\naudience = 'b'", "is not TOML"),
        (b"#" * 65_537, "must be at most 65536 bytes"),
    ],
)
def test_unreadable_content_is_told(tmp_path: Path, content: bytes, rule: str) -> None:
    path = tmp_path / "strongroom.toml"
    path.write_bytes(content)

    with pytest.raises(Misconfigured, match=rule):
        load_vault_config(path)


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"absent\.toml: cannot be read: No such file"):
        load_vault_config(tmp_path / "absent.toml")
