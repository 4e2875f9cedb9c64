"""Many callers at once against one record: the budget, the one judgement of a ceremony, and the answer given again.

Cool-downs are off, so that nothing but the budget bounds anybody. The ladder with a stepped clock is tested at the
keeper's desk: tests/unit/keeper/test_judging.py.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import grpc
import pytest

from strongroom.v1 import event_pb2, resources_pb2
from tests.fakes.hand_client import Told
from tests.fakes.stepped_vault import SteppedVault
from tests.integration.faults.checker import Chain, read_chains, read_fulfilled
from tests.integration.faults.clients import BUDGET, ENVELOPE, WRONG, ChroniclingClient, verdict

ENROLLED = 2
MOST_ROUNDS = 100
AGAIN = {"BEGIN_AGAIN"}
# A crowd on a busy machine may wait longer for a keeper than a call may take; it is told that, and tries again.
TRY_AGAIN = {*AGAIN, "UNAVAILABLE", "OUTCOME_UNKNOWN"}


def storm(client: ChroniclingClient) -> Counter[str]:
    """Begin, and complete with a wrong signature, until refused for good; return what was told, by reason."""
    told: Counter[str] = Counter()
    for _ in range(MOST_ROUNDS):
        with pytest.raises(Told) as caught:
            client.release(WRONG)
        told[caught.value.reason] += 1
        if caught.value.reason not in {"NOT_VERIFIED", *TRY_AGAIN}:
            return told
    raise AssertionError(f"never refused for good: {told}")


def chain_of(vault: SteppedVault, client: ChroniclingClient) -> Chain:
    head = client.history()[-1].chain_head
    [chain] = [each for each in read_chains(database_of(vault)).values() if each.heads[-1] == head]
    return chain


def database_of(vault: SteppedVault) -> Any:  # noqa: ANN401  a path
    return vault.files.folder / "data" / "vault.db"


def released_heads(vault: SteppedVault) -> set[bytes]:
    return {line.head for line in read_fulfilled(vault.files.folder / "keeper" / "fulfilled.log")}


@pytest.mark.parametrize("callers", [1, 200])
def test_exactly_ten_wrong_signatures_are_judged_whoever_many_call(vault: SteppedVault, callers: int) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(ChroniclingClient(vault))]
        owner = clients[0]
        owner.enroll()
        clients += [
            stack.enter_context(ChroniclingClient(vault, owner.account, passkey=owner.passkey))
            for _ in range(callers - 1)
        ]
        with ThreadPoolExecutor(callers) as pool:
            told = sum(pool.map(storm, clients), Counter[str]())
        assert told["VAULT_EXHAUSTED"] == callers, told
        assert set(told) <= {"NOT_VERIFIED", "VAULT_EXHAUSTED", *TRY_AGAIN}
        unheard = told["UNAVAILABLE"] + told["OUTCOME_UNKNOWN"]
        assert BUDGET - unheard <= told["NOT_VERIFIED"] <= BUDGET

        history = owner.history()
        outcomes = [event.outcome for event in history[ENROLLED:]]
        assert outcomes == [event_pb2.EVENT_OUTCOME_FAILED] * (BUDGET - 1) + [event_pb2.EVENT_OUTCOME_EXHAUSTED]
        assert [event.failures for event in history[ENROLLED:]] == list(range(1, BUDGET + 1))
        chain = chain_of(vault, owner)
        assert chain.version == ENROLLED + BUDGET
        assert not released_heads(vault) & set(chain.heads[ENROLLED:])

        with pytest.raises(Told) as refused:
            owner.release()
        assert (refused.value.code, refused.value.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "VAULT_EXHAUSTED")
        reply = owner.vault_reply()
        assert (reply.state, reply.attempts_left, list(reply.credentials), list(reply.archives)) == (
            resources_pb2.VAULT_STATE_EXHAUSTED,
            0,
            [],
            [],
        )
        assert chain_of(vault, owner) == chain
        # What every caller was told, as one account's: the checker's books must balance too.
        owner.said = [each for client in clients for each in client.said]
        assert verdict(vault, [owner]) == []


def test_of_fifty_wrong_completions_of_one_ceremony_one_is_judged(vault: SteppedVault) -> None:
    with ChroniclingClient(vault) as client:
        client.enroll()
        begun = client.begin_release()
        told = Counter(together(client, [client.release_request(begun, WRONG) for _ in range(50)], good=False))
        # A loser that comes late finds another version, one that comes at once loses the commit.
        assert told == {"NOT_VERIFIED": 1, "BEGIN_AGAIN": 49}
        assert [event.failures for event in client.history()] == [0, 0, 1]
        assert verdict(vault, [client]) == []


def test_of_fifty_good_completions_of_one_ceremony_one_is_judged_and_all_that_are_answered_agree(
    vault: SteppedVault,
) -> None:
    with ChroniclingClient(vault) as client:
        client.enroll()
        begun = client.begin_release()
        answers = together(client, [client.release_request(begun)] * 50, good=True)
        granted = [answer for answer in answers if not isinstance(answer, str)]
        assert {answer for answer in answers if isinstance(answer, str)} <= AGAIN
        assert granted
        assert {answer.receipt.version for answer in granted} == {ENROLLED + 1}
        assert len({answer.receipt.chain_head for answer in granted}) == 1
        assert all(client.open_release(begun, answer) == [ENVELOPE] for answer in granted)
        assert len(client.history()) == ENROLLED + 1
        assert verdict(vault, [client]) == []


def test_of_good_and_wrong_completions_of_one_ceremony_the_first_decides(vault: SteppedVault) -> None:
    with ChroniclingClient(vault) as client:
        client.enroll()
        begun = client.begin_release()
        requests = [client.release_request(begun), client.release_request(begun, WRONG)] * 25
        answers = together(client, requests, good=True)
        granted = [answer for answer in answers if not isinstance(answer, str)]
        failed = [answer for answer in answers if answer == "NOT_VERIFIED"]
        # Once granted it is answered whatever comes again: the signature that opened it is on record.
        assert (len(failed) == 1 and not granted) or (granted and not failed)
        assert len(client.history()) == ENROLLED + 1
        assert verdict(vault, [client]) == []


def test_answer_is_given_again_after_a_lost_reply(vault: SteppedVault) -> None:
    with ChroniclingClient(vault) as client:
        for operation in ("registration", "store", "release"):
            method, request, begun = client.begun_completion(operation)
            first, second = client.complete(method, request), client.complete(method, request)
            assert (first.receipt.version, first.receipt.chain_head) == (
                second.receipt.version,
                second.receipt.chain_head,
            )
            if operation == "release":
                assert first.reply != second.reply  # sealed anew
                assert client.open_release(begun, first) == client.open_release(begun, second) == [ENVELOPE]
            else:
                assert first.reply == second.reply
        assert len(client.history()) == ENROLLED + 1
        assert client.vault_reply().releases_left == client.vault_reply().policy.releases_per_day - 1
        assert verdict(vault, [client]) == []


def together(client: ChroniclingClient, requests: list[Any], *, good: bool) -> list[Any]:
    """Complete all at once; return each response, or the reason that was told instead."""
    calls = [
        client.stub.ReleaseEnvelope.future(request, timeout=client.deadline, metadata=client.metadata)
        for request in requests
    ]
    answers: list[Any] = []
    for request, call in zip(requests, calls, strict=True):
        try:
            answers.append(call.result())
            client.keep(request, good=good, receipt=answers[-1].receipt)
        except grpc.RpcError as error:
            told = Told(error)
            client.keep(request, good=good, told=told)
            answers.append(told.reason)
    return answers


def test_checker_counts_every_attempt(vault: SteppedVault) -> None:
    """A control: a client that hides one of its completions is found out, so none was counted for another."""
    with ChroniclingClient(vault) as client:
        client.enroll()
        with pytest.raises(Told):
            client.release(WRONG)
        assert verdict(vault, [client]) == []
        hidden = client.said.pop()
        assert verdict(vault, [client]) == [f"attempt that nobody made: {client.account}, version 3"]
        client.said += [replace(hidden, ceremony=b"another")]
        assert f"verdict told and not recorded: {client.account}" in verdict(vault, [client])
