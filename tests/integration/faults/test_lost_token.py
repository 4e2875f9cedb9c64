"""The service on a token that fails, is lost for a while, hangs, or refuses the PIN: says so, and comes back by itself.

Each keeper opens the token through the fault module, which all processes of the vault obey at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import grpc
import psutil
import pytest

from deploy.development.environment import DevelopmentVault, VaultShape, make_files
from deploy.development.vault_folder import toml_lines
from strongroom_service.link.supervisor import EX_CONFIG
from tests.fakes.hand_client import HandClient, Told
from tests.fakes.pkcs11_fault.fault_module import FaultModule
from tests.fakes.stepped_vault import keepers_of, until

DEVICE_ERROR: Final = 0x30
PIN_INCORRECT: Final = 0xA0
TROUBLE: Final = {
    "GENERAL_ERROR": 0x05,
    "DEVICE_ERROR": DEVICE_ERROR,
    "SESSION_HANDLE_INVALID": 0xB3,
}
USED_IN_A_RELEASE: Final = ("C_SignInit", "C_Sign", "C_DecryptInit", "C_Decrypt", "*")
ENVELOPE: Final = b"an envelope"
SHAPE: Final = VaultShape(
    keepers=1,  # so that a refused PIN is tried once in all
    keeper_settings={"call_deadline_seconds": 1.5, "heartbeat_timeout_seconds": 2.5},
    policy={"cool_down_seconds": [], "releases_per_day": 1_000},
)


class FaultyVault(DevelopmentVault):
    """A vault whose keepers reach their token through `module`."""

    module: FaultModule

    @classmethod
    def begin(cls, folder: Path) -> FaultyVault:
        """Make a vault in `folder` and serve."""
        files = make_files(folder, SHAPE)
        text = files.config_file.read_text(encoding="utf-8")
        [line] = [line for line in text.splitlines() if line.startswith("module_file = ")]
        real_module = Path(line.split('"')[1])
        vault = cls(files)
        vault.module = FaultModule.build(folder / "module", real_module=real_module)
        text = text.replace(line, toml_lines({"module_file": str(vault.module.path)}).strip())
        head = "[pkcs11.environment]\n"
        files.config_file.write_text(text.replace(head, head + toml_lines(vault.module.environment)), encoding="utf-8")
        vault.init()
        vault.serve()
        return vault

    def logged(self, event: str) -> int:
        """How often this event is in the log."""
        return self.log_file.read_text(encoding="utf-8").count(f'"event": "{event}"')

    def ended(self) -> bool:
        """Whether the parent has ended, by itself."""
        return psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE


@pytest.fixture(scope="module")
def faulty_vault() -> Iterator[FaultyVault]:
    with TemporaryDirectory(prefix="faulty-") as folder:
        vault = FaultyVault.begin(Path(folder))
        with vault:
            yield vault


@pytest.fixture
def client(faulty_vault: FaultyVault) -> Iterator[HandClient]:
    """A client with a vault, of a service that is well before and after the test."""
    faulty_vault.module.heal()
    until(faulty_vault.is_serving, "the service is well")
    with HandClient(faulty_vault) as client:
        until(lambda: answers(client), "the service answers")
        client.enroll(ENVELOPE)
        yield client
    faulty_vault.module.heal()


def answers(client: HandClient) -> bool:
    """Whether the keepers sign answers; one that is just being given up may still be asked."""
    try:
        client.service_info()
    except Told:
        return False
    return True


def refused(client: HandClient) -> Told:
    with pytest.raises(Told) as caught:
        client.service_info()
    return caught.value


def test_lost_token_makes_the_service_unavailable_until_it_is_back(
    faulty_vault: FaultyVault, client: HandClient
) -> None:
    [keeper] = keepers_of(faulty_vault)
    faulty_vault.module.fail("*", DEVICE_ERROR)
    assert refused(client).code is grpc.StatusCode.UNAVAILABLE
    until(lambda: not faulty_vault.is_serving(), "health says so")
    until(lambda: not keeper.is_running(), "the keeper is given up")
    assert refused(client).code is grpc.StatusCode.UNAVAILABLE
    faulty_vault.module.heal()
    until(faulty_vault.is_serving, "the service is back by itself")
    assert client.release() == [ENVELOPE]
    assert not faulty_vault.ended()


def test_keeper_that_hangs_in_the_token_is_killed_and_replaced(faulty_vault: FaultyVault, client: HandClient) -> None:
    [keeper] = keepers_of(faulty_vault)
    killed = faulty_vault.logged("child_silent")
    faulty_vault.module.stall("C_Sign")
    assert refused(client).code is grpc.StatusCode.UNAVAILABLE
    until(lambda: faulty_vault.logged("child_silent") == killed + 1, "the keeper is killed for its silence")
    until(lambda: not keeper.is_running(), "the keeper is gone")
    assert not faulty_vault.is_serving()
    faulty_vault.module.heal()
    until(faulty_vault.is_serving, "the service is back by itself")
    assert client.release() == [ENVELOPE]
    assert not faulty_vault.ended()


def test_refused_pin_is_tried_once_and_ends_the_service(faulty_vault: FaultyVault, client: HandClient) -> None:
    faulty_vault.module.forget_calls()
    faulty_vault.module.obey(f"C_Sign 1 0 {DEVICE_ERROR:x}", f"C_Login 1 0 {PIN_INCORRECT:x}")
    assert refused(client).code is grpc.StatusCode.UNAVAILABLE
    until(faulty_vault.ended, "the parent gives up")
    assert faulty_vault.stop() == EX_CONFIG
    assert faulty_vault.module.calls().count("C_Login") == 1
    faulty_vault.module.heal()
    faulty_vault.serve()
    assert client.release() == [ENVELOPE]


@pytest.mark.verify
@pytest.mark.parametrize("code", TROUBLE)
@pytest.mark.parametrize("function", USED_IN_A_RELEASE)
@pytest.mark.parametrize("last", [1, 0], ids=["once", "for a while"])
def test_trouble_in_a_release_is_told_as_such_and_passes(
    faulty_vault: FaultyVault, client: HandClient, function: str, code: str, last: int
) -> None:
    faulty_vault.module.fail(function, TROUBLE[code], last=last)
    told: set[object] = set()
    for _ in range(3):
        try:
            assert client.release() == [ENVELOPE]
        except Told as error:
            told.add(error.code)
    assert told <= {grpc.StatusCode.UNAVAILABLE}
    faulty_vault.module.heal()
    until(lambda: answers(client) and faulty_vault.is_serving(), "the service is back by itself")
    assert client.release() == [ENVELOPE]
    assert "RecordRejected" not in faulty_vault.log_file.read_text(encoding="utf-8")
    assert not faulty_vault.ended()
