"""An export is checked by a program that has nothing of ours, in an environment where nothing of ours is."""

from __future__ import annotations

import ast
import base64
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom.v1 import event_pb2
from strongroom_service.domain.fields import hash_fields
from tests.fakes.desk import Desk, refused_for
from tests.fakes.passkey import EDDSA, RS256, Forgery, SoftwarePasskey
from tests.fakes.person import Person
from tests.fakes.tenant import ORIGIN, RP_ID
from tests.oracles.exports import CHECKER, Lines, change_content, check, export_of, named, place


@pytest.fixture
async def exported(tmp_path: Path) -> Lines:
    """Alice: every kind of signature, a failure, a second life. Bob and carol: other algorithms, six events each."""
    desk = Desk(tmp_path)
    alice = Person(desk)
    alice.enroll()
    alice.release(opened=2)
    with refused_for("NOT_VERIFIED"):
        alice.release(forgery=Forgery(unsigned=True))
    with refused_for("NOT_VERIFIED"):
        alice.release(forgery=Forgery(client_data={"origin": "https://elsewhere.example"}))
    ceremony = alice.begin_release()
    alice.complete_call(ceremony, alice.recovery_call(ceremony))
    alice.complete(alice.begin_delete())
    alice.enroll()
    for account, algorithm in (("bob", EDDSA), ("carol", RS256)):
        passkey = SoftwarePasskey(rp_id=RP_ID, origin=ORIGIN, algorithm=algorithm)
        person = Person(desk, account, passkey=passkey)
        person.enroll()
        for _ in range(4):
            person.release()
    return await export_of(desk)


def test_checker_imports_nothing_of_ours() -> None:
    tree = ast.parse(CHECKER.read_text(encoding="utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {*sys.stdlib_module_names, "cryptography"}


def test_every_signature_of_an_honest_export_holds(exported: Lines, oracle_python: Path, tmp_path: Path) -> None:
    code, said = check(tmp_path, exported, python=oracle_python)
    assert (code, said) == (0, ["3 records, 21 events, 21 signatures, 0 findings."])


def test_pin_tells_whose_signature_is_at_the_end(exported: Lines, tmp_path: Path) -> None:
    code, said = check(tmp_path, exported, "--pin", "00" * 32)
    assert (code, said[0]) == (1, "altered: the end is signed by an identity key that is not the one given")


def exchanged(lines: Lines, one: int, other: int) -> None:
    lines[one], lines[other] = lines[other], lines[one]


def without_ceremony(lines: Lines, at: int) -> None:
    event = event_pb2.Event.FromString(base64.b64decode(lines[at]["content"]))
    event.ClearField("ceremony")
    lines[at]["content"] = base64.b64encode(event.SerializeToString(deterministic=True)).decode()


def with_sealed_byte(lines: Lines, at: int) -> None:
    sealed = bytearray(base64.b64decode(lines[at]["sealed"]))
    sealed[-1] ^= 1
    lines[at]["sealed"] = base64.b64encode(sealed).decode()


def with_other_signature(lines: Lines, at: int) -> None:
    event = event_pb2.Event.FromString(base64.b64decode(lines[at]["content"]))
    event.assertion.webauthn.authenticator_data += b"\0"
    lines[at]["content"] = base64.b64encode(event.SerializeToString(deterministic=True)).decode()


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        pytest.param(lambda each: each.pop(place(each, "bob", 3)), ["removed 3"], id="removed"),
        pytest.param(lambda each: each.pop(place(each, "bob", 6)), ["cut 6"], id="cut"),
        pytest.param(
            lambda each: exchanged(each, place(each, "bob", 3), place(each, "bob", 4)), ["reordered 3"], id="reordered"
        ),
        pytest.param(
            lambda each: exchanged(each, place(each, "bob", 3), place(each, "carol", 5)),
            ["swapped 5", "swapped 3"],
            id="swapped between records",
        ),
        pytest.param(
            lambda each: each.insert(place(each, "bob", 4), dict(each[place(each, "bob", 3)])),
            ["inserted 3"],
            id="inserted twice",
        ),
        pytest.param(
            lambda each: each.insert(place(each, "bob", 7), {**each[place(each, "bob", 6)], "event": 7}),
            ["inserted 7"],
            id="inserted at the end",
        ),
        pytest.param(lambda each: with_sealed_byte(each, place(each, "bob", 3)), ["altered 3"], id="altered seal"),
        pytest.param(lambda each: with_sealed_byte(each, place(each, "bob", 6)), ["altered 6"], id="altered last seal"),
        pytest.param(
            lambda each: with_other_signature(each, place(each, "bob", 3)), ["altered 3"], id="altered assertion"
        ),
        pytest.param(
            lambda each: change_content(each, place(each, "bob", 3), failures=7), ["altered 3"], id="vault's own word"
        ),
        pytest.param(
            lambda each: change_content(each, place(each, "alice", 4), outcome=event_pb2.EVENT_OUTCOME_GRANTED),
            ["altered 4"],
            id="failure told as granted",
        ),
        pytest.param(
            lambda each: change_content(each, place(each, "bob", 3), outcome=event_pb2.EVENT_OUTCOME_FAILED),
            ["altered 3"],
            id="success told as failure",
        ),
        pytest.param(lambda each: without_ceremony(each, place(each, "bob", 3)), ["altered 3"], id="no ceremony"),
    ],
)
def test_what_was_done_to_an_export_is_named(
    exported: Lines, tmp_path: Path, spoil: Callable[[Lines], object], expected: list[str]
) -> None:
    spoil(exported)
    code, said = check(tmp_path, exported)
    assert (code, sorted(named(said))) == (1, sorted(expected)), said


def test_good_signature_by_a_passkey_that_was_never_registered_is_named(exported: Lines, tmp_path: Path) -> None:
    """Over the right challenge, with its own key beside it: only the history says that it is nobody's here."""
    at = place(exported, "bob", 3)
    event = event_pb2.Event.FromString(base64.b64decode(exported[at]["content"]))
    stranger = SoftwarePasskey(rp_id=RP_ID, origin=ORIGIN)
    made = stranger.make_assertion(hash_fields("strongroom/v1/challenge", event.ceremony))
    event.assertion.webauthn.credential_id = made.credential_id
    event.assertion.webauthn.authenticator_data = made.authenticator_data
    event.assertion.webauthn.client_data_json = made.client_data_json
    event.assertion.webauthn.signature = made.signature
    event.cose_key = stranger.cose_key
    exported[at]["content"] = base64.b64encode(event.SerializeToString(deterministic=True)).decode()
    code, said = check(tmp_path, exported)
    assert (code, len(said)) == (1, 2)
    assert said[0].endswith(" version 3: it is signed by a credential that was never registered with this key")


def test_signatures_hang_on_the_registration_that_brought_their_key(exported: Lines, tmp_path: Path) -> None:
    del exported[place(exported, "bob", 1)]
    code, said = check(tmp_path, exported)
    assert (code, named(said)[0]) == (1, "removed 1")
    assert [line.split(": ")[-1] for line in said[1:-1]] == [
        "it is signed by a credential that was never registered with this key"
    ] * 5


def test_export_without_its_end_was_cut(exported: Lines, tmp_path: Path) -> None:
    for lines in (exported[:-1], exported[: place(exported, "bob", 3)]):
        code, said = check(tmp_path, lines)
        assert code == 1
        assert "cut: the export has no end" in said


def test_end_of_another_export_does_not_fit(exported: Lines, tmp_path: Path) -> None:
    exported[-1]["end"]["made_at"] += 1
    code, said = check(tmp_path, exported)
    assert (code, said[0]) == (1, "altered: the keeper's signature at the end is not over these lines")


def test_whole_record_that_is_missing_spoils_the_end(exported: Lines, tmp_path: Path) -> None:
    start = place(exported, "bob", 0)
    del exported[start : start + 7]
    code, said = check(tmp_path, exported)
    assert code == 1
    assert len(said) == 2
