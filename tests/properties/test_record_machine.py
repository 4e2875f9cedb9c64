"""Whatever happens in whatever order, a record moves as the rules say, and as a second writing of them says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from strongroom_service.domain.ceremonies import Parameters, Statement
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.credentials import PolicyViolated, PolicyViolation
from strongroom_service.domain.errors import Refusal
from strongroom_service.domain.events import Outcome
from strongroom_service.domain.policy import OnExhaustion, Policy
from strongroom_service.domain.records import VaultState
from tests.fakes.account import DELETE, GOOD, REGISTER, RELEASE, STORE, WRONG, Account, Checked
from tests.fakes.record_model import Begun, RecordModel

BUDGET, LADDER_S, QUOTA = 6, (60, 300), 3
POLICY = Policy(on_exhaustion=OnExhaustion.DESTROY, budget=BUDGET, cool_down_seconds=LADDER_S, releases_per_day=QUOTA)
PARAMETERS: dict[str, Parameters] = {"register": REGISTER, "store": STORE, "release": RELEASE, "delete": DELETE}
CHECKED: dict[str, Checked] = {
    "right": GOOD,
    "wrong": WRONG,
    "violation": PolicyViolated(violation=PolicyViolation.ORIGIN),
    "regression": PolicyViolated(violation=PolicyViolation.COUNTER_REGRESSION),
}
OPERATIONS = st.sampled_from(["release"] * 5 + ["store"] * 3 + ["register", "delete"])
HOWS = st.sampled_from(["right"] * 4 + ["wrong"] * 4 + ["violation", "regression"])


class Records(RuleBasedStateMachine):
    """One account, its model, and ceremonies begun at whatever versions; each completed once, twice or never."""

    ceremonies = Bundle("ceremonies")

    def __init__(self) -> None:
        super().__init__()
        self.account = Account(policy=POLICY)
        self.model = RecordModel(now=self.account.now, budget=BUDGET, ladder_s=LADDER_S, quota=QUOTA)
        self.statements: dict[int, Statement] = {}
        self.judged: set[int] = set()

    @rule(target=ceremonies, operation=OPERATIONS, many=st.integers(1, 3), opened=st.sampled_from([0, 1, 2]))
    def begin_for_later(self, operation: str, many: int, opened: int) -> MultipleResults[Begun]:
        begun = [self._begin(operation, opened=opened) for _ in range(many)]
        return multiple(*(each for each in begun if each is not None))

    @rule(begun=ceremonies, how=HOWS)
    def complete(self, begun: Begun, how: str) -> None:
        self._complete(begun, how)

    @rule(begun=consumes(ceremonies), how=HOWS)
    def complete_and_again_since_the_reply_is_lost(self, begun: Begun, how: str) -> None:
        self._complete(begun, how)
        self._complete(begun, how)

    @rule(target=ceremonies, operation=OPERATIONS, how=HOWS, opened=st.sampled_from([0, 1, 2]))
    def begin_and_complete(self, operation: str, how: str, opened: int) -> MultipleResults[Begun]:
        begun = self._begin(operation, opened=opened)
        if begun is None:
            return multiple()
        self._complete(begun, how)
        return multiple(begun)

    @rule(times=st.integers(1, BUDGET))
    def fail_as_soon_as_possible(self, times: int) -> None:
        for _ in range(times):
            self._step_to(max(self.model.now, self.model.closed_until))
            begun = self._begin("store", opened=0)
            if begun is not None:
                self._complete(begun, "wrong")

    @precondition(lambda self: self.model.state != "live")
    @rule()
    def enroll(self) -> None:
        for operation in ("register", "store"):
            begun = self._begin(operation, opened=0)
            if begun is not None:
                self._complete(begun, "right")

    @rule(seconds=st.sampled_from([-90_000, -1, 1, 59, 60, 119, 120, 300, 3_600, 86_400]))
    def step(self, seconds: int) -> None:
        self._step_to(self.model.now + seconds * 1_000)

    def _begin(self, operation: str, *, opened: int) -> Begun | None:
        """`opened` 0: nothing; 1: the newest version; 2: one that is not there."""
        newest = self.model.unconfirmed or self.model.confirmed
        says = (0, newest, newest + 1)[opened]
        expected = self.model.why_not(operation)
        try:
            statement = self.account.begin(PARAMETERS[operation], opened=says)
        except Refusal as refusal:
            told, statement = refusal.reason.value, None
        else:
            told = ""
        assert told == expected
        if statement is None:
            return None
        begun = self.model.begin(len(self.statements), operation, opened=says)
        self.statements[begun.serial] = statement
        return begun

    def _complete(self, begun: Begun, how: str) -> None:
        changes = len(self.account.events)
        expected = self.model.complete(begun, how)
        try:
            decided = self.account.complete(self.statements[begun.serial], CHECKED[how])
        except Refusal as refusal:
            told, decided = refusal.reason.value, None
        else:
            told = "again" if decided is None else decided.event.outcome.value
        assert told == expected
        if decided is None:
            assert len(self.account.events) == changes, "an unjudged completion changed something"
            return
        assert begun.serial not in self.judged, "a ceremony was judged twice"
        self.judged.add(begun.serial)
        assert (decided.refusal is None) == (expected == "granted")

    def _step_to(self, now: int) -> None:
        self.model.now = now
        self.account.now = Millis(now)

    @invariant()
    def record_is_what_the_model_says(self) -> None:
        record, model = self.account.record, self.model
        if record is None:
            assert model.version == 0
            return
        assert (record.version, record.state.value) == (model.version, model.state)
        held = [(archive.archive_version, archive.confirmed) for archive in record.archives]
        assert held == [each for each in ((model.unconfirmed, False), (model.confirmed, True)) if each[0]]
        assert record.ledger.failures == model.failures
        assert (record.ledger.release_day, record.ledger.releases) == (model.quota_day, model.quota_used)
        assert model.state == "exhausted" or record.ledger.cool_down_until == model.closed_until
        by_challenge = {statement.keeper_random: serial for serial, statement in self.statements.items()}
        answered = {by_challenge[grant.challenge[-32:]]: grant.expires_at for grant in record.grants}
        assert {serial for serial, end in answered.items() if model.now < end} == {
            serial for serial, end in model.answered.items() if model.now < end
        }

    @invariant()
    def every_change_has_its_event_and_no_version_is_used_twice(self) -> None:
        assert [event.version for event in self.account.events] == list(range(1, self.model.version + 1))

    @invariant()
    def budget_is_never_exceeded_and_no_attempt_forgotten(self) -> None:
        """Counted from the history alone: wrong signatures since the last success or registration."""
        failures = 0
        for event in self.account.events:
            if event.outcome in {Outcome.FAILED, Outcome.EXHAUSTED}:
                failures += 1
                assert (event.outcome is Outcome.EXHAUSTED) == (failures == BUDGET)
            elif event.outcome is Outcome.GRANTED:
                failures = 0
            assert event.failures == failures <= BUDGET

    @invariant()
    def tombstones_hold_nothing(self) -> None:
        record = self.account.record
        if record is not None and record.state in {VaultState.EXHAUSTED, VaultState.DELETED}:
            assert (record.credentials, record.archives, record.recovery_public_key) == ((), (), b"")
            assert all(grant.archive_versions == () for grant in record.grants)


class ForgetfulRecords(Records):
    """Control: the same machine over an account that forgets its first failure, as after a row put back."""

    def _complete(self, begun: Begun, how: str) -> None:
        super()._complete(begun, how)
        record = self.account.record
        if record is not None and record.ledger.failures == 1:
            self.account.record = replace(record, ledger=replace(record.ledger, failures=0))


class HoardingRecords(Records):
    """Control: the same machine over an account whose tombstones keep what they held."""

    def _complete(self, begun: Begun, how: str) -> None:
        before = self.account.record
        super()._complete(begun, how)
        after = self.account.record
        if before is not None and after is not None and after.state is VaultState.EXHAUSTED:
            self.account.record = replace(after, archives=before.archives)


SETTINGS = settings(max_examples=150, stateful_step_count=40)
CONTROL = settings(max_examples=500, stateful_step_count=40, print_blob=False, database=None, phases=[Phase.generate])
Records.TestCase.settings = SETTINGS
test_records = Records.TestCase


@pytest.mark.parametrize("defective", [ForgetfulRecords, HoardingRecords])
def test_machine_catches_a_planted_defect(defective: type[Records]) -> None:
    with pytest.raises(AssertionError):
        run_state_machine_as_test(defective, settings=CONTROL)
