"""The service started by root, front and keepers under users of their own. For root alone, see conftest.py."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import pytest

from deploy.development.environment import DevelopmentVault, VaultFiles
from strongroom.v1 import resources_pb2
from strongroom_service.link.frames import encode_frame
from tests.fakes.hand_client import HandClient
from tests.integration.service.daemons import Daemon, Python, User
from tests.integration.service.evidence import strongroomd
from tests.integration.service.users import (
    FRONT,
    KEEPER,
    STRANGER,
    STRANGER_IN_FRONTS_GROUP,
    make_separate_files,
    make_unseparated_files,
    open_folder,
    python_for_all,
    run_as,
)

READ: Final = """
import sys
with open(sys.argv[1], "rb") as file:
    file.read(1)
"""
LIST: Final = "import os, sys; os.listdir(sys.argv[1])"
# Sends one frame to a keeper and tells whether anything came back before the keeper closed the connection.
CALL_KEEPER: Final = """
import socket, sys
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(sys.argv[1])
    try:
        connection.sendall(bytes.fromhex(sys.argv[2]))
        answer = connection.recv(1)
    except (BrokenPipeError, ConnectionResetError):
        answer = b""
    print("answered" if answer else "turned away")
"""
FRAME: Final = encode_frame(b"\x08\x07").hex()  # KeeperCall with call_id 7 and no call: answered with a fault


@dataclass(frozen=True, kw_only=True)
class Separate:
    """A service that root started, and what its folder looks like to others."""

    files: VaultFiles
    python: Python
    daemon: Daemon
    vault: DevelopmentVault

    def keepers(self) -> list[psutil.Process]:
        return self.daemon.named("run-keeper-child")

    def sockets(self) -> list[Path]:
        return sorted((self.files.folder / "run").glob("keeper-*.sock"))


@pytest.fixture(scope="module")
def python() -> Iterator[Python]:
    with open_folder() as folder:
        yield python_for_all(folder / "python")


@pytest.fixture(scope="module")
def separate(python: Python) -> Iterator[Separate]:
    with open_folder() as folder:
        files = make_separate_files(folder / "vault", keepers=2)
        made = python.run("init", files.config_file)
        assert made.returncode == 0, made.stderr
        vault = DevelopmentVault(files)
        with Daemon(python, "serve", files.config_file, log_file=folder / "service.log") as daemon:
            daemon.wait_until(vault.is_serving)
            separate = Separate(files=files, python=python, daemon=daemon, vault=vault)
            daemon.wait_until(lambda: len(separate.sockets()) == len(separate.keepers()) == 2)
            yield separate
            assert daemon.stop() == 0


def owner(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)


def test_account_enrolls_and_gets_its_envelope_back(separate: Separate) -> None:
    with HandClient(separate.vault) as client:
        assert client.vault_reply().state == resources_pb2.VAULT_STATE_NONE
        client.enroll(b"kept apart")
        assert client.release() == [b"kept apart"]


def test_front_and_keepers_run_under_users_of_their_own_without_privileges(separate: Separate) -> None:
    children = [(child, FRONT) for child in separate.daemon.named("front")]
    children += [(child, KEEPER) for child in separate.keepers()]
    assert len(children) == 3
    for child, user in children:
        lines = Path(f"/proc/{child.pid}/status").read_text(encoding="ascii").splitlines()
        status = {name: value.split() for name, value in (line.split(":", 1) for line in lines)}
        assert status["Uid"] == [str(user.uid)] * 4, child
        assert status["Gid"] == [str(user.gid)] * 4, child
        assert status["Groups"] == []
        assert (status["CapPrm"], status["CapEff"], status["NoNewPrivs"]) == (["0" * 16], ["0" * 16], ["1"])
    assert psutil.Process(separate.daemon.pid).uids().real == 0  # control: the parent alone


def test_files_belong_to_who_needs_them(separate: Separate) -> None:
    folder = separate.files.folder
    assert owner(folder / "run") == (KEEPER.uid, FRONT.gid, 0o750)
    assert owner(folder / "run" / "keys.lock") == (KEEPER.uid, KEEPER.gid, 0o600)
    assert [owner(path) for path in separate.sockets()] == [(KEEPER.uid, KEEPER.gid, 0o666)] * 2
    assert owner(folder / "keeper" / "fulfilled.log") == (KEEPER.uid, KEEPER.gid, 0o600)
    for path in (folder / "data").iterdir():
        assert owner(path)[:2] == (FRONT.uid, FRONT.gid), path
        assert owner(path)[2] == (0o700 if path.is_dir() else 0o600), path
    for path in (folder / "token").rglob("*.object"):
        assert owner(path)[:2] == (KEEPER.uid, KEEPER.gid), path


@pytest.mark.parametrize(
    ("code", "name", "allowed"),
    [
        (READ, "token/development.pin", KEEPER),
        (LIST, "token", KEEPER),
        (READ, "keeper/fulfilled.log", KEEPER),
        (READ, "data/vault.db", FRONT),
        (READ, "server-key.pem", FRONT),
    ],
)
def test_one_user_reads_it_and_no_other(separate: Separate, code: str, name: str, allowed: User) -> None:
    path = str(separate.files.folder / name)
    assert run_as(allowed, separate.python, code, path).returncode == 0  # control
    for other in {FRONT, KEEPER, STRANGER, STRANGER_IN_FRONTS_GROUP} - {allowed}:
        done = run_as(other, separate.python, code, path)
        assert "PermissionError" in done.stderr, other


def test_nobody_but_root_reads_the_memory_of_front_or_keeper(separate: Separate) -> None:
    for child in (*separate.daemon.named("front"), *separate.keepers()):
        for user in (FRONT, KEEPER):  # its own user too, as it is not dumpable
            done = run_as(user, separate.python, READ, f"/proc/{child.pid}/mem")
            assert "PermissionError" in done.stderr, (user, child)


def test_front_cannot_end_a_keeper(separate: Separate) -> None:
    code = "import os, sys; os.kill(int(sys.argv[1]), 0)"
    for keeper in separate.keepers():
        assert "PermissionError" in run_as(FRONT, separate.python, code, str(keeper.pid)).stderr
        assert run_as(KEEPER, separate.python, code, str(keeper.pid)).returncode == 0  # control


def test_each_keeper_answers_the_front_and_turns_others_away(separate: Separate) -> None:
    for path in separate.sockets():
        assert run_as(FRONT, separate.python, CALL_KEEPER, str(path), FRAME).stdout == "answered\n"  # control
        # The keepers' own user may not either: without single_user no front runs as that.
        for other in (STRANGER_IN_FRONTS_GROUP, KEEPER):
            done = run_as(other, separate.python, CALL_KEEPER, str(path), FRAME)
            assert done.stdout == "turned away\n", (other, done.stderr)
        assert "PermissionError" in run_as(STRANGER, separate.python, CALL_KEEPER, str(path), FRAME).stderr
    log = separate.daemon.log_file.read_text(encoding="utf-8")
    assert log.count(f"has user id {STRANGER.uid}") == log.count(f"has the keeper's own user id {KEEPER.uid}") == 2


def test_operators_are_root_and_the_keepers_user_alone(separate: Separate) -> None:
    frame = encode_frame(b"\x08\x07").hex()  # OperatorCall with call_id 7 and no call: answered with a fault
    for path in (separate.files.folder / "run").glob("operator-*.sock"):
        assert owner(path) == (KEEPER.uid, KEEPER.gid, 0o600)
        for user in (KEEPER, User(uid=0, gid=0)):
            assert run_as(user, separate.python, CALL_KEEPER, str(path), frame).stdout == "answered\n"
        for other in (FRONT, STRANGER_IN_FRONTS_GROUP, STRANGER):
            assert "PermissionError" in run_as(other, separate.python, CALL_KEEPER, str(path), frame).stderr
    said = strongroomd(separate.files.config_file, "events", "verify", "--keeper", python=separate.python)
    assert (said.code, said.errors) == (0, "")
    for path in (separate.files.folder / "data").glob("vault.db*"):  # read by root's command, and still the front's
        assert owner(path) == (FRONT.uid, FRONT.gid, 0o600), path


@pytest.mark.parametrize("command", [["checkpoint", "make"], ["keep-house"]])
def test_checkpoints_are_the_fronts_whoever_has_them_made(separate: Separate, command: list[str]) -> None:
    said = strongroomd(separate.files.config_file, *command, python=separate.python)
    assert said.code == 0, said.errors
    folder = separate.files.folder / "data" / "checkpoints"
    assert owner(folder) == (FRONT.uid, FRONT.gid, 0o700)
    assert list(folder.glob("checkpoint-*.txt"))
    for path in folder.iterdir():
        assert owner(path) == (FRONT.uid, FRONT.gid, 0o600), path
    said = strongroomd(separate.files.config_file, "checkpoint", "verify", "--keeper", python=separate.python)
    assert (said.code, said.errors) == (0, "")
    assert said.lines == [line for line in said.lines if line.endswith(" 0 findings.")]  # the keepers' log was read too


def test_keepers_are_replaced_under_the_same_user(separate: Separate) -> None:
    before = separate.keepers()
    before[0].kill()
    separate.daemon.wait_until(lambda: len({*separate.keepers()} - {*before}) == 1)
    [replacement] = {*separate.keepers()} - {*before}
    assert before[1] in separate.keepers()
    assert replacement.uids().real == KEEPER.uid
    separate.daemon.wait_until(separate.vault.is_serving)


def test_second_init_leaves_owners_and_modes_as_they_are(python: Python) -> None:
    with open_folder() as folder:
        files = make_separate_files(folder / "vault", keepers=1)
        first = python.run("init", files.config_file)
        assert "Made key strongroom-kek-1." in first.stdout
        before = {path: owner(path) for path in files.folder.rglob("*")}
        second = python.run("init", files.config_file)
        assert "Already initialised." in second.stdout
        assert {path: owner(path) for path in files.folder.rglob("*")} == before
        made_here = [path for place in ("data", "run", "token") for path in (files.folder / place).rglob("*")]
        assert {owner(path)[0] for path in made_here} == {FRONT.uid, KEEPER.uid}


@pytest.mark.parametrize("command", ["init", "serve", "keeper", "front"])
def test_root_without_other_users_is_refused(python: Python, command: str) -> None:
    with open_folder() as folder:
        files = make_unseparated_files(folder / "vault", keepers=1)
        refused = python.run(command, files.config_file)
        assert refused.returncode == (1 if command == "init" else 78)
        assert re.search(r"would run as root: give it a user id in \[users\]|admit nobody", refused.stderr)
        assert not (files.folder / "run").exists()


def test_front_is_not_run_by_root_in_the_users_place(python: Python) -> None:
    with open_folder() as folder:
        files = make_separate_files(folder / "vault", keepers=1)
        refused = python.run("front", files.config_file)
        assert refused.returncode == 78
        assert refused.stderr == "the front is to run under user id 61001, not 0: start it as that user\n"


@pytest.mark.parametrize("starter", [None, KEEPER], ids=["by root", "by the keepers' user"])
def test_only_the_front_has_a_network_socket_when_keepers_run_apart(python: Python, starter: User | None) -> None:
    """As in two containers: root or the keepers' user starts the keepers, the front's user the front."""
    with open_folder() as folder:
        files = make_separate_files(folder / "vault", keepers=2)
        assert python.run("init", files.config_file).returncode == 0
        log_file = folder / "service.log"
        log_file.touch()
        vault = DevelopmentVault(files)
        with (
            Daemon(python, "keeper", files.config_file, log_file=log_file, user=starter) as keepers,
            Daemon(python, "front", files.config_file, log_file=log_file, user=FRONT) as front,
        ):
            front.wait_until(vault.is_serving)
            with HandClient(vault) as client:
                client.enroll()
                assert client.release() == [b"an envelope"]
            # The front serves as soon as one keeper does; the other may still be on its way, up to the token.
            keepers.wait_until(lambda: len(keepers.named("run-keeper-child")) == 2)
            assert len(keepers.tree()) == 3
            children = keepers.named("run-keeper-child")
            assert {each.uids().real for each in children} == {KEEPER.uid}
            keepers.wait_until(lambda: all(has_token_module(each.pid) for each in children))
            assert not has_token_module(keepers.pid)
            for process in keepers.tree():
                assert other_sockets(process.pid) == set(), process
            assert other_sockets(front.pid)  # control
            assert not has_token_module(front.pid)
            assert front.stop() == keepers.stop() == 0


def other_sockets(pid: int) -> set[str]:
    """Return the inodes of a process's sockets that are not Unix sockets."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:
            continue
        except PermissionError as error:
            raise AssertionError("looking at other users' processes needs the capability SYS_PTRACE") from error
        if target.startswith("socket:["):
            inodes.add(target.removeprefix("socket:[").removesuffix("]"))
    unix = Path(f"/proc/{pid}/net/unix").read_text(encoding="utf-8").splitlines()[1:]
    return inodes - {line.split()[6] for line in unix}


def has_token_module(pid: int) -> bool:
    return "libsofthsm2.so" in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
