from __future__ import annotations

import os
import pickle
import select
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from strongroom.keeper.v1.frames_pb2 import KeeperCall, OpenVaultCall, ProbeCall
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.keeper.listener import listen
from strongroom_service.link.frames import MAX_FRAME_BYTES, encode_frame
from tests.fakes.descriptors import no_descriptors_left
from tests.integration.link.support import ENVIRONMENT, RawClient, ToyKeeper, do, opened_client, toy_keeper, until

NOBODY = 65534


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[ToyKeeper]:
    with toy_keeper(tmp_path / "keeper.sock") as running:
        yield running


def pid_told(client: RawClient) -> int:
    reply = client.ask(do("pid", call_id=99))
    assert reply is not None
    assert reply.call_id == 99
    return int(reply.signed.reply)


def test_calls_sent_together_are_answered_in_order(keeper: ToyKeeper) -> None:
    with opened_client(keeper.path) as client:
        stream = b"".join(encode_frame(do("pid", call_id=number).SerializeToString()) for number in range(50))
        client.socket.sendall(stream)
        assert [reply.call_id for _ in range(50) if (reply := client.receive())] == list(range(50))


def test_nothing_is_asked_of_the_handler_before_the_vault_is_open(keeper: ToyKeeper) -> None:
    client = RawClient(keeper.path)
    reply = client.ask(KeeperCall(call_id=5, probe=ProbeCall()))
    client.close()
    assert reply is not None
    assert (reply.call_id, reply.fault.kind) == (5, "INTERNAL")


class Exploit:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self._path,))


@pytest.mark.parametrize("kind", ["pickle", "pickle in a frame", "length", "version", "no message"])
def test_garbage_ends_its_own_connection_only(keeper: ToyKeeper, kind: str) -> None:
    mark = keeper.file("exploited")
    attack = pickle.dumps(Exploit(mark))
    garbage = {
        "pickle": attack,
        "pickle in a frame": encode_frame(attack),
        "length": struct.pack(">IB", MAX_FRAME_BYTES + 1, 1),
        "version": struct.pack(">IB", 10, 2),
        "no message": encode_frame(b"\xff" * 20),
    }[kind]
    with opened_client(keeper.path) as bystander, opened_client(keeper.path) as attacker:
        attacker.socket.sendall(garbage)
        assert attacker.receive() is None
        assert pid_told(bystander) == keeper.pid
    assert not mark.exists()
    pickle.loads(attack)  # noqa: S301  control: the attack works where pickles are read
    assert mark.exists()


def test_an_exception_in_the_handler_tells_its_type_and_no_more(keeper: ToyKeeper) -> None:
    with opened_client(keeper.path) as client:
        reply = client.ask(do("boom"))
        assert reply is not None
        assert (reply.call_id, reply.fault.kind, reply.fault.detail) == (7, "INTERNAL", "ValueError")
        assert pid_told(client) == keeper.pid
    output = keeper.end()
    assert '"error": "ValueError"' in output
    assert "12345" not in output


def test_a_reply_too_large_for_a_frame_is_a_fault(keeper: ToyKeeper) -> None:
    with opened_client(keeper.path) as client:
        reply = client.ask(do("huge"))
        assert reply is not None
        assert (reply.call_id, reply.fault.kind) == (7, "INTERNAL")
        assert pid_told(client) == keeper.pid


def test_a_peer_that_reads_late_gets_all_and_holds_nobody_up(keeper: ToyKeeper) -> None:
    with opened_client(keeper.path) as bystander, opened_client(keeper.path) as late:
        for number in range(20):
            late.send(do("big", call_id=number))
        assert pid_told(bystander) == keeper.pid
        assert [reply.call_id for _ in range(20) if (reply := late.receive())] == list(range(20))


def test_a_peer_that_never_reads_is_dropped(keeper: ToyKeeper) -> None:
    with opened_client(keeper.path) as bystander, opened_client(keeper.path) as sleeper:
        for number in range(20):
            sleeper.send(do("big", call_id=number))
        poll = select.poll()
        poll.register(sleeper.socket, 0)  # asks for POLLHUP alone, which needs no reading
        assert not poll.poll(0)  # control: not dropped yet
        until(lambda: poll.poll(0), "the sleeper is dropped")
        assert pid_told(bystander) == keeper.pid
    assert "the peer does not read" in keeper.end()


def test_connections_beyond_the_limit_are_closed(keeper: ToyKeeper) -> None:
    clients = [RawClient(keeper.path) for _ in range(17)]
    assert clients[-1].receive() is None
    for client in clients:
        client.close()


def test_sigterm_lets_the_call_in_hand_finish(keeper: ToyKeeper) -> None:
    with opened_client(keeper.path) as client:
        client.send(do("gate"))
        until(keeper.file("waiting").exists, "the call is in hand")
        keeper.process.terminate()
        keeper.file("go").touch()
        reply = client.receive()
        assert reply is not None
        assert int(reply.signed.reply) == keeper.pid
        assert client.receive() is None
    assert keeper.process.wait(timeout=30) == 0


def test_sigterm_ends_an_idle_keeper(keeper: ToyKeeper) -> None:
    with opened_client(keeper.path) as client:  # it listens a moment before its loop runs
        assert pid_told(client) == keeper.pid
    keeper.process.send_signal(signal.SIGTERM)
    assert keeper.process.wait(timeout=30) == 0


def test_a_spent_handler_answers_and_ends_the_process(keeper: ToyKeeper) -> None:
    with opened_client(keeper.path) as client:
        reply = client.ask(do("spent"))
        assert reply is not None
        assert reply.HasField("signed")
        assert client.receive() is None
    assert keeper.process.wait(timeout=30) == 75


def test_own_user_id_is_refused_without_single_user(tmp_path: Path) -> None:
    with toy_keeper(tmp_path / "keeper.sock", "--separate-users") as keeper:
        client = RawClient(keeper.path)
        assert client.receive() is None
        client.close()
        assert "keeper's own user id" in keeper.end()


VISITOR = """
import os, sys
from pathlib import Path
from tests.integration.link.support import opened_client
from strongroom.keeper.v1 import frames_pb2
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
with opened_client(Path(sys.argv[1])):
    print("admitted", os.getuid())
"""


def visit(path: Path, uid: int) -> str:
    done = subprocess.run(
        [sys.executable, "-c", VISITOR, str(path), str(uid)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout.strip()


def test_only_the_front_among_other_users_is_admitted() -> None:
    # Under another user id only root can be; anybody else shows the half that it can: its own id is not the front's.
    front = ["--separate-users", "--allowed-uid", str(NOBODY), "--mode", "666"]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        with toy_keeper(Path(folder) / "keeper.sock", *front) as keeper:
            admitted = f"admitted {NOBODY}" if os.getuid() == 0 else ""
            assert visit(keeper.path, NOBODY) == admitted
            assert visit(keeper.path, NOBODY - 1) == ""
            assert "keeper_peer_refused" in keeper.end()


def test_keeper_without_descriptors_serves_on_and_takes_new_peers_when_it_has_some_again(keeper: ToyKeeper) -> None:
    process = psutil.Process(keeper.pid)
    with opened_client(keeper.path) as served:
        for _ in range(3):  # what looked whether it listens has been let go of by then
            assert pid_told(served) == keeper.pid
        with no_descriptors_left([process]):
            waiting = RawClient(keeper.path)
            busy_before = sum(process.cpu_times()[:2])
            began_at = time.monotonic()
            while time.monotonic() < began_at + 1.0:
                assert pid_told(served) == keeper.pid
                time.sleep(0.05)
            waited = time.monotonic() - began_at
            assert sum(process.cpu_times()[:2]) - busy_before < 0.5 * waited
        assert waiting.ask(KeeperCall(call_id=1, open_vault=OpenVaultCall(version=1, sealed=b"vault"))) is not None
        assert pid_told(waiting) == keeper.pid
        waiting.close()
    # Without a pause it would be thousands a second; a busy machine may have made the second long.
    assert 1 <= keeper.end().count("keeper_accept_failed") <= 10 * waited + 5


def test_socket_has_its_mode_and_a_dead_keepers_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "keeper.sock"
    with toy_keeper(path, "--mode", "660") as first:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        first.process.kill()
        first.process.wait(timeout=30)
    assert path.exists()
    with toy_keeper(path) as second, opened_client(path) as client:
        assert pid_told(client) == second.pid
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_socket_of_a_living_keeper_is_not_taken(keeper: ToyKeeper) -> None:
    with pytest.raises(Misconfigured, match="another keeper"):
        listen(keeper.path, mode=0o600)
    with opened_client(keeper.path) as client:
        assert pid_told(client) == keeper.pid


def test_what_is_no_socket_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "keeper.sock"
    path.write_text("precious")
    with pytest.raises(Misconfigured, match="no socket"):
        listen(path, mode=0o600)
    assert path.read_text() == "precious"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot listen"):
        listen(tmp_path / "nowhere" / "keeper.sock", mode=0o600)


def test_umask_is_as_before_after_listening(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        listen(tmp_path / "keeper.sock", mode=0o600).close()
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
