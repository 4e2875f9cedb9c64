from __future__ import annotations

from pathlib import Path

import pytest

from deploy.development.tenant import DevelopmentTenant, generate_tenant, write_tenant
from strongroom_service.config.configuration import (
    Configuration,
    load_configuration,
    needs_restart,
    with_live_parts,
)
from strongroom_service.config.files import DISK, Snapshot
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.domain.rates import RateScope, RpcClass, Window
from tests.unit.config.test_vault_file import MINIMAL

NOTES = generate_tenant()


def write(folder: Path, *, vault: str = MINIMAL, tenants: tuple[DevelopmentTenant, ...] = (NOTES,)) -> Path:
    (folder / "strongroom.toml").write_text(vault)
    for tenant in tenants:
        write_tenant(tenant, folder / "tenants")
    return folder / "strongroom.toml"


def load(folder: Path, *, vault: str = MINIMAL, tenants: tuple[DevelopmentTenant, ...] = (NOTES,)) -> Configuration:
    folder.mkdir(exist_ok=True)
    return load_configuration(write(folder, vault=vault, tenants=tenants), DISK)


def test_same_tenants_are_one_generation_wherever_they_are(tmp_path: Path) -> None:
    one, other = load(tmp_path / "front"), load(tmp_path / "keeper", vault=MINIMAL.replace("8443", "8444"))
    assert one.generation == other.generation


def test_other_keys_are_another_generation(tmp_path: Path) -> None:
    one = load(tmp_path / "one")
    other = load(tmp_path / "other", tenants=(generate_tenant(),))
    more = load(tmp_path / "more", tenants=(NOTES, generate_tenant(name="photos", issuer="https://photos.example")))
    assert len({one.generation, other.generation, more.generation}) == 3


def test_windows_of_rates_need_no_restart_and_all_else_is_named(tmp_path: Path) -> None:
    started = load(tmp_path).vault
    newest = load(
        tmp_path,
        vault=MINIMAL.replace('run_dir = "/run/strongroom"', 'run_dir = "/run/other"').replace("8443", "8444")
        + "[users]\nfront_uid = 1\nfront_gid = 1\nkeeper_uid = 2\nkeeper_gid = 2\n"
        + '[rates]\nmax_keys = 7\n[rates.account]\nbegin = ["1/h"]\n',
    ).vault
    assert set(needs_restart(started, newest)) == {"run_dir", "listen.port", "users", "rates.max_keys"}
    assert needs_restart(started, started) == ()


def test_live_parts_are_taken_and_no_others(tmp_path: Path) -> None:
    started = load(tmp_path).vault
    newest = load(
        tmp_path,
        vault=MINIMAL.replace("8443", "8444") + '[rates]\nmax_keys = 7\n[rates.account]\nbegin = ["1/h"]\n',
    ).vault
    mixed = with_live_parts(started, newest)
    assert (mixed.listen.port, mixed.rates.max_keys) == (8443, 100_000)
    assert mixed.rates.by_scope()[RateScope.ACCOUNT][RpcClass.BEGIN] == (Window(count=1, seconds=3_600),)


def test_snapshot_says_what_the_files_said(tmp_path: Path) -> None:
    configuration = load(tmp_path)
    (tmp_path / "strongroom.toml").write_text("broken =")
    (tmp_path / "tenants" / "notes.toml").unlink()
    kept = Snapshot.from_bytes(configuration.snapshot.to_bytes())
    again = load_configuration(tmp_path / "strongroom.toml", kept)
    assert (again.vault, again.generation) == (configuration.vault, configuration.generation)
    assert [tenant.name for tenant in again.tenants] == ["notes"]


def test_snapshot_holds_no_file_that_was_not_read(tmp_path: Path) -> None:
    snapshot = load(tmp_path).snapshot
    for ask in (snapshot.read, snapshot.names):
        with pytest.raises(FileNotFoundError):
            ask(tmp_path / "other")
    with pytest.raises(Misconfigured, match=r"other\.toml: cannot be read"):
        load_configuration(tmp_path / "other.toml", snapshot)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"files": {"a": 1}, "folders": {}}', b'{"files": 1}', b"\xff"]
)
def test_what_is_no_snapshot_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  UnicodeDecodeError and JSONDecodeError are such
        Snapshot.from_bytes(content)


def test_file_that_is_nested_too_deeply_is_a_fault_and_no_crash(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="nested too deeply"):
        load(tmp_path, vault="a = " + "[" * 60_000)
