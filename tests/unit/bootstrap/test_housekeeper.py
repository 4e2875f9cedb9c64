from __future__ import annotations

import pytest

from strongroom_service.application.evidence import VaultStanding
from strongroom_service.bootstrap.housekeeper import is_due
from strongroom_service.domain.clock import Millis

HOUR = 3_600_000


@pytest.mark.parametrize(
    ("serial", "age", "due"),
    [(0, 0, True), (1, 0, False), (1, 24 * HOUR - 1, False), (1, 24 * HOUR, True), (1, 90 * HOUR, True), (1, -1, True)],
)
def test_checkpoint_is_due_when_the_last_is_old_or_of_the_future(serial: int, age: int, *, due: bool) -> None:
    now = Millis(1_800_000_000_000)
    standing = VaultStanding(serial=serial, digest=bytes(32), made_at=Millis(now - age), now=now, horizon=Millis(0))
    assert is_due(standing, every_hours=24.0) is due
