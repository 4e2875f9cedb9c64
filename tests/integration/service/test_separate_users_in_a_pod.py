"""Each command started under its own user by somebody else, as containers are, over PostgreSQL. For root alone."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.development.environment import DevelopmentVault, VaultFiles
from tests.fakes.hand_client import HandClient
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.replicas import SERVICE_ROLE, migrate
from tests.integration.service.daemons import Daemon, Python, User
from tests.integration.service.test_housekeeper import metric
from tests.integration.service.users import FRONT, KEEPER, STRANGER, make_separate_files, open_folder, python_for_all


@dataclass(frozen=True, kw_only=True)
class Pod:
    python: Python
    files: VaultFiles
    running: ExitStack

    def init(self, *arguments: str, user: User = KEEPER) -> tuple[int, str, str]:
        done = self.python.run("init", self.files.config_file, *arguments, user=user)
        return done.returncode, done.stdout, done.stderr

    def start(self, command: str, *arguments: str, user: User) -> Daemon:
        return self.running.enter_context(
            Daemon(
                self.python,
                command,
                self.files.config_file,
                log_file=self.files.folder / f"{command}.log",
                user=user,
                arguments=arguments,
            )
        )


@pytest.fixture
def pod(postgres_server: PostgresServer, postgres_database: str) -> Iterator[Pod]:
    if not postgres_server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", SERVICE_ROLE):
        postgres_server.execute(f"CREATE ROLE {SERVICE_ROLE} LOGIN")
    migrate(postgres_database, "--unverified-transport")
    url = postgres_server.url(postgres_database.rpartition("/")[2], user=SERVICE_ROLE)
    with open_folder() as folder, ExitStack() as running:
        files = make_separate_files(folder / "vault", keepers=1)
        set_database(files, f'"{url}"\ndata_dir = "data"')
        text = files.config_file.read_text(encoding="utf-8")
        for table, line in (("checkpoints", 'folder = "house"'), ("postgresql", "single_node = true")):
            text = text.replace(f"[{table}]\n", "") + f"\n[{table}]\n{line}\n"
        files.config_file.write_text(text, encoding="utf-8")
        for name in ("run", "house"):
            (files.folder / name).mkdir(mode=0o750)
            os.chown(files.folder / name, KEEPER.uid, FRONT.gid)
        os.chown(files.folder / "data", KEEPER.uid, KEEPER.gid)  # in a pod each container has a folder of its own
        yield Pod(python=python_for_all(folder / "python"), files=files, running=running)


def set_database(files: VaultFiles, lines: str) -> None:
    text = files.config_file.read_text(encoding="utf-8")
    files.config_file.write_text(re.sub(r"(?m)^database = .*$", f"database = {lines}", text), encoding="utf-8")


def checkpoints(pod: Pod) -> list[Path]:
    return list((pod.files.folder / "house").glob("checkpoint-*.txt"))


def test_vault_is_made_served_and_kept_without_root(pod: Pod) -> None:
    code, said, errors = pod.init("--one-user")
    assert code == 0, errors
    assert "Made key" in said
    code, said, errors = pod.init("--one-user")
    assert code == 0, errors
    assert "Already initialised." in said
    os.chown(pod.files.folder / "data", FRONT.uid, FRONT.gid)
    keepers, front = pod.start("keeper", user=KEEPER), pod.start("front", user=FRONT)
    vault = DevelopmentVault(pod.files)
    front.wait_until(vault.is_serving)
    with HandClient(vault) as client:
        client.enroll(b"in a pod")
        housekeeper = pod.start("housekeep", "--every", "1", user=KEEPER)
        housekeeper.wait_until(lambda: bool(checkpoints(pod)))
        assert client.release() == [b"in a pod"]
    # The front may see when it was made, and not read it.
    assert metric(vault, "strongroom_checkpoint_timestamp_seconds") > 0
    assert {stat.S_IMODE(each.stat().st_mode) for each in checkpoints(pod)} == {0o600}
    assert housekeeper.stop() == keepers.stop() == front.stop() == 0


def test_one_user_is_the_keepers_and_must_be_asked_for(pod: Pod) -> None:
    code, _, errors = pod.init()
    assert code == 1
    assert "start as root, or remove [users]" in errors
    for user in (FRONT, STRANGER):
        code, _, errors = pod.init("--one-user", user=user)
        assert code == 1
        assert errors.endswith(f"--one-user: must be run as keeper_uid, {KEEPER.uid}, not as user id {user.uid}\n")
    assert list((pod.files.folder / "run").iterdir()) == []


def test_one_user_makes_no_database_in_a_file(pod: Pod) -> None:
    set_database(pod.files, '"sqlite:///data/vault.db"')
    code, _, errors = pod.init("--one-user")
    assert code == 1
    assert "--one-user: database must be postgresql://" in errors
    assert list((pod.files.folder / "data").iterdir()) == []


def test_housekeeper_is_the_keepers_user(pod: Pod) -> None:
    for user in (FRONT, STRANGER):
        refused = pod.python.run("housekeep", pod.files.config_file, user=user)
        assert refused.returncode == 78
        assert f"housekeep: must be run as keeper_uid, {KEEPER.uid}, not as user id {user.uid}" in refused.stderr
