"""Who is not root cannot give front and keepers users of their own, so must state that they share one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.integration.service.daemons import Python
from tests.integration.service.users import (
    KEEPER,
    STRANGER,
    USERS_TABLE,
    make_unseparated_files,
    open_folder,
    python_for_all,
)

CODES = {"init": 1, "serve": 78, "keeper": 78, "front": 78}


@dataclass(frozen=True, kw_only=True)
class Unprivileged:
    """Somebody who is not root: a user by number where the tests run as root, else who runs them."""

    python: Python
    uid: int
    without_users: Path
    with_users: Path

    def run(self, command: str, config_file: Path) -> CompletedProcess[str]:
        if self.uid == os.geteuid():
            return self.python.run(command, config_file)
        return self.python.run(command, config_file, user=STRANGER)


@pytest.fixture(scope="module")
def somebody() -> Iterator[Unprivileged]:
    as_root = os.geteuid() == 0
    with open_folder() as folder:
        files = make_unseparated_files(folder / "vault", keepers=1)
        with_users = files.config_file.with_name("with-users.toml")
        with_users.write_text(files.config_file.read_text(encoding="utf-8") + USERS_TABLE, encoding="utf-8")
        with_users.chmod(0o644)
        yield Unprivileged(
            python=python_for_all(folder / "python") if as_root else Python(),
            uid=STRANGER.uid if as_root else os.geteuid(),
            without_users=files.config_file,
            with_users=with_users,
        )
        assert not (files.folder / "run").exists()  # refused before anything was made


@pytest.mark.parametrize("command", ["init", "serve", "keeper"])
def test_users_that_cannot_be_given_are_refused(somebody: Unprivileged, command: str) -> None:
    refused = somebody.run(command, somebody.with_users)
    assert refused.returncode == CODES[command]
    assert "start as root, or remove [users] and set single_user" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("command", ["init", "serve"])
def test_one_user_for_both_must_be_stated(somebody: Unprivileged, command: str) -> None:
    refused = somebody.run(command, somebody.without_users)
    assert refused.returncode == CODES[command]
    expected = f"would share user id {somebody.uid}: start as root with two user ids in [users], or set single_user"
    assert expected in refused.stderr


@pytest.mark.parametrize("command", ["keeper", "front"])
def test_part_that_runs_alone_must_know_whom_keepers_admit(somebody: Unprivileged, command: str) -> None:
    refused = somebody.run(command, somebody.without_users)
    assert refused.returncode == CODES[command]
    assert "the keepers would admit nobody: give user ids in [users], or set single_user" in refused.stderr


def test_front_alone_runs_as_the_user_that_keepers_admit(somebody: Unprivileged) -> None:
    refused = somebody.run("front", somebody.with_users)
    assert refused.returncode == CODES["front"]
    assert f"the front is to run under user id 61001, not {somebody.uid}" in refused.stderr


def test_vault_is_made_by_one_user_over_postgresql_alone_and_by_the_keepers(tmp_path: Path) -> None:
    in_a_file = make_unseparated_files(tmp_path, keepers=1).config_file
    text = in_a_file.read_text(encoding="utf-8") + USERS_TABLE
    in_a_file.write_text(text, encoding="utf-8")
    over_postgresql = in_a_file.with_name("over-postgresql.toml")
    url = "postgresql://strongroom@127.0.0.1:1/vault"  # nobody is there, nor asked
    over_postgresql.write_text(re.sub(r"(?m)^database = .*$", f'database = "{url}"\ndata_dir = "data"', text), "utf-8")
    for config_file, why in (
        (in_a_file, "--one-user: database must be postgresql://"),
        (over_postgresql, f"--one-user: must be run as keeper_uid, {KEEPER.uid}, not as user id {os.geteuid()}"),
    ):
        refused = Python().run("init", config_file, "--one-user")
        assert refused.returncode == CODES["init"]
        assert why in refused.stderr
