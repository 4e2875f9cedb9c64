"""Processes killed and stopped at any moment, by a seed, while clients release; and what one hung process costs."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack
from random import Random
from typing import Any

import grpc
import psutil
import pytest

from tests.fakes.hand_client import Told
from tests.fakes.stepped_vault import SteppedVault, children_of, front_of, is_whole, keepers_of, until
from tests.integration.faults.clients import ENVELOPE, ChroniclingClient, Load, verdict

QUICK_FAULTS = ("kill front", "kill keeper", "kill parent", "stop parent")
FAULTS = (*QUICK_FAULTS, "kill keepers", "stop keeper", "stop keepers", "stop front")


def strike(vault: SteppedVault, fault: str, chance: Random) -> None:
    """Let one fault happen, and return when the service is whole again."""
    kind, victim = fault.split()
    number = signal.SIGKILL if kind == "kill" else signal.SIGSTOP
    if victim == "parent":
        children = children_of(vault)
        parent = psutil.Process(vault.pid)
        parent.send_signal(number)
        if kind == "stop":
            killed = chance.choice(keepers_of(vault))
            killed.kill()  # nobody is there to replace it, and it is not needed
            parent.send_signal(signal.SIGCONT)
            until(lambda: not killed.is_running(), f"after {fault} the keeper is replaced")
        else:
            vault.stop()
            until(lambda: not any(map(psutil.Process.is_running, children)), "its children are gone")
            vault.serve()
    else:
        keepers = keepers_of(vault)
        struck = {"front": [front_of(vault)], "keeper": [chance.choice(keepers)], "keepers": keepers}[victim]
        for process in struck:
            process.send_signal(number)
        until(lambda: not any(map(psutil.Process.is_running, struck)), f"after {fault} they are replaced")
    until(lambda: is_whole(vault), f"after {fault} the service is whole")


def check_seed(vault: SteppedVault, seed: int, faults: Sequence[str]) -> None:
    chance = Random(seed)
    with Load(vault, clients=3) as load:
        for fault in chance.sample(faults, k=len(faults)):
            load.goes_on()
            time.sleep(chance.uniform(0, 0.2))  # the moment is what is drawn here; nothing waits for it
            strike(vault, fault, chance)
        load.goes_on()
        load.end()
        assert verdict(vault, load.clients) == []


def test_nothing_is_lost_doubled_or_let_out_whatever_is_struck_under_load(vault: SteppedVault) -> None:
    check_seed(vault, 1, QUICK_FAULTS)


@pytest.mark.verify
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(2, 12))
def test_nothing_is_lost_doubled_or_let_out_at_other_moments(vault: SteppedVault, seed: int) -> None:
    check_seed(vault, seed, FAULTS)


def test_hung_keeper_costs_its_own_calls_and_the_other_serves_until_it_is_replaced(vault: SteppedVault) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(ChroniclingClient(vault)) for _ in range(16)]
        for client in clients:
            client.enroll()
        until(lambda: is_whole(vault), "both keepers are in use")
        completions = [(client, *client.begun_completion("release")) for client in clients]
        hung, other = keepers_of(vault)
        hung.suspend()
        calls = [
            client.stub.ReleaseEnvelope.future(request, timeout=client.deadline, metadata=client.metadata)
            for client, _, request, _ in completions
        ]
        told = {
            client.account: outcome_of(client, request, call)
            for (client, _, request, _), call in zip(completions, calls, strict=True)
        }
        assert set(told.values()) == {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
        lost = [client for client in clients if told[client.account] is grpc.StatusCode.UNAVAILABLE]
        # A judgement that was lost is not asked for again by anybody but its client: nothing is on record of it.
        assert 2 in {len(client.history()) for client in lost}
        for client, method, request, begun in completions:
            response = client.complete(method, request)
            assert (response.receipt.version, client.open_release(begun, response)) == (3, [ENVELOPE])
        assert other.is_running()
        until(lambda: hung not in keepers_of(vault) and is_whole(vault), "the hung keeper is replaced")
        assert other in keepers_of(vault)
        assert verdict(vault, clients) == []


def outcome_of(client: ChroniclingClient, request: Any, call: Any) -> grpc.StatusCode:  # noqa: ANN401  messages
    try:
        client.keep(request, good=True, receipt=call.result().receipt)
    except grpc.RpcError as error:
        client.keep(request, good=True, told=Told(error))
        return Told(error).code
    return grpc.StatusCode.OK


def test_hung_parent_is_not_missed(vault: SteppedVault) -> None:
    until(lambda: is_whole(vault), "nobody is to be replaced")
    before = children_of(vault)
    with Load(vault, clients=1) as load:
        parent = psutil.Process(vault.pid)
        parent.suspend()
        load.goes_on()
        parent.resume()
        load.goes_on()
        load.end()
        assert children_of(vault) == before
        assert verdict(vault, load.clients) == []
