"""Rules of the checklist that take more than one spoilt ceremony to show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import ceremony_pb2, event_pb2, resources_pb2, vault_service_pb2
from strongroom_service.domain.fields import hash_fields
from strongroom_service.keeper.token.port import Wrapped
from tests.fakes.desk import Desk, refused_for
from tests.fakes.passkey import BACKUP_ELIGIBLE, BACKUP_STATE, Forgery, SoftwarePasskey
from tests.fakes.person import Ceremony, Person, open_release, refuses
from tests.fakes.token import FakeToken
from tests.unit.keeper.checklist.changes import ENVELOPE, begin_addition, begin_removal_of, change_call

FILES = (frames_pb2, ceremony_pb2, event_pb2, resources_pb2, vault_service_pb2)


def fields(message: Descriptor) -> Iterator[str]:
    """Names of a message's fields, and of those of the messages declared in it."""
    for field in message.fields:
        yield field.name
    for nested in message.nested_types:
        yield from fields(nested)


def test_no_message_has_a_place_for_extension_results() -> None:
    """A client that fills in all fields from `toJSON()` must not hand its PRF secret over by accident."""
    names = {
        name for file in FILES for message in file.DESCRIPTOR.message_types_by_name.values() for name in fields(message)
    }
    assert {"client_data_json", "authenticator_data", "signature"} <= names
    assert {name for name in names if "extension" in name or "prf" in name or "results" in name} == set()


def test_id_of_anothers_credential_opens_nothing_of_theirs(desk: Desk, alice: Person) -> None:
    mallory = Person(desk, "mallory")
    mallory.passkey.credential_id = alice.passkey.credential_id
    mallory.enroll(b"mallory's")
    assert [each.envelope for each in mallory.release()] == [b"mallory's"]
    ceremony = alice.begin_release()
    call = alice.judge_call(ceremony)
    call.assertion.CopyFrom(mallory.judge_call(ceremony).assertion)
    with refused_for("NOT_VERIFIED"):
        alice.complete_call(ceremony, call)
    assert desk.list_events("alice").events[0].reason == "wrong_signature: signature"
    assert [each.envelope for each in alice.release()] == [b"alice's envelope"]


SPOILT = {
    "origin": Forgery(sign_count=1_000, client_data={"origin": "https://evil.example"}),
    "signature": Forgery(sign_count=1_000, unsigned=True),
    "backup state": Forgery(sign_count=1_000, set_flags=BACKUP_ELIGIBLE | BACKUP_STATE),
    "malformed": Forgery(sign_count=1_000, trailing=b"\0"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_refused_assertion_leaves_counter_and_backup_state_as_they_were(alice: Person, name: str) -> None:
    """A counter taken from a refused assertion would put the honest passkey, which is below it, in quarantine."""
    with refused_for("NOT_VERIFIED"):
        alice.release(forgery=SPOILT[name])
    assert len(alice.release()) == 1
    [credential] = alice.desk.describe("alice").credentials
    assert (credential.quarantined, credential.backup_state) == (False, False)
    with refused_for("NOT_VERIFIED"):  # the control: what was accepted is remembered
        alice.release(forgery=Forgery(sign_count=alice.passkey.sign_count))
    assert alice.desk.describe("alice").credentials[0].quarantined


def test_removed_passkey_opens_nothing_more_not_even_what_it_was_granted(alice: Person) -> None:
    addition = begin_addition(alice)
    alice.complete_call(addition, change_call(alice, addition))
    thief = Person(alice.desk, passkey=addition.newcomer)
    granted = thief.begin_release()
    assert len(open_release(granted, thief.complete(granted))) == 1
    begun = thief.begin_release()
    removal = begin_removal_of(alice, thief.passkey.credential_id)
    alice.complete_call(removal, change_call(alice, removal))
    for ceremony in (granted, begun):
        refuses("BEGIN_AGAIN", thief, ceremony, thief.judge_call(ceremony))
    with refused_for("BEGIN_AGAIN"):
        thief.fulfil(granted)
    with refused_for("NOT_VERIFIED"):
        thief.release()
    assert alice.desk.log.lines[-1][1]["why"] == "unknown credential"
    assert [each.envelope for each in alice.release()] == [ENVELOPE]


class CountingToken(FakeToken):
    """Counts what is done to envelopes."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def wrap(self, *, epoch: int, plaintext: bytes, aad: bytes) -> Wrapped:
        self.calls.append("wrap")
        return super().wrap(epoch=epoch, plaintext=plaintext, aad=aad)

    def unwrap(self, *, epoch: int, wrapped: Wrapped, aad: bytes) -> bytes:
        self.calls.append("unwrap")
        return super().unwrap(epoch=epoch, wrapped=wrapped, aad=aad)


REFUSED = (Forgery(unsigned=True), Forgery(client_data={"origin": "https://evil.example"}), Forgery(trailing=b"\0"))


def test_token_wraps_and_unwraps_nothing_for_an_assertion_that_is_refused(tmp_path: Path) -> None:
    token = CountingToken()
    alice = Person(Desk(tmp_path, token=token))
    alice.enroll()
    token.calls.clear()
    for forgery in REFUSED:
        with refused_for("NOT_VERIFIED"):
            alice.complete(alice.begin_store(), forgery=forgery, envelope=b"another")
        with refused_for("NOT_VERIFIED"):
            alice.release(forgery=forgery)
    assert token.calls == []
    ceremony = alice.begin_release()  # the control, and the order: judged, committed, and only then unwrapped
    verdict = alice.judge(alice.judge_call(ceremony))
    alice.desk.store.commit(verdict.commit)
    assert token.calls == []
    alice.fulfil(ceremony)
    assert token.calls == ["unwrap"]


def test_challenge_is_the_hash_of_the_whole_ceremony(alice: Person) -> None:
    """What a passkey signs binds every byte that the keeper made, tag included: a bare digest could be replayed."""
    ceremony = alice.begin_release()
    for cut in (ceremony.ceremony[:-32], ceremony.ceremony[:-1]):
        short = Ceremony(cut, ceremony.operation, recipient=ceremony.recipient)
        call = alice.judge_call(short)
        call.ceremony = ceremony.ceremony
        assert short.challenge != ceremony.challenge == hash_fields("strongroom/v1/challenge", ceremony.ceremony)
        with refused_for("NOT_VERIFIED"):
            alice.complete_call(ceremony, call)
        ceremony = alice.begin_release()


def test_passkey_of_another_device_cannot_stand_in_under_the_same_id(alice: Person) -> None:
    """Whoever learns an id has nothing: the key in the record verifies."""
    ceremony = alice.begin_release()
    twin = SoftwarePasskey(
        rp_id=alice.passkey.rp_id, origin=alice.passkey.origin, user_handle=alice.passkey.user_handle
    )
    twin.credential_id = alice.passkey.credential_id
    call = alice.judge_call(ceremony)
    made = twin.make_assertion(ceremony.challenge, Forgery(sign_count=50))
    call.assertion.webauthn.authenticator_data = made.authenticator_data
    call.assertion.webauthn.signature = made.signature
    refuses("NOT_VERIFIED", alice, ceremony, call)
    assert alice.desk.describe("alice").attempts_left == 9
