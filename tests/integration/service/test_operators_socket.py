"""The keepers' second socket, at a running service: for operators' calls alone, and never in the front's way."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from deploy.development.environment import DevelopmentVault
from strongroom.keeper.v1.frames_pb2 import KeeperCall, KeeperReply, ProbeCall
from strongroom.keeper.v1.operator_pb2 import FinishCheckpointCall, OperatorCall, OperatorReply
from strongroom_service.link.frames import FrameReader, encode_frame
from tests.contract.sqlite_hand import raw
from tests.fakes.hand_client import HandClient, Told
from tests.integration.link.support import RawClient
from tests.integration.service.evidence import Said, strongroomd


def sockets(vault: DevelopmentVault, name: str) -> list[Path]:
    return sorted((vault.files.folder / "run").glob(f"{name}-*.sock"))


def test_each_keeper_has_one_that_its_own_user_alone_may_use(development_vault: DevelopmentVault) -> None:
    paths = sockets(development_vault, "operator")
    assert len(paths) == len(sockets(development_vault, "keeper")) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


def answer_to(path: Path, asked: bytes) -> bytes:
    """Send a payload as the first of a connection; return that of the answer."""
    client = RawClient(path)
    client.socket.sendall(encode_frame(asked))
    [answer] = FrameReader().feed(client.socket.recv(4_096))
    client.close()
    return answer


def test_calls_by_the_wrong_socket_are_faults(development_vault: DevelopmentVault) -> None:
    operators = OperatorCall(call_id=3, finish_checkpoint=FinishCheckpointCall()).SerializeToString()
    fronts = KeeperCall(call_id=4, probe=ProbeCall()).SerializeToString()
    to_operator = KeeperReply.FromString(answer_to(sockets(development_vault, "keeper")[0], operators))
    to_front = OperatorReply.FromString(answer_to(sockets(development_vault, "operator")[0], fronts))
    assert (to_operator.call_id, to_operator.fault.kind) == (3, "INTERNAL")
    assert (to_front.call_id, to_front.fault.kind) == (4, "INTERNAL")


def test_operators_are_let_in_while_the_fronts_door_is_full(development_vault: DevelopmentVault) -> None:
    clients = [RawClient(path) for path in sockets(development_vault, "keeper") for _ in range(17)]
    try:
        said = strongroomd(development_vault.files.config_file, "events", "verify", "--keeper")
    finally:
        for client in clients:
            client.close()
    assert (said.code, said.errors) == (0, "")


def test_front_is_answered_while_everything_is_verified(development_vault: DevelopmentVault) -> None:
    said: list[Said] = []
    with HandClient(development_vault) as client:
        client.enroll()
        for _ in range(18):
            client.release()
        command = (development_vault.files.config_file, "events", "verify", "--keeper")
        verifying = threading.Thread(target=lambda: said.append(strongroomd(*command)))
        verifying.start()
        answered = 0
        while verifying.is_alive():
            assert client.vault_reply().account == client.account
            answered += 1
        verifying.join()
    assert said[0].code == 0
    assert answered > 5


def test_row_that_went_back_is_refused_until_it_is_accepted(development_vault: DevelopmentVault) -> None:
    with HandClient(development_vault) as client:
        client.enroll()
        database = development_vault.files.folder / "data" / "vault.db"
        with raw(database) as connection:
            before = {row[0]: row for row in connection.execute("SELECT record_id, version, sealed FROM records")}
            client.release()
            client.vault_reply()
            after = {row[0]: row for row in connection.execute("SELECT record_id, version, sealed FROM records")}
            [record_id] = [each for each, row in after.items() if row != before.get(each)]
            _, version, sealed = before[record_id]
            connection.execute("DELETE FROM events WHERE record_id = ? AND version > ?", (record_id, version))
            connection.execute(
                "UPDATE records SET version = ?, sealed = ? WHERE record_id = ?", (version, sealed, record_id)
            )
        with pytest.raises(Told, match="DATA_LOSS"):
            client.vault_reply()
        said = strongroomd(development_vault.files.config_file, "records", "accept-older", bytes(record_id).hex())
        assert (said.code, said.errors) == (0, "")
        assert f"is at version {version}." in said.lines[0]
        assert any(f"takes {version} from now on" in line for line in said.lines[1:])
        assert client.release() == [b"an envelope"]
