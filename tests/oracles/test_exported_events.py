"""An export is checked by a program that has nothing of ours, in an environment where nothing of ours is."""

from __future__ import annotations

import ast
import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.v1 import event_pb2
from strongroom_service.application.export_histories import export_histories
from strongroom_service.domain.fields import hash_fields
from strongroom_service.link.operator_keeper import OperatorKeeper
from tests.fakes.desk import Desk, refused_for
from tests.fakes.operator_desk import DeskConnection, OperatorDesk, store_of
from tests.fakes.owner import SET_ASIDE, Owner, enrolled, make_passkey
from tests.fakes.passkey import EDDSA, RS256, Forgery, SoftwarePasskey
from tests.fakes.person import Person
from tests.fakes.tenancy import CANCEL, ERASE, Tenancy
from tests.fakes.tenant import ORIGIN, RP_ID

CHECKER = Path(__file__).parents[2] / "deploy" / "evidence" / "check_export.py"

Lines = list[dict[str, Any]]


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


async def export_of(desk: Desk) -> Lines:
    lines: list[str] = []
    keeper = OperatorKeeper(DeskConnection(OperatorDesk(desk)))
    await export_histories(store_of(desk), keeper=keeper, write=lines.append)
    return [json.loads(line) for line in lines]


@pytest.fixture
async def eventful(tmp_path: Path) -> Lines:
    """One account through every operation: who may sign changes nearly each time."""
    owner = enrolled(Desk(tmp_path))  # 2 events
    first = owner.passkey
    owner.passkey = owner.add()  # 3: signed by the first, from now on the second signs
    owner.complete(owner.begin_removal(first), envelope=b"without")  # 4
    recovery = Ed25519PrivateKey.generate()
    public_key = recovery.public_key().public_bytes_raw()
    owner.complete(owner.begin_recovery(public_key), envelope=b"recoverable")  # 5
    ceremony = owner.begin_release()
    owner.complete_call(ceremony, owner.recovery_call(ceremony, seed=recovery))  # 6
    owner.fails(1)  # 7
    owner.complete(owner.begin_policy(owner.shown().policy))  # 8
    owner.reset()  # 9: nobody signs
    thief = Owner(owner.desk, passkey=make_passkey())
    thief.enroll(b"the thief's")  # 10, 11
    owner.complete(owner.begin_reopening(SET_ASIDE))  # 12: signed by who was set aside
    owner.release()  # 13
    tenancy = Tenancy(owner.desk)
    tenancy.order(ERASE)  # 14
    tenancy.order(CANCEL)  # 15
    owner.reset()  # 16
    owner.desk.clock.advance(seconds=31 * 86_400)
    assert owner.sweep()  # 17
    owner.passkey = make_passkey()
    owner.enroll(b"another life")  # 18, 19
    return await export_of(owner.desk)


def check(folder: Path, lines: Lines, *options: str, python: Path = Path(sys.executable)) -> tuple[int, list[str]]:
    path = folder / "export.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    done = subprocess.run([python, "-I", CHECKER, path, *options], check=False, capture_output=True, text=True)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def named(said: list[str]) -> list[str]:
    """The findings as "name account's version"."""
    return [f"{line.split(':')[0]} {line.split(' version ')[1].split(':')[0]}" for line in said[:-1]]


def place(lines: Lines, account: str, version: int) -> int:
    """Where the account's event of this version stands."""
    record = next(number for number, line in enumerate(lines) if line.get("account") == account)
    return record + version


def change_content(lines: Lines, at: int, **changes: object) -> None:
    event = event_pb2.Event.FromString(base64.b64decode(lines[at]["content"]))
    for name, value in changes.items():
        setattr(event, name, value)
    lines[at]["content"] = base64.b64encode(event.SerializeToString(deterministic=True)).decode()


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


def test_every_operation_is_followed(eventful: Lines, oracle_python: Path, tmp_path: Path) -> None:
    code, said = check(tmp_path, eventful, python=oracle_python)
    assert (code, said) == (0, ["1 records, 19 events, 14 signatures, 0 findings."])


@pytest.mark.parametrize("version", [3, 4, 5, 9, 12, 17])
def test_what_changes_who_may_sign_is_missed(eventful: Lines, tmp_path: Path, version: int) -> None:
    del eventful[place(eventful, "alice", version)]
    code, said = check(tmp_path, eventful)
    assert (code, named(said)[0]) == (1, f"removed {version}")


@pytest.mark.parametrize("version", [9, 14, 15, 16, 17])
def test_event_that_nobody_signed_is_under_the_keepers_signature(eventful: Lines, tmp_path: Path, version: int) -> None:
    change_content(eventful, place(eventful, "alice", version), failures=3)
    code, said = check(tmp_path, eventful)
    assert (code, named(said)) == (1, [f"altered {version}"])


@pytest.mark.parametrize("version", [3, 4, 12])
def test_signed_event_that_is_told_as_nobodys_is_found(eventful: Lines, tmp_path: Path, version: int) -> None:
    change_content(eventful, place(eventful, "alice", version), kind=event_pb2.EVENT_KIND_ERASE_ACCOUNT)
    code, said = check(tmp_path, eventful)
    assert (code, f"altered {version}" in named(said)) == (1, True)


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
