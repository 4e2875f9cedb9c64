"""Right signatures that break the policy: refused and evented, never counted; and counters that go back."""

from __future__ import annotations

import pytest

from strongroom.v1 import event_pb2
from strongroom_service.domain.policy import OnExhaustion, Policy
from tests.fakes.desk import Desk, refused_for
from tests.fakes.passkey import BACKUP_ELIGIBLE, BACKUP_STATE, USER_PRESENT, USER_VERIFIED, Forgery
from tests.fakes.person import Person, open_release
from tests.fakes.tenant import FakeTenant

VIOLATIONS = {
    "origin": Forgery(client_data={"origin": "https://evil.example"}),
    "cross_origin": Forgery(client_data={"crossOrigin": True}),
    "user_present_missing": Forgery(clear_flags=USER_PRESENT),
    "user_verification_missing": Forgery(clear_flags=USER_VERIFIED),
    "backup_flags": Forgery(set_flags=BACKUP_STATE),
    "backup_eligibility_changed": Forgery(set_flags=BACKUP_ELIGIBLE),
    "counter_regression": Forgery(sign_count=1),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violation_is_evented_by_its_name_and_not_counted(alice: Person, name: str) -> None:
    with refused_for("NOT_VERIFIED"):
        alice.release(forgery=VIOLATIONS[name])
    event = alice.desk.list_events("alice").events[0]
    assert (event.outcome, event.reason, event.failures) == (event_pb2.EVENT_OUTCOME_REFUSED, name, 0)
    assert event.version == 3
    assert alice.desk.describe("alice").attempts_left == 10


@pytest.mark.parametrize("name", [*VIOLATIONS, "signature"])
def test_caller_cannot_tell_why_it_was_not_verified(alice: Person, name: str) -> None:
    forgery = VIOLATIONS.get(name, Forgery(unsigned=True))
    verdict = alice.judge(alice.judge_call(alice.begin_release(), forgery=forgery))
    told = verdict.commit.refusal
    assert (told.reason, told.field, told.rule, told.HasField("retry_after_ms")) == ("NOT_VERIFIED", "", "", False)


def test_passkey_without_user_verification_releases_nothing(alice: Person) -> None:
    ceremony = alice.begin_release()
    verdict = alice.judge(alice.judge_call(ceremony, forgery=VIOLATIONS["user_verification_missing"]))
    alice.desk.store.commit(verdict.commit)
    with refused_for("BEGIN_AGAIN"):
        alice.fulfil(ceremony)


def test_wrong_relying_party_is_a_counted_failure(alice: Person) -> None:
    with refused_for("NOT_VERIFIED"):
        alice.release(forgery=Forgery(rp_id="evil.example"))
    assert alice.desk.describe("alice").attempts_left == 9


def test_counter_that_goes_back_quarantines_the_credential_for_good(alice: Person) -> None:
    alice.release()
    with refused_for("NOT_VERIFIED"):
        alice.release(forgery=Forgery(sign_count=1))
    assert [each.quarantined for each in alice.desk.describe("alice").credentials] == [True]
    with refused_for("NOT_VERIFIED"):
        alice.release()
    assert alice.desk.list_events("alice").events[0].reason == "quarantined"
    assert alice.desk.describe("alice").attempts_left == 10


def test_counter_that_stands_still_quarantines_too(alice: Person) -> None:
    alice.release()
    with refused_for("NOT_VERIFIED"):
        alice.release(forgery=Forgery(sign_count=alice.passkey.sign_count))
    assert alice.desk.describe("alice").credentials[0].quarantined


def test_quarantine_takes_back_what_the_credential_was_granted(alice: Person) -> None:
    ceremony = alice.begin_release()
    assert len(open_release(ceremony, alice.complete(ceremony))) == 1
    with refused_for("NOT_VERIFIED"):
        alice.release(forgery=Forgery(sign_count=1))
    with refused_for("BEGIN_AGAIN"):
        alice.fulfil(ceremony)


def test_malformed_assertion_is_refused_unjudged(alice: Person) -> None:
    ceremony = alice.begin_release()
    for forgery in (Forgery(client_data_json=b"{}"), Forgery(trailing=b"!"), Forgery(client_data={"origin": 7})):
        with refused_for("NOT_VERIFIED"):
            alice.complete(ceremony, forgery=forgery)
    assert alice.desk.row("alice") is not None
    assert len(open_release(ceremony, alice.complete(ceremony))) == 1


def test_attestation_that_breaks_a_rule_registers_nothing(desk: Desk) -> None:
    bob = Person(desk, "bob")
    ceremony = bob.begin_registration()
    for forgery in (VIOLATIONS["user_verification_missing"], VIOLATIONS["origin"], Forgery(rp_id="evil.example")):
        with refused_for("NOT_VERIFIED"):
            bob.complete(ceremony, forgery=forgery)
    assert desk.row("bob") is None
    bob.complete(ceremony)


def test_limits_come_from_the_enrollment_and_live_ones_from_the_tenant(desk: Desk) -> None:
    """Budget and quota stay as they were; origins follow the tenant's configuration at once."""
    strict = Policy(on_exhaustion=OnExhaustion.DESTROY, budget=2, releases_per_day=1)
    here = Desk(desk.fulfilments_path.parent, tenant=FakeTenant(policy=strict))
    alice = Person(here)
    alice.enroll()
    before = here.tenant
    here.tenant = FakeTenant(
        ec_key=before.ec_key,
        origins=frozenset({"https://moved.example"}),
        policy=Policy(on_exhaustion=OnExhaustion.DESTROY, budget=99, releases_per_day=999),
    )
    here.tenants = (here.tenant,)
    here.restart()
    shown = here.describe("alice")
    assert (shown.policy.budget, shown.policy.releases_per_day, shown.attempts_left) == (2, 1, 2)
    with refused_for("NOT_VERIFIED"):
        alice.release()
    assert here.list_events("alice").events[0].reason == "origin"


def test_quota_of_releases_is_refused_unjudged(tmp_path_factory: pytest.TempPathFactory) -> None:
    policy = Policy(on_exhaustion=OnExhaustion.DESTROY, releases_per_day=2)
    alice = Person(Desk(tmp_path_factory.mktemp("desk"), tenant=FakeTenant(policy=policy)))
    alice.enroll()
    alice.release()
    alice.release()
    with refused_for("RELEASE_QUOTA"):
        alice.begin_release()
    alice.desk.clock.advance(seconds=86_400)
    alice.release()
