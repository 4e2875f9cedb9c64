"""The promises of one service, kept by three that share nothing but token and database."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import cycle, islice
from typing import Any

import pytest

from strongroom.v1 import event_pb2
from tests.fakes.hand_client import Told
from tests.fixtures.replicas import Replicas
from tests.integration.faults.clients import BUDGET, ENVELOPE, WRONG, ChroniclingClient
from tests.integration.faults.test_storms import AGAIN, ENROLLED, TRY_AGAIN, storm


def spread(replicas: Replicas, owner: ChroniclingClient, count: int, stack: ExitStack) -> list[ChroniclingClient]:
    """So many clients of the owner's account, on one replica after the other."""
    return [
        stack.enter_context(ChroniclingClient(vault, owner.account, passkey=owner.passkey))
        for vault in islice(cycle(replicas.vaults), count)
    ]


@pytest.mark.parametrize("callers", [1, 200])
def test_exactly_ten_wrong_signatures_are_judged_whichever_replicas_are_called(
    replicas: Replicas, callers: int
) -> None:
    with ExitStack() as stack:
        owner = stack.enter_context(ChroniclingClient(replicas.vaults[0]))
        owner.enroll()
        clients = spread(replicas, owner, max(callers, 3), stack)
        with ThreadPoolExecutor(callers) as pool:
            told = sum(pool.map(storm, clients), Counter[str]())
        assert set(told) <= {"NOT_VERIFIED", "VAULT_EXHAUSTED", *TRY_AGAIN}
        unheard = told["UNAVAILABLE"] + told["OUTCOME_UNKNOWN"]
        assert BUDGET - unheard <= told["NOT_VERIFIED"] <= BUDGET
        outcomes = [event.outcome for event in owner.history()[ENROLLED:]]
        assert outcomes == [event_pb2.EVENT_OUTCOME_FAILED] * (BUDGET - 1) + [event_pb2.EVENT_OUTCOME_EXHAUSTED]
        owner.said += [each for client in clients for each in client.said]
        assert replicas.verdict([owner]) == []


def test_of_fifty_good_completions_at_three_replicas_one_is_judged_and_the_answers_agree(replicas: Replicas) -> None:
    with ExitStack() as stack:
        owner = stack.enter_context(ChroniclingClient(replicas.vaults[0]))
        owner.enroll()
        begun = owner.begin_release()
        request = owner.release_request(begun)

        def complete(client: ChroniclingClient) -> Any:  # noqa: ANN401  the response, or why there is none
            try:
                return client.complete("ReleaseEnvelope", request)
            except Told as told:
                return told.reason

        clients = spread(replicas, owner, 50, stack)
        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(complete, clients))
        assert {answer for answer in answers if isinstance(answer, str)} <= AGAIN
        granted = [answer for answer in answers if not isinstance(answer, str)]
        assert granted
        assert all(owner.open_release(begun, answer) == [ENVELOPE] for answer in granted)
        assert len(owner.history()) == ENROLLED + 1
        owner.said += [each for client in clients for each in client.said]
        assert replicas.verdict([owner]) == []


def test_ceremony_begun_at_one_replica_is_completed_at_another_and_answered_again_at_a_third(
    replicas: Replicas,
) -> None:
    with ExitStack() as stack:
        owner = stack.enter_context(ChroniclingClient(replicas.vaults[0]))
        owner.enroll()
        _, second, third = spread(replicas, owner, 3, stack)
        begun = owner.begin_release()
        request = owner.release_request(begun)
        first = second.complete("ReleaseEnvelope", request)
        again = third.complete("ReleaseEnvelope", request)
        assert (again.receipt.version, again.receipt.chain_head) == (first.receipt.version, first.receipt.chain_head)
        assert [owner.open_release(begun, each) for each in (first, again)] == [[ENVELOPE]] * 2
        assert len(owner.history()) == ENROLLED + 1
        owner.said += [*second.said, *third.said]
        assert replicas.verdict([owner]) == []


def test_what_one_replica_counted_the_others_know_at_once(replicas: Replicas) -> None:
    with ExitStack() as stack:
        owner = stack.enter_context(ChroniclingClient(replicas.vaults[0]))
        owner.enroll()
        clients = spread(replicas, owner, 3, stack)
        for number, client in enumerate(clients, start=1):
            with pytest.raises(Told) as told:
                client.release(WRONG)
            assert told.value.reason == "NOT_VERIFIED"
            assert [each.vault_reply().attempts_left for each in clients] == [BUDGET - number] * 3
        assert clients[2].release() == [ENVELOPE]
        assert [each.vault_reply().attempts_left for each in clients] == [BUDGET] * 3
