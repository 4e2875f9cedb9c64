from __future__ import annotations

from pathlib import Path

import pytest

from strongroom_service.domain.policy import OnExhaustion, Policy
from tests.fakes.desk import Desk
from tests.fakes.person import Person
from tests.fakes.tenant import FakeTenant


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def impatient_desk(tmp_path: Path) -> Desk:
    """A desk of a tenant without cool-downs, so that a budget can be used up at once."""
    policy = Policy(on_exhaustion=OnExhaustion.DESTROY, cool_down_seconds=())
    return Desk(tmp_path, tenant=FakeTenant(policy=policy))


@pytest.fixture
def alice(desk: Desk) -> Person:
    """Enrolled: a passkey, and an unconfirmed archive version 2."""
    person = Person(desk)
    person.enroll(b"alice's envelope")
    return person
