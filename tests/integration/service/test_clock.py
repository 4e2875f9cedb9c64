"""The host's clock is set while the service runs: cool-downs and quotas go by the time that passed.

The control is a restart, which believes the clock as it then stands: what the threat model says of it is so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import grpc
import psutil
import pytest

from deploy.development.environment import AUDIENCE, DevelopmentVault, VaultShape, make_files
from deploy.development.tenant import issue_account_token, issue_tenant_token
from strongroom.v1 import tenant_service_pb2
from strongroom.v1.tenant_service_pb2_grpc import TenantServiceStub
from strongroom_service.bootstrap.host_clock import read_discipline
from tests.fakes.hand_client import HandClient, Told
from tests.fakes.passkey import Forgery
from tests.fakes.wall_clock import FakeWallClock
from tests.integration.service.daemons import runs
from tests.integration.service.test_life_of_service import metrics_of, wait_until

DAY: Final = 86_400
TOLERANCE: Final = 5
RELEASES_PER_DAY: Final = 2
COOL_DOWN: Final = 3_600
BEYOND: Final = "strongroom_clock_beyond_tolerance_seconds"


class Scene:
    """A vault on a host whose clock a test sets, and an account that is enrolled."""

    def __init__(self, vault: DevelopmentVault, clock: FakeWallClock) -> None:
        self.vault = vault
        self.clock = clock
        self.token_at = clock.now_seconds()  # what the service goes by: the client's own time does not jump
        with HandClient(vault) as client:
            self.account, self.passkey = client.account, client.passkey

    @contextmanager
    def client(self) -> Iterator[HandClient]:
        token = issue_account_token(
            self.vault.tenant,
            account=self.account,
            audience=AUDIENCE,
            now_seconds=self.token_at,
            lifetime_seconds=3_600,
        )
        with HandClient(self.vault, self.account, passkey=self.passkey) as client:
            client.metadata = (("authorization", f"Bearer {token}"),)
            yield client

    def refusal(self) -> str:
        """The reason that a release is refused for."""
        with self.client() as client, pytest.raises(Told) as told:
            client.release()
        return told.value.reason

    def erase_account(self) -> None:
        """Ask as the tenant does; it takes effect after 30 days."""
        token = issue_tenant_token(self.vault.tenant, audience=AUDIENCE, now_seconds=self.token_at, scope="erase")
        request = tenant_service_pb2.EraseAccountRequest(nonce=os.urandom(32), account=self.account)
        with grpc.secure_channel(self.vault.address, self.vault.channel_credentials()) as channel:
            metadata = (("authorization", f"Bearer {token}"),)
            TenantServiceStub(channel).EraseAccount(request, timeout=10, metadata=metadata)

    def replace_keepers(self) -> None:
        children = psutil.Process(self.vault.pid).children()
        keepers = [child for child in children if runs(child, "run-keeper-child")]
        for keeper in keepers:
            keeper.kill()
        psutil.wait_procs(keepers)
        wait_until(lambda: metrics_of(self.vault)["strongroom_keepers_connected"] == len(keepers))

    def restart(self) -> None:
        self.vault.stop()
        self.vault.serve(environment=self.clock.environment)
        self.token_at = self.clock.now_seconds()

    def logged(self, event: str) -> list[str]:
        """The processes that logged this event."""
        lines = self.vault.log_file.read_text(encoding="utf-8").splitlines()
        entries = [json.loads(line) for line in lines if line.startswith("{")]  # a child's last words are plain text
        return sorted(entry["process"] for entry in entries if entry["event"] == event)


@pytest.fixture
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("clock")  # named after its test, a socket in it would have too long a path
    clock = FakeWallClock(folder)
    shape = VaultShape(
        keepers=2, policy={"releases_per_day": RELEASES_PER_DAY, "budget": 5, "cool_down_seconds": [COOL_DOWN]}
    )
    files = make_files(folder / "vault", shape)
    with files.config_file.open("a", encoding="utf-8") as config:
        config.write(f"\n[clock]\ntolerance_seconds = {TOLERANCE}\n")
    with DevelopmentVault(files) as vault:
        vault.init()
        vault.serve(environment=clock.environment)
        scene = Scene(vault, clock)
        with scene.client() as client:
            client.enroll()
        yield scene


def test_clock_set_forward_ends_no_cool_down_and_refills_no_quota(scene: Scene) -> None:
    with scene.client() as client:
        client.release()
        for _ in range(4):  # the ladder's first rung comes with the fourth
            with pytest.raises(Told):
                client.release(Forgery(unsigned=True))
    assert scene.refusal() == "COOLING_DOWN"
    scene.clock.set_forward(seconds=2 * DAY)
    assert scene.refusal() == "COOLING_DOWN"
    scene.replace_keepers()
    assert scene.refusal() == "COOLING_DOWN"
    assert metrics_of(scene.vault)[BEYOND] == pytest.approx(2 * DAY - TOLERANCE, abs=1)
    assert {"front", "keeper-0", "keeper-1"} >= set(scene.logged("clock_held")) >= {"front"}
    wait_until(lambda: metrics_of(scene.vault)["strongroom_keepers_clock_held"] == 2)  # told with the next probe
    # The control, and what an operator's remedy does when the clock is not right: it is believed anew.
    scene.restart()
    with scene.client() as client:
        assert len(client.release()) == 1
    assert metrics_of(scene.vault)[BEYOND] == 0


def test_day_that_comes_again_has_no_quota_of_its_own(scene: Scene) -> None:
    with scene.client() as client:
        for _ in range(RELEASES_PER_DAY):
            client.release()
    for seconds in (-DAY, 3 * DAY, -4 * DAY):
        assert scene.refusal() == "RELEASE_QUOTA"
        scene.clock.set_forward(seconds=seconds)
    assert scene.refusal() == "RELEASE_QUOTA"
    scene.restart()  # two days back: believed, and yet the day that was counted is not over
    assert scene.refusal() == "RELEASE_QUOTA"
    scene.clock.set_forward(seconds=3 * DAY)  # the control: the day after, after a restart
    scene.restart()
    with scene.client() as client:
        assert len(client.release()) == 1


def test_account_that_waits_for_its_erasure_waits_its_days_whatever_the_clock_is_set_to(scene: Scene) -> None:
    scene.erase_account()
    scene.clock.set_forward(seconds=31 * DAY)
    assert scene.vault.run_command("sweep").startswith("1 records, erased in 0,")
    with scene.client() as client:
        assert client.vault_reply().HasField("account_erase_time")
        assert len(client.release()) == 1
    scene.restart()  # the control: a start believes the clock, and what is gone then is gone
    assert scene.vault.run_command("sweep").startswith("1 records, erased in 1,")
    assert scene.refusal() == "NO_VAULT"


def test_service_goes_on_while_the_clock_is_wrong_by_less_than_the_tolerance(scene: Scene) -> None:
    for seconds in (TOLERANCE - 1, 2 - 2 * TOLERANCE):
        scene.clock.set_forward(seconds=seconds)
        with scene.client() as client:
            assert len(client.release()) == 1
    assert scene.logged("clock_held") == []
    assert metrics_of(scene.vault)[BEYOND] == 0


def test_cool_down_outlives_a_restart_with_the_clock_set_back(scene: Scene) -> None:
    with scene.client() as client:
        for _ in range(4):
            with pytest.raises(Told):
                client.release(Forgery(unsigned=True))
    scene.clock.set_forward(seconds=-DAY)
    scene.restart()
    assert scene.refusal() == "COOLING_DOWN"


def test_whether_it_is_judged_is_what_the_kernel_says_when_the_configuration_demands_it(scene: Scene) -> None:
    config = scene.vault.files.config_file
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("[clock]", "[clock]\nrequire_synchronised = true"), encoding="utf-8")
    scene.restart()
    untrusted = 0 if read_discipline().synchronised else 2
    wait_until(lambda: metrics_of(scene.vault)["strongroom_keepers_clock_untrusted"] == untrusted)
    with scene.client() as client:
        assert client.vault_reply().attempts_left == 5
        if read_discipline().synchronised:  # this host's affair; what is refused otherwise has its unit tests
            assert len(client.release()) == 1
        else:
            with pytest.raises(Told) as told:
                client.release()
            assert (told.value.code, told.value.reason) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
            with pytest.raises(RuntimeError, match=r"ClockUntrusted: .*not synchronised"):
                scene.vault.run_command("sweep")
            assert set(scene.logged("keeper_fault")) <= {"keeper-0", "keeper-1"} != set()
