from __future__ import annotations

import re
from pathlib import Path

import pytest

from strongroom_service.config.databases import PostgresDatabase
from strongroom_service.config.vault_file import VaultConfig, load_vault_config
from strongroom_service.domain.errors import Misconfigured
from tests.unit.config.test_vault_file import MINIMAL

LOCAL = "postgresql://strongroom@127.0.0.1:5432/vault"
SECRET = "hunter2-4711"


def load(folder: Path, url: str, *, rest: str = 'data_dir = "data"') -> VaultConfig:
    text = MINIMAL.replace('"sqlite:///data/strongroom.db"', f'"{url}"\n{rest}\n')
    (folder / "strongroom.toml").write_text(text)
    return load_vault_config(folder / "strongroom.toml")


def test_postgresql_url_is_kept_as_it_is(tmp_path: Path) -> None:
    config = load(tmp_path, LOCAL)
    assert config.database == PostgresDatabase(url=LOCAL, trusted_transport=True)
    assert config.folder == tmp_path / "data"


def test_sqlite_file_says_where_the_rest_is_kept(tmp_path: Path) -> None:
    assert load(tmp_path, "sqlite:///data/strongroom.db", rest="").folder == tmp_path / "data"
    assert load(tmp_path, "sqlite:///data/strongroom.db", rest='data_dir = "other"').folder == tmp_path / "other"


def test_postgresql_needs_a_folder_for_the_rest(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="data_dir is needed"):
        load(tmp_path, LOCAL, rest="")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://strongroom@/vault?host=/run/postgresql",
        "postgresql://strongroom@localhost/vault",
        "postgresql://strongroom@[::1]/vault",
        "postgresql://strongroom@127.0.0.1:1,127.0.0.1:2,localhost:3/vault?target_session_attrs=read-write",
        "postgresql://strongroom@db1.example,db2.example/vault?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        "postgresql://strongroom@127.0.0.1/vault?passfile=/etc/strongroom/pgpass",
    ],
)
def test_server_on_this_host_or_one_that_proves_its_name_is_taken(tmp_path: Path, url: str) -> None:
    assert load(tmp_path, url).database == PostgresDatabase(url=url, trusted_transport=True)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://strongroom@db.example/vault",
        "postgresql://strongroom@db.example/vault?sslmode=require",
        "postgresql://strongroom@db.example/vault?sslmode=verify-ca",
        "postgresql://strongroom@127.0.0.1,db.example/vault",
        "postgresql://strongroom@localhost/vault?hostaddr=192.0.2.1",
    ],
)
def test_server_elsewhere_must_prove_its_name_unless_told_not_to(tmp_path: Path, url: str) -> None:
    with pytest.raises(Misconfigured, match="sslmode=verify-full"):
        load(tmp_path, url)
    trusting = 'data_dir = "data"\n[postgresql]\nunverified_transport = true'
    text = MINIMAL.replace('"sqlite:///data/strongroom.db"', f'"{url}"\ndata_dir = "data"')
    (tmp_path / "strongroom.toml").write_text(text + "\n" + trusting.partition("\n")[2] + "\n")
    assert load_vault_config(tmp_path / "strongroom.toml").database == PostgresDatabase(
        url=url, trusted_transport=False
    )


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        (f"postgresql://strongroom:{SECRET}@127.0.0.1/vault", "must not hold a password"),
        (f"postgresql://strongroom@127.0.0.1/vault?password={SECRET}", "must not hold a password"),
        (f"postgresql://strongroom@127.0.0.1/vault?sslpassword={SECRET}", "must not hold a password"),
        (f"postgresql://strongroom@127.0.0.1/vault?{SECRET}=1", "must be a URL that libpq understands"),
        (f"postgresql://strongroom@127.0.0.1/vault?service={SECRET}", "must not name a service"),
        ("postgresql://strongroom@/vault", "must name host"),
        ("postgresql:///vault?user=strongroom", "must name host"),
        ("postgresql://strongroom@127.0.0.1:1,:2/vault", "must name each host"),
        ("postgresql://strongroom@localhost/vault?hostaddr=127.0.0.1,", "must name each host"),
        ("postgresql://127.0.0.1/vault", "must name user"),
        ("postgresql://strongroom@127.0.0.1", "must name dbname"),
        (f"postgresql://strongroom@127.0.0.1/{'x' * 2048}", "must be a URL that libpq understands"),
    ],
)
def test_broken_rule_is_told_without_the_url(tmp_path: Path, url: str, rule: str) -> None:
    with pytest.raises(Misconfigured, match=rule) as told:
        load(tmp_path, url)
    assert not re.search(f"{SECRET}|127", str(told.value).replace(str(tmp_path), ""))
