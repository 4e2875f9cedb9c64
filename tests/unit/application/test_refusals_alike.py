"""Refusals that must not differ make the same calls to keeper, token and store, of the same sizes, and say the same.

Real rules, real keeper, real seals; the ports around them record. How long they take is for `make bench` to say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import vault_service_pb2 as pb
from strongroom_service.application.attempt import Attempts
from strongroom_service.application.keepers import Caller, Completion, Keeper
from strongroom_service.domain.errors import Reason, Refusal, StrongroomError, VersionConflict
from strongroom_service.front import codec
from strongroom_service.front.status import ErrorStatus, status_of
from tests.fakes.desk import Desk, refused_for
from tests.fakes.owner import Owner
from tests.fakes.passkey import BACKUP_STATE, HONEST, USER_PRESENT, USER_VERIFIED, Forgery
from tests.fakes.person import Ceremony
from tests.fakes.recording import Entry, RecordingKeeper, RecordingStore, RecordingToken


@dataclass
class Scene:
    """An account with two passkeys at a desk, and everything that its next completion asks of others."""

    owner: Owner
    journal: list[Entry]
    store: RecordingStore

    async def tell(self, call: frames_pb2.JudgeCall) -> tuple[ErrorStatus | None, list[Entry]]:
        """Complete as the front does, at a keeper that remembers nothing; return what is told, and what was asked."""
        self.owner.desk.restart()
        self.store.take_over(self.owner.desk)
        self.journal.clear()
        keeper = cast("Keeper", RecordingKeeper(self.owner.desk, self.journal))
        attempts = Attempts(keeper=keeper, store=self.store, note=lambda *_: None)
        caller = Caller(account_token=call.account_token, request_id="request")
        record_id = self.owner.desk.record_id("alice")
        try:
            await attempts.complete(caller, record_id=record_id, completion=completion_of(call))
        except StrongroomError as error:
            return status_of(error), list(self.journal)
        return None, list(self.journal)


def completion_of(call: frames_pb2.JudgeCall) -> Completion:
    """As the front reads the request of this completion."""
    if call.operation == frames_pb2.OPERATION_RELEASE:
        return codec.release_of(pb.ReleaseEnvelopeRequest(ceremony=call.ceremony, assertion=call.assertion))
    return codec.store_of(
        pb.StoreEnvelopeRequest(
            ceremony=call.ceremony,
            assertion=call.assertion,
            sealed_envelope=call.sealed_envelope,
            transport_key_id=call.transport_key_id,
        )
    )


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    journal: list[Entry] = []
    owner = Owner(Desk(tmp_path, token=RecordingToken(journal)))
    owner.enroll()
    owner.add()
    return Scene(owner, journal, RecordingStore(journal))


def release(owner: Owner) -> tuple[Ceremony, bytes]:
    return owner.begin_release(), b""


def store(owner: Owner) -> tuple[Ceremony, bytes]:
    return owner.begin_store(), b"another envelope"


OPERATIONS: dict[str, Callable[[Owner], tuple[Ceremony, bytes]]] = {"release": release, "store": store}

# Judged: a counted failure, and right signatures that break a rule, which are not counted.
JUDGED = {
    "wrong signature": Forgery(unsigned=True),
    "another origin": Forgery(client_data={"origin": "https://elsewhere.example"}),
    "cross-origin": Forgery(client_data={"crossOrigin": True}),
    "user not present": Forgery(clear_flags=USER_PRESENT),
    "user not verified": Forgery(clear_flags=USER_VERIFIED),
    "backed up, not eligible": Forgery(set_flags=BACKUP_STATE),
    "counter gone back": Forgery(sign_count=1),
    "another relying party": Forgery(rp_id="elsewhere.example"),
}


def judged_call(owner: Owner, operation: str, forgery: Forgery) -> frames_pb2.JudgeCall:
    ceremony, envelope = OPERATIONS[operation](owner)
    return owner.judge_call(ceremony, forgery=forgery, envelope=envelope)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("kind", [kind for kind in JUDGED if kind != "wrong signature"])
async def test_judged_refusals_make_the_same_calls_and_say_the_same(scene: Scene, operation: str, kind: str) -> None:
    wrong = await scene.tell(judged_call(scene.owner, operation, JUDGED["wrong signature"]))
    other = await scene.tell(judged_call(scene.owner, operation, JUDGED[kind]))
    assert other == wrong
    status, calls = wrong
    assert status == status_of(Refusal(Reason.NOT_VERIFIED))
    assert [name for name, *_ in calls if name != "token derives"] == ["store loads", "keeper judges", "store commits"]


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_another_user_handle_is_refused_as_a_wrong_signature_is(scene: Scene, operation: str) -> None:
    """No authenticator signs it, but it is compared after the signature, as all that is about policy."""
    wrong = await scene.tell(judged_call(scene.owner, operation, JUDGED["wrong signature"]))
    call = judged_call(scene.owner, operation, HONEST)
    call.assertion.webauthn.user_handle = bytes(32)
    assert await scene.tell(call) == wrong


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_quarantined_passkey_is_refused_as_a_wrong_signature_is(scene: Scene, operation: str) -> None:
    wrong = await scene.tell(judged_call(scene.owner, operation, JUDGED["wrong signature"]))
    with refused_for("NOT_VERIFIED"):
        scene.owner.release(forgery=JUDGED["counter gone back"])
    assert await scene.tell(judged_call(scene.owner, operation, HONEST)) == wrong


async def test_last_attempt_is_refused_as_the_first_is(scene: Scene) -> None:
    """That it was the last is for GetVault to say, to who holds the account's token."""
    first = await scene.tell(judged_call(scene.owner, "release", JUDGED["wrong signature"]))
    scene.owner.fails(9)
    scene.owner.wait_for_cool_down()
    last = await scene.tell(judged_call(scene.owner, "release", JUDGED["wrong signature"]))
    assert sizeless(last) == sizeless(first)


def sizeless(told: tuple[ErrorStatus | None, list[Entry]]) -> tuple[ErrorStatus | None, list[Entry]]:
    """Without the sizes of what is committed: of an erased vault the record is smaller, as anybody may see."""
    return told[0], [entry[:1] if entry[0] == "store commits" else entry for entry in told[1]]


def with_unknown_passkey(call: frames_pb2.JudgeCall) -> None:
    call.assertion.webauthn.credential_id = bytes(32)


def with_unknown_recovery(call: frames_pb2.JudgeCall) -> None:
    call.assertion.recovery.public_key = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    call.assertion.recovery.signature = bytes(64)


def with_malformed_data(call: frames_pb2.JudgeCall) -> None:
    call.assertion.webauthn.authenticator_data = b"short"


def with_malformed_client_data(call: frames_pb2.JudgeCall) -> None:
    call.assertion.webauthn.client_data_json = b"{"


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_unjudged_refusals_make_the_same_calls_and_say_the_same(scene: Scene, operation: str) -> None:
    """Nothing is committed: that is the difference to a judged one, which the account's version shows anyway."""
    told = []
    for spoil in (
        with_unknown_passkey,
        with_unknown_recovery,
        with_malformed_data,
        with_malformed_client_data,
    ):
        call = judged_call(scene.owner, operation, HONEST)
        spoil(call)
        told.append(await scene.tell(call))
    assert told == [told[0]] * len(told)
    status, calls = told[0]
    assert status == status_of(Refusal(Reason.NOT_VERIFIED))
    assert [name for name, *_ in calls if name != "token derives"] == ["store loads", "keeper judges"]


class LosingStore(RecordingStore):
    """Another change is always committed first."""

    async def commit(self, change: object) -> None:
        self._journal.append(("store commits",))
        raise VersionConflict


async def test_lost_race_is_the_same_for_a_right_and_a_wrong_assertion(scene: Scene) -> None:
    scene.store = LosingStore(scene.journal)
    right = await scene.tell(judged_call(scene.owner, "release", HONEST))
    wrong = await scene.tell(judged_call(scene.owner, "release", JUDGED["wrong signature"]))
    assert right == wrong
    assert right[0] == status_of(Refusal(Reason.BEGIN_AGAIN))


async def test_ceremonies_that_are_not_ours_are_refused_alike_whoever_signed(scene: Scene) -> None:
    """Before anything of the record is looked at but whose it is."""
    told = []
    for forgery in (HONEST, JUDGED["wrong signature"], JUDGED["another origin"]):
        call = judged_call(scene.owner, "release", forgery)
        call.ceremony = call.ceremony[:-1] + bytes([call.ceremony[-1] ^ 1])
        told.append(await scene.tell(call))
    assert told == [told[0]] * len(told)
    assert told[0][0] == status_of(Refusal(Reason.CEREMONY_REJECTED))


@pytest.mark.parametrize(("operation", "asks"), [("release", "token unwraps"), ("store", "token wraps")])
async def test_good_assertion_asks_the_token_for_more(scene: Scene, operation: str, asks: str) -> None:
    """Control: what is recorded would show a difference."""
    told, calls = await scene.tell(judged_call(scene.owner, operation, HONEST))
    assert told is None
    names = [name for name, *_ in calls]
    assert asks in names
    assert names[-1] == "token signs"
    assert "keeper fulfils" in names
