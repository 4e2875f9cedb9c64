"""Controls: the machine of records notices an account that breaks a rule behind its back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from strongroom_service.domain.clock import Millis
from strongroom_service.domain.records import Record, VaultState
from tests.fakes.record_model import Begun
from tests.properties.test_record_machine import Records

# As many as it takes, since a control that is found by luck would fail by bad luck: examples follow the constants of
# all modules that happen to be loaded, and so are others where other tests ran before.
CONTROL = settings(
    derandomize=True,
    max_examples=20_000,
    stateful_step_count=40,
    print_blob=False,
    database=None,
    phases=[Phase.generate],
)


class Spoilt(Records):
    """Spoils the record after each completion and order."""

    def _complete(self, begun: Begun, how: str, by: str) -> None:
        before = self.account.record
        super()._complete(begun, how, by)
        self._spoil(before)

    def _order(self, operation: str, nonce: int) -> None:
        before = self.account.record
        super()._order(operation, nonce)
        self._spoil(before)

    def _spoil(self, before: Record | None) -> None:
        if before is not None and self.account.record is not None:
            self.account.record = self.spoilt(before, self.account.record)

    def spoilt(self, before: Record, after: Record) -> Record:
        """The record as it is put in place of `after`."""
        raise NotImplementedError


class ForgetfulRecords(Spoilt):
    """Forgets the first failure, as after a row put back."""

    def spoilt(self, before: Record, after: Record) -> Record:
        return replace(after, ledger=replace(after.ledger, failures=0)) if after.ledger.failures == 1 else after


class HoardingRecords(Spoilt):
    """Its tombstones keep what they held."""

    def spoilt(self, before: Record, after: Record) -> Record:
        return replace(after, archives=before.archives) if after.state is VaultState.EXHAUSTED else after


class RefillingRecords(Spoilt):
    """A reset gives what it sets aside all its attempts again."""

    def spoilt(self, before: Record, after: Record) -> Record:
        if before.set_aside is not None or after.set_aside is None:
            return after
        kept = after.set_aside.record
        return replace(
            after, set_aside=replace(after.set_aside, record=replace(kept, ledger=replace(kept.ledger, failures=0)))
        )


class HurriedRecords(Spoilt):
    """The grace of what is set aside goes on while it cools down."""

    def spoilt(self, before: Record, after: Record) -> Record:
        if before.set_aside is None or after.set_aside is None:
            return after
        return replace(after, set_aside=replace(after.set_aside, erase_at=before.set_aside.erase_at))


class OpenRecords(Spoilt):
    """A vault that locks is closed for a day."""

    def spoilt(self, before: Record, after: Record) -> Record:
        left = after.ledger.cool_down_until - self.account.now
        soon = Millis(self.account.now + min(left, 86_400_000))
        return replace(after, ledger=replace(after.ledger, cool_down_until=soon)) if left > 0 else after


class LoyalRecords(Spoilt):
    """A removed passkey keeps what it was granted."""

    def spoilt(self, before: Record, after: Record) -> Record:
        left = {each.credential_id for each in before.credentials} - {each.credential_id for each in after.credentials}
        kept = tuple(each for each in before.grants if each.credential_id in left and after.archives)
        return replace(after, grants=(*kept, *after.grants))


class MercifulRecords(Spoilt):
    """The erasure of the account is taken back by a reset."""

    def spoilt(self, before: Record, after: Record) -> Record:
        return replace(after, account_erase_at=None) if after.set_aside is not before.set_aside else after


class BlindRecords(Spoilt):
    """A registration drops what a reset has set aside."""

    def spoilt(self, before: Record, after: Record) -> Record:
        return replace(after, set_aside=None) if after.state is VaultState.INERT else after


@pytest.mark.parametrize(
    "defective",
    [
        ForgetfulRecords,
        HoardingRecords,
        RefillingRecords,
        HurriedRecords,
        OpenRecords,
        LoyalRecords,
        MercifulRecords,
        BlindRecords,
    ],
)
def test_machine_catches_a_planted_defect(defective: type[Records]) -> None:
    with pytest.raises(AssertionError):
        run_state_machine_as_test(defective, settings=CONTROL)
