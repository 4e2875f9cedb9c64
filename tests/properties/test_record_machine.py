"""Whatever happens in whatever order, a record moves as the rules say, and as a second writing of them says."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from strongroom_service.domain.ceremonies import Mode, Statement
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.credentials import PolicyViolated, PolicyViolation, RecoveryVerified
from strongroom_service.domain.errors import Refusal
from strongroom_service.domain.records import Record, VaultState
from tests.fakes.account import GOOD, WRONG, Account, Checked
from tests.fakes.life_model import Asked, LifeModel
from tests.fakes.record_history import check_history
from tests.fakes.record_model import Begun, RecordModel
from tests.properties.record_names import (
    CREDENTIALS,
    LIMITS,
    NONCES,
    ORDERS,
    PASSKEYS,
    nonce_of,
    parameters_of,
    policy_of,
)

CHECKED: dict[str, Checked] = {
    "right": GOOD,
    "wrong": WRONG,
    "violation": PolicyViolated(violation=PolicyViolation.ORIGIN),
    "regression": PolicyViolated(violation=PolicyViolation.COUNTER_REGRESSION),
}
OPERATIONS = st.sampled_from(
    ["release"] * 5
    + ["store", "store_held", "add", "remove", "reopen_aside"] * 2
    + ["set_recovery", "reopen_closed", "lift", "set_policy", "register", "delete"]
)
HOWS = st.sampled_from(["right"] * 5 + ["wrong"] * 4 + ["violation", "regression"])
SIGNERS = st.sampled_from(["P"] * 4 + ["Q", "Q", "S", "R", "T"])
DAY_S = 86_400
STEPS_S = [-90_000, -1, 1, 59, 60, 119, 120, 300, 3_600, DAY_S, 2 * DAY_S, 7 * DAY_S, 30 * DAY_S]


class Records(RuleBasedStateMachine):
    """One account, its model, and ceremonies begun at whatever versions; each completed once, twice or never."""

    ceremonies = Bundle("ceremonies")

    @initialize(limits=st.sampled_from(sorted(LIMITS)))
    def meet(self, limits: str) -> None:
        self.account = Account(policy=policy_of(LIMITS[limits]))
        life = LifeModel(LIMITS[limits])
        self.model = RecordModel(now=self.account.now, tenants_limits=LIMITS[limits], life=life)
        self.statements: dict[int, Statement] = {}
        self.judged: set[int] = set()

    @rule(
        target=ceremonies,
        operation=OPERATIONS,
        many=st.integers(1, 3),
        opened=st.sampled_from([0, 1, 2]),
        data=st.data(),
    )
    def begin_for_later(self, operation: str, many: int, opened: int, data: st.DataObject) -> MultipleResults[Begun]:
        begun = [self._begin(self._asked(operation, opened, data)) for _ in range(many)]
        return multiple(*(each for each in begun if each is not None))

    @rule(begun=ceremonies, how=HOWS, by=SIGNERS)
    def complete(self, begun: Begun, how: str, by: str) -> None:
        self._complete(begun, how, by)

    @rule(begun=consumes(ceremonies), how=HOWS, by=SIGNERS)
    def complete_and_again_since_the_reply_is_lost(self, begun: Begun, how: str, by: str) -> None:
        self._complete(begun, how, by)
        self._complete(begun, how, by)

    @rule(target=ceremonies, operation=OPERATIONS, how=HOWS, by=SIGNERS, opened=st.sampled_from([0, 1]), data=st.data())
    def begin_and_complete(
        self, operation: str, how: str, by: str, opened: int, data: st.DataObject
    ) -> MultipleResults[Begun]:
        begun = self._begin(self._asked(operation, opened, data))
        if begun is None:
            return multiple()
        self._complete(begun, how, by)
        return multiple(begun)

    @rule(times=st.integers(1, 6), operation=st.sampled_from(["store", "reopen_aside"]))
    def fail_as_soon_as_possible(self, times: int, operation: str) -> None:
        for _ in range(times):
            life = self.model.aside if operation == "reopen_aside" else self.model.life
            if life is None or not life.passkeys:
                return
            self._step_to(max(self.model.now, life.closed_until))
            begun = self._begin(Asked(operation))
            if begun is not None:
                self._complete(begun, "wrong", min(life.passkeys))

    @precondition(lambda self: self.model.life.state != "live")
    @rule(by=st.sampled_from(PASSKEYS))
    def enroll(self, by: str) -> None:
        for operation in ("register", "store"):
            begun = self._begin(Asked(operation))
            if begun is not None:
                self._complete(begun, "right", by)

    @rule(operation=st.sampled_from(["reset"] * 3 + ["erase"] * 2 + ["cancel"]), nonce=st.sampled_from(NONCES))
    def order(self, operation: str, nonce: int) -> None:
        self._order(operation, nonce)

    def _order(self, operation: str, nonce: int) -> None:
        changes = len(self.account.events)
        expected = self.model.order(operation, nonce)
        try:
            decided = self.account.order(ORDERS[operation], nonce=nonce_of(nonce))
        except Refusal as refusal:
            told, decided = refusal.reason.value, None
        else:
            told = "again" if decided is None else decided.event.outcome.value
        assert told == expected
        assert decided is not None or len(self.account.events) == changes, "a refused order changed something"

    @precondition(lambda self: self.model.version > 0)
    @rule()
    def sweep(self) -> None:
        expected = self.model.sweep()
        assert (self.account.sweep() is not None) == expected

    @rule(seconds=st.sampled_from(STEPS_S))
    def step(self, seconds: int) -> None:
        self._step_to(self.model.now + seconds * 1_000)

    def _asked(self, operation: str, opened: int, data: st.DataObject) -> Asked:
        """`opened` 0: nothing; 1: the newest version; 2: one that is not there."""
        newest = self.model.life.unconfirmed or self.model.life.confirmed
        says = (0, newest, newest + 1)[opened]
        if operation in {"add", "remove", "lift"}:
            return Asked(operation, data.draw(st.sampled_from(PASSKEYS)), says)
        if operation == "set_recovery":
            return Asked(operation, data.draw(st.sampled_from(["R", "T"])), says)
        if operation == "set_policy":
            return Asked(operation, "", says, LIMITS[data.draw(st.sampled_from(sorted(LIMITS)))])
        return Asked(operation, "", says)

    def _begin(self, asked: Asked) -> Begun | None:
        expected = self.model.why_not(asked)
        try:
            statement = self.account.begin(parameters_of(asked), opened=asked.opened)
        except Refusal as refusal:
            told, statement = refusal.reason.value, None
        else:
            told = ""
        assert told == expected
        if statement is None:
            return None
        begun = self.model.begin(len(self.statements), asked)
        self.statements[begun.serial] = statement
        return begun

    def _complete(self, begun: Begun, how: str, by: str) -> None:
        if begun.asked.operation == "register" and by not in PASSKEYS:
            by = "P"
        checked, how = self._checked(begun, how, by)
        changes = len(self.account.events)
        expected = self.model.complete(begun, how, by)
        try:
            decided = self.account.complete(self.statements[begun.serial], checked, credential_id=CREDENTIALS[by])
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

    def _checked(self, begun: Begun, how: str, by: str) -> tuple[Checked, str]:
        """What checking would say of it: a recovery credential meets every policy, a quarantined passkey none."""
        if by not in PASSKEYS:
            return (WRONG, how) if how == "wrong" else (RecoveryVerified(), "right")
        if how == "right" and self.model.is_quarantined(begun.asked, by):
            return PolicyViolated(violation=PolicyViolation.QUARANTINED), "violation"
        return CHECKED[how], how

    def _step_to(self, now: int) -> None:
        self.model.now = now
        self.account.now = Millis(now)

    @invariant()
    def record_is_what_the_model_says(self) -> None:
        record, model = self.account.record, self.model
        if record is None:
            assert model.version == 0
            return
        assert record.version == model.version
        assert_life(record, model.life)
        assert (record.account_erase_at or 0) == model.erase_at
        assert (record.set_aside is None) == (model.aside is None)
        if record.set_aside is not None and model.aside is not None:
            assert_life(record.set_aside.record, model.aside)
            assert record.set_aside.erase_at == model.aside_until
            assert record.set_aside.record.set_aside is None
            assert record.set_aside.record.account_erase_at is None
            assert record.set_aside.record.grants == ()
        by_challenge: dict[bytes, object] = {
            statement.keeper_random: serial for serial, statement in self.statements.items()
        }
        by_challenge |= {nonce_of(each) + name.encode(): (name, each) for name in ORDERS for each in NONCES}
        names = {operation.value: name for name, operation in ORDERS.items()}
        answered = {
            by_challenge[grant.challenge[-32:] + names.get(grant.operation.value, "").encode()]: grant.expires_at
            for grant in record.grants
        }
        assert {key for key, end in answered.items() if model.now < end} == {
            key for key, each in model.answered.items() if model.now < each.ends_at
        }

    @invariant()
    def every_change_has_its_event_and_no_version_is_used_twice(self) -> None:
        assert [event.version for event in self.account.events] == list(range(1, self.model.version + 1))

    @invariant()
    def budget_is_never_exceeded_and_no_attempt_forgotten(self) -> None:
        check_history(self.account.events, most=max(limits.budget for limits in LIMITS.values()))

    @invariant()
    def tombstones_hold_nothing(self) -> None:
        record = self.account.record
        if record is not None and record.state not in {VaultState.INERT, VaultState.LIVE}:
            assert (record.credentials, record.archives, record.recovery_public_key) == ((), (), b"")
            assert all(grant.archive_versions == () for grant in record.grants)


def assert_life(record: Record, model: LifeModel) -> None:
    assert record.state.value == model.state
    held = [(archive.archive_version, archive.confirmed) for archive in record.archives]
    assert held == [each for each in ((model.unconfirmed, False), (model.confirmed, True)) if each[0]]
    assert record.ledger.failures == model.failures
    holds = record.state in {VaultState.INERT, VaultState.LIVE}
    assert not holds or record.mode is (Mode.VAULT_HELD if model.held else Mode.PRF)
    assert (record.ledger.release_day, record.ledger.releases) == (model.quota_day, model.quota_used)
    assert model.state == "exhausted" or record.ledger.cool_down_until == model.closed_until
    names = {credential_id: name for name, credential_id in CREDENTIALS.items()}
    assert {names[each.credential_id] for each in record.credentials} == model.passkeys
    assert {names[each.credential_id] for each in record.credentials if each.quarantined} == model.quarantined
    assert names.get(record.recovery_public_key, "") == model.recovery
    assert record.policy == policy_of(model.limits)


Records.TestCase.settings = settings(stateful_step_count=40)
test_records = Records.TestCase
