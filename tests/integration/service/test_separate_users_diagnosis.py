"""`status` and `doctor` by root, of a vault whose front and keepers are different users. For root: conftest.py."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from deploy.development.environment import DevelopmentVault, VaultFiles
from tests.integration.service.daemons import Daemon, Python
from tests.integration.service.evidence import strongroomd
from tests.integration.service.users import FRONT, make_separate_files, open_folder, python_for_all


@dataclass(frozen=True, kw_only=True)
class Separate:
    """A service that root started."""

    files: VaultFiles
    python: Python


@pytest.fixture(scope="module")
def separate() -> Iterator[Separate]:
    with open_folder() as folder:
        python = python_for_all(folder / "python")
        files = make_separate_files(folder / "vault", keepers=1)
        assert python.run("init", files.config_file).returncode == 0
        with Daemon(python, "serve", files.config_file, log_file=folder / "service.log") as daemon:
            daemon.wait_until(DevelopmentVault(files).is_serving)
            yield Separate(files=files, python=python)


def test_root_sees_a_vault_of_two_users_whole(separate: Separate) -> None:
    """`status` and `doctor` act as front and keeper in turn: each file is asked about as who will need it."""
    config_file = separate.files.config_file
    assert strongroomd(config_file, "checkpoint", "make", python=separate.python).code == 0
    status = strongroomd(config_file, "status", "--output", "json", python=separate.python)
    told = json.loads("\n".join(status.lines))
    assert (told["state"], told["keepers"]) == ("serving", {"configured": 1, "answering": 1}), told["problems"]
    found = {each["check"]: each["outcome"] for each in doctor(separate)}
    assert {check for check, outcome in found.items() if outcome == "fail"} <= {"second_token"}, found
    named = ("users", "pin_file", "tls_key_mode", "token_folder_mode", "data_dir_mode", "token_login", "check_values")
    assert [found[check] for check in (*named, "keepers", "checkpoint_head")] == ["ok"] * 9


@pytest.mark.parametrize(
    ("name", "check", "told"),
    [
        ("server-key.pem", "certificate", "Permission denied"),
        ("server-key.pem", "tls_key_mode", f"chown {FRONT.uid} "),
        ("token/development.pin", "pin_file", "Permission denied"),
        ("data", "database", f"user {FRONT.uid} must own"),
        ("data", "data_dir_mode", f"chown {FRONT.uid} "),
    ],
)
def test_file_of_the_wrong_user_is_named_by_doctor(separate: Separate, name: str, check: str, told: str) -> None:
    path = separate.files.folder / name
    before = path.stat()
    os.chown(path, 0, 0)
    try:
        [finding] = [each for each in doctor(separate) if each["check"] == check]
    finally:
        os.chown(path, before.st_uid, before.st_gid)
    assert finding["outcome"] == "fail"
    assert told in f"{finding['found']} {finding['remedy']}"


def doctor(separate: Separate) -> list[dict[str, str]]:
    said = strongroomd(separate.files.config_file, "doctor", "--output", "json", python=separate.python)
    assert said.errors == ""
    found: list[dict[str, str]] = json.loads("\n".join(said.lines))
    return found
