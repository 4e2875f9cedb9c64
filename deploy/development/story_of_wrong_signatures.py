"""What happens to who guesses: attempts counted down, the cool-down, and the end of an exhausted record."""

from __future__ import annotations

import time
from typing import Final

from deploy.development.checks import require, require_refusal
from deploy.development.narration import Narration
from deploy.development.stage import STRICT_BUDGET, STRICT_COOL_DOWN_SECONDS, Person, Stage
from strongroom_client.client import VaultClient
from strongroom_client.errors import CoolingDown, Exhausted, NotVerified

_FREE_FAILURES: Final = 3
_AFTER_COOL_DOWN_SECONDS: Final = 0.1


def count_down(stage: Stage, person: Person, narration: Narration) -> None:
    """Show three free failures, a success that forgives them, and the cool-down after the fourth."""
    narration.chapter("4  Wrong signatures")
    with stage.client(person) as client:
        budget = client.vault().attempts_left
        left = [_fail(client, person) for _ in range(_FREE_FAILURES)]
        require(left == [budget - 1, budget - 2, budget - 3], f"attempts are counted down from {budget}, not {left}")
        client.release(person.passkey)
        forgiven = client.vault().attempts_left
        require(forgiven == budget, "a right signature takes the count back")
        narration.fact(f"3 refused: {_listed(left)} attempts left; a right one: released, {forgiven} left")
        left = [_fail(client, person) for _ in range(_FREE_FAILURES + 1)]
        before, prompts = client.vault(), person.passkey.prompts
        refused = require_refusal(CoolingDown, lambda: client.release(person.passkey))
        after = client.vault()
    require(before.cool_down_ends_at is not None, "the fourth failure starts a cool-down")
    require((refused.retry_after_seconds or 0) > 0, "a cool-down says how long it lasts")
    require(person.passkey.prompts == prompts, "in a cool-down nobody is prompted")
    require(after == before, "in a cool-down nothing is judged or counted")
    narration.fact(f"4 refused: {_listed(left)} left, then a cool-down of {refused.retry_after_seconds:.0f} s:")
    narration.fact(f"the right passkey is refused too, unjudged: no prompt, still {after.attempts_left} left")


def use_up(stage: Stage, person: Person, narration: Narration) -> None:
    """Show, under the strict policy, the budget used up and what is left then: nothing, for ever."""
    with stage.client(person) as client:
        client.enroll(person.passkey, user_name=person.account)
        waits = " and ".join(map(str, STRICT_COOL_DOWN_SECONDS))
        narration.fact(
            f"{person.account}, a strict policy: {STRICT_BUDGET} attempts, cool-downs of {waits} s, then destroyed"
        )
        left = []
        for _ in range(STRICT_BUDGET):
            _wait_out_cool_down(client)
            left.append(_fail(client, person))
        require(left == list(reversed(range(STRICT_BUDGET))), f"attempts are counted down to 0, not {left}")
        status = client.vault()
        require(status.state == "exhausted", f"the record is exhausted, not {status.state}")
        require(not status.passkeys and not status.archives, "passkeys and archive keys are erased")
        narration.fact(f"{STRICT_BUDGET} refused, cool-downs waited out: {_listed(left)} left; {status.state}, erased")
        _require_exhausted(client, person)
        time.sleep(max(STRICT_COOL_DOWN_SECONDS) + _AFTER_COOL_DOWN_SECONDS)
        _require_exhausted(client, person)
    stage.vault.stop()
    stage.vault.serve()
    with stage.client(person) as client:
        _require_exhausted(client, person)
        history = client.history()
    judged = [event.outcome for event in history].count("failed")
    ended = [event.outcome for event in history].count("exhausted")
    require((judged, ended) == (STRICT_BUDGET - 1, 1), "every wrong signature is in the history")
    narration.fact("the right passkey is refused: now, after another cool-down, after a restart")
    narration.fact(
        f"history: {len(history)} events, signed and without a gap, {judged + ended} of them wrong signatures"
    )


def _fail(client: VaultClient, person: Person) -> int:
    """Try a release with a wrong signature; return how many attempts the vault says are left."""
    with person.passkey.spoiling():
        require_refusal(NotVerified, lambda: client.release(person.passkey))
    return client.vault().attempts_left


def _require_exhausted(client: VaultClient, person: Person) -> None:
    require_refusal(Exhausted, lambda: client.release(person.passkey))
    status = client.vault()
    require((status.state, status.attempts_left) == ("exhausted", 0), "what is exhausted stays so")


def _wait_out_cool_down(client: VaultClient) -> None:
    ends_at = client.vault().cool_down_ends_at
    if ends_at is not None:
        time.sleep(max(0.0, ends_at / 1e3 - time.time()) + _AFTER_COOL_DOWN_SECONDS)


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
