"""Every process killed or stopped at every step of a completion, while others are served.

Expected of each: the call ends without an answer that is not so; the record stands at the old version or at the new
one, as the step says; and the same completion sent again ends at the new version, once.
"""

from __future__ import annotations

import os
from itertools import product

import psutil
import pytest

from tests.fakes.hand_client import Told
from tests.fakes.stepped_vault import SteppedVault, children_of, front_of, is_whole, until
from tests.fakes.steps import Action, Step
from tests.integration.faults.clients import ENVELOPE, ChroniclingClient, Load, verdict, version_of

STEPS = tuple(step for step in Step if step is not Step.COMMIT)
COMMITTED = {Step.AFTER_COMMIT, Step.BEFORE_FULFIL, Step.AFTER_FULFIL}
OPERATIONS = ("registration", "store", "release")
BEFORE = {"registration": 0, "store": 1, "release": 2}
KEEPERS = {Action.KILL_KEEPERS, Action.STOP_KEEPERS}
ACTIONS = (Action.KILL_FRONT, Action.STOP_FRONT, Action.KILL_KEEPERS, Action.STOP_KEEPERS, Action.KILL_PARENT)

EVERY_CASE = tuple(product(OPERATIONS, STEPS, ACTIONS))
SLICE = (
    *(("release", step, Action.KILL_FRONT) for step in STEPS),
    ("registration", Step.AFTER_COMMIT, Action.KILL_FRONT),
    *(("release", step, Action.KILL_KEEPERS) for step in (Step.BEFORE_JUDGE, Step.BEFORE_COMMIT, Step.BEFORE_FULFIL)),
    ("store", Step.BEFORE_FULFIL, Action.STOP_KEEPERS),
    ("release", Step.AFTER_COMMIT, Action.STOP_FRONT),
    ("release", Step.BEFORE_COMMIT, Action.KILL_PARENT),
    ("registration", Step.AFTER_COMMIT, Action.KILL_PARENT),
)


def is_answered(step: Step, action: Action) -> bool:
    """Whether the call that meets this fault is answered all the same: keepers have no part in what is left."""
    return action in KEEPERS and step is Step.AFTER_FULFIL


def is_committed(step: Step, action: Action) -> bool:
    """Whether the attempt stands once the fault has passed: a keeper's end does not hold up the front's commit."""
    return step in COMMITTED or (action in KEEPERS and step is not Step.BEFORE_JUDGE)


def check_case(vault: SteppedVault, operation: str, step: Step, action: Action) -> None:
    with ChroniclingClient(vault) as client, Load(vault, clients=1) as load:
        if operation != "registration":
            client.register()
        if operation == "release":
            client.store()
        until(lambda: is_whole(vault), "nobody is to be replaced")
        client.wait_for_service()
        method, request, begun = client.begun_completion(operation)
        before = children_of(vault)
        struck = before if action is Action.KILL_PARENT else [front_of(vault)]
        vault.plan(client.request_id, step, action)
        if is_answered(step, action):
            client.complete(method, request)
        else:
            with pytest.raises(Told, match=r"UNAVAILABLE|DEADLINE_EXCEEDED"):
                client.complete(method, request)
        if action is Action.KILL_PARENT:
            vault.stop()
            until(lambda: not any(map(psutil.Process.is_running, struck)), "its children are gone")
            vault.serve()
        until(lambda: set(children_of(vault)) != set(before), "who was struck is gone")
        until(lambda: is_whole(vault), "front and keepers are there again")
        client.wait_for_service()
        stands = len(client.history())
        assert stands == BEFORE[operation] + is_committed(step, action)
        response = client.complete(method, request)
        assert response.receipt.version == BEFORE[operation] + 1
        assert version_of(vault, client) == BEFORE[operation] + 1
        if operation == "release":
            assert client.open_release(begun, response) == [ENVELOPE]
        load.goes_on()
        load.end()
        assert verdict(vault, [client, *load.clients]) == []


@pytest.mark.parametrize(("operation", "step", "action"), SLICE)
def test_attempt_is_recorded_once_or_not_at_all_whoever_dies_at_a_step(
    vault: SteppedVault, operation: str, step: Step, action: Action
) -> None:
    check_case(vault, operation, step, action)


@pytest.mark.verify
@pytest.mark.parametrize(("operation", "step", "action"), sorted(set(EVERY_CASE) - set(SLICE), key=str))
def test_attempt_is_recorded_once_or_not_at_all_in_every_other_case(
    vault: SteppedVault, operation: str, step: Step, action: Action
) -> None:
    check_case(vault, operation, step, action)


def test_attempt_is_recorded_though_its_caller_hung_up(vault: SteppedVault) -> None:
    with ChroniclingClient(vault) as client:
        client.enroll()
        method, request, begun = client.begun_completion("release")
        held = vault.plan(client.request_id, Step.BEFORE_COMMIT, Action.HOLD)
        call = getattr(client.stub, method).future(request, timeout=client.deadline, metadata=client.metadata)
        until(held.exists, "the attempt is about to be committed")
        call.cancel()
        seen = '"code": "CANCELLED", "seconds": '
        until(lambda: _lines(vault, client.request_id, seen), "the front knows that the caller hung up")
        assert version_of(vault, client) == 2
        held.unlink()
        until(lambda: version_of(vault, client) == 3, "the attempt is committed")
        response = client.complete(method, request)
        assert (response.receipt.version, client.open_release(begun, response)) == (3, [ENVELOPE])
        assert verdict(vault, [client]) == []


def test_checker_sees_a_store_that_acknowledges_and_does_not_commit(vault: SteppedVault) -> None:
    """A control: with such a store the same check fails, for the very reasons it should."""
    with ChroniclingClient(vault) as client:
        client.enroll()
        log = vault.files.folder / "keeper" / "fulfilled.log"
        honest = log.read_bytes()
        vault.plan(client.request_id, Step.COMMIT, Action.LIE)
        assert client.release() == [ENVELOPE]
        # Keepers saw the version that was never written, and would refuse the older one.
        for keeper in children_of(vault):
            os.kill(keeper.pid, 9)
        until(lambda: is_whole(vault), "front and keepers are there again")
        client.wait_for_service()
        found = verdict(vault, [client])
        log.write_bytes(honest)
        assert sorted(line.split(":")[0] for line in found) == ["acknowledged and lost", "released without commit"]
        assert all("version 3" in line for line in found)


def _lines(vault: SteppedVault, *words: str) -> list[str]:
    text = vault.log_file.read_text(encoding="utf-8")
    return [line for line in text.splitlines() if all(word in line for word in words)]
