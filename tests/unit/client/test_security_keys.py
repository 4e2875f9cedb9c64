"""Security keys through the library that real ones are used by, as far as a virtual one goes: down to its packets."""

from __future__ import annotations

import getpass
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from fido2.client import ClientError, UserInteraction
from fido2.ctap import CtapError
from fido2.ctap2.pin import ClientPin
from fido2.hid import CtapHidDevice

from strongroom_client.authenticators.ctap import CtapAuthenticator
from strongroom_client.authenticators.ctap_errors import WrongPin, translated
from strongroom_client.authenticators.ctap_selection import touched_of
from strongroom_client.authenticators.port import Assertion, Attestation, AuthenticatorError, NoMatchingCredential
from tests.fakes.device import Device
from tests.fakes.security_key import TRIES, Cable, PinDevice, plugged_in

ORIGIN = "https://vault.example"


class Person(UserInteraction):
    """Types one PIN after the other, and counts what they are asked."""

    def __init__(self, *pins: str) -> None:
        self.pins = list(pins)
        self.asked_to_touch = 0

    def prompt_up(self) -> None:
        self.asked_to_touch += 1

    def request_pin(self, permissions: ClientPin.PERMISSION, rp_id: str | None) -> str | None:
        assert rp_id == "vault.example"
        return self.pins.pop(0) if self.pins else None


@pytest.fixture
def key(tmp_path: Path) -> PinDevice:
    return PinDevice(tmp_path / "key.json", pin="1234")


def held(cable: Cable, person: Person, wrong: Callable[[int], None] = lambda _: None) -> CtapAuthenticator:
    return CtapAuthenticator(device=plugged_in(cable), user_interaction=person, wrong_pin=wrong)


def create(authenticator: CtapAuthenticator) -> Attestation:
    return authenticator.make_credential(
        rp_id="vault.example",
        origin=ORIGIN,
        challenge=b"c" * 32,
        user_handle=b"u" * 32,
        user_name="alice",
        algorithms=[-8, -7],
        exclude=[b"e" * 64] * 20,  # so that a message is of many packets, and of several lists
        prf_input=b"p" * 32,
    )


def sign(authenticator: CtapAuthenticator, *allow: bytes) -> Assertion:
    return authenticator.get_assertion(
        rp_id="vault.example", origin=ORIGIN, challenge=b"d" * 32, allow=allow, prf_input=b"p" * 32
    )


def test_key_with_a_pin_creates_and_signs_with_prf(key: PinDevice) -> None:
    cable, person = Cable(key), Person("1234", "1234", "1234")
    authenticator = held(cable, person)
    created = create(authenticator)
    signed = sign(authenticator, b"x" * 32, created.credential_id)
    again = sign(authenticator, created.credential_id)
    assert created.transports == ("usb",)
    assert signed.authenticator_data[32] & 0x05 == 0x05, "user present and verified"
    assert signed.prf_output is not None
    assert signed.prf_output == again.prf_output
    assert person.pins == []


def test_touch_is_asked_for_while_the_key_waits(key: PinDevice) -> None:
    cable, person = Cable(key, touched=False), Person("1234")
    touching = threading.Timer(0.1, cable.finger.set)
    touching.start()
    create(held(cable, person))
    touching.join()
    assert person.asked_to_touch == 1
    assert cable.blinked > 1


def test_wrong_pin_is_asked_for_again_with_the_tries_that_are_left(key: PinDevice) -> None:
    told: list[int] = []
    created = create(held(Cable(key), Person("0000", "1111", "1234"), told.append))
    assert created.credential_id
    assert told == [TRIES - 1, TRIES - 2]


def test_third_wrong_pin_in_a_row_ends_it_as_the_key_says(key: PinDevice) -> None:
    person = Person("0", "1", "2", "1234")
    with pytest.raises(AuthenticatorError, match="plug it in again"):
        create(held(Cable(key), person))
    assert person.pins == ["1234"]
    assert key.tries == TRIES - 3


def test_last_tries_are_not_spent(key: PinDevice) -> None:
    key.tries = 4
    person = Person("0000", "1234")
    with pytest.raises(WrongPin) as refused:
        create(held(Cable(key), person))
    assert refused.value.left == 3
    assert person.pins == ["1234"]


def test_blocked_key_says_so(key: PinDevice) -> None:
    key.tries = 0
    with pytest.raises(AuthenticatorError, match="which erases it"):
        create(held(Cable(key), Person("1234")))


def test_no_pin_given_is_a_refusal(key: PinDevice) -> None:
    with pytest.raises(AuthenticatorError):
        create(held(Cable(key), Person()))


def test_key_without_a_pin_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(AuthenticatorError, match="no PIN yet"):
        create(held(Cable(PinDevice(tmp_path / "key", pin=None)), Person("1234")))


def test_key_of_somebody_else_is_told_apart(key: PinDevice, tmp_path: Path) -> None:
    created = create(held(Cable(key), Person("1234")))
    other = PinDevice(tmp_path / "other", pin="1234")
    with pytest.raises(NoMatchingCredential):
        sign(held(Cable(other), Person("1234")), created.credential_id)


def test_key_that_is_taken_out_is_told(key: PinDevice) -> None:
    cable = Cable(key, touched=False)
    pulling = threading.Timer(0.1, setattr, (cable, "taken_out", True))
    authenticator = held(cable, Person("1234"))
    pulling.start()
    with pytest.raises(AuthenticatorError, match="taken out"):
        create(authenticator)
    pulling.join()


def test_cable_that_lies_is_told(key: PinDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    cable = Cable(key)
    authenticator = held(cable, Person("1234"))
    monkeypatch.setattr(cable, "read_packet", lambda: b"\x09" * 64)  # of another channel
    with pytest.raises(AuthenticatorError, match="does not answer"):
        create(authenticator)


def client_error(code: ClientError.ERR, cause: object = None) -> ClientError:
    return ClientError(code, cause)  # type: ignore[no-untyped-call]  # its constructor has no annotations


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (CtapError.ERR.KEY_STORE_FULL, "is full"),
        (CtapError.ERR.OPERATION_DENIED, "declined"),
        (CtapError.ERR.UNSUPPORTED_ALGORITHM, "algorithms"),
        (CtapError.ERR.UV_BLOCKED, "fingerprints"),
        (CtapError.ERR.PIN_POLICY_VIOLATION, "another PIN"),
    ],
)
def test_what_a_key_says_is_told_in_words(cause: CtapError.ERR, said: str) -> None:
    for error in (client_error(ClientError.ERR.OTHER_ERROR, CtapError(cause)), CtapError(cause)):
        with pytest.raises(AuthenticatorError, match=said), translated(ineligible=AuthenticatorError("not this")):
            raise error


def test_touch_that_does_not_come_is_told() -> None:
    with pytest.raises(AuthenticatorError, match="not touched in time"), translated(ineligible=AuthenticatorError("x")):
        raise client_error(ClientError.ERR.TIMEOUT)


def test_of_several_keys_the_touched_one_is_used_and_the_others_stop_blinking(tmp_path: Path) -> None:
    cables = [Cable(PinDevice(tmp_path / str(number), pin="1"), touched=number == 1) for number in range(3)]
    devices = [plugged_in(cable) for cable in cables]
    assert touched_of(devices) is devices[1]
    assert [cable.closed for cable in cables] == [True, False, True]


def test_touch_of_none_of_several_ends_in_time(tmp_path: Path) -> None:
    cables = [Cable(PinDevice(tmp_path / str(number), pin="1"), touched=False) for number in range(2)]
    with pytest.raises(AuthenticatorError, match="no security key was touched"):
        touched_of([plugged_in(cable) for cable in cables], timeout_seconds=0.05)
    assert [cable.closed for cable in cables] == [True, True]


@pytest.fixture
def at_the_desk(device: Device, monkeypatch: pytest.MonkeyPatch) -> list[Cable]:
    """A device that is configured for security keys, and what is plugged into it."""
    path = device.state / "strongroom.toml"
    path.write_text(path.read_text().partition("[authenticator]")[0])
    cables: list[Cable] = []
    monkeypatch.setattr(getpass, "getpass", lambda _: sys.stdin.readline().rstrip("\n"))  # no terminal, no echo
    monkeypatch.setattr(CtapHidDevice, "list_devices", lambda: iter([plugged_in(cable) for cable in cables]))
    return cables


def test_vault_is_enrolled_and_opened_with_a_security_key(
    device: Device, at_the_desk: list[Cable], key: PinDevice, tmp_path: Path
) -> None:
    at_the_desk.append(Cable(key))
    arguments = ("enroll", "--user-name", "alice", "--recovery-key-out", device.state / "paper")
    enrolled = device.at_vault(*arguments, typed="9999\n1234\n1234\n1234\n")
    assert enrolled.returncode == 0, enrolled.stderr
    assert "7 tries are left" in enrolled.stderr
    assert "1234" not in enrolled.stdout + enrolled.stderr
    (tmp_path / "folder").mkdir()
    assert device.at_vault("backup", tmp_path / "folder", tmp_path / "archive").returncode == 0
    at_the_desk.append(Cable(PinDevice(tmp_path / "other.json", pin="0"), touched=False))
    restored = device.at_vault("restore", tmp_path / "archive", tmp_path / "again", typed="1234\n")
    assert restored.returncode == 0, restored.stderr
    assert "Touch the one to use" in restored.stderr


def test_key_without_prf_is_refused_before_anything_depends_on_it(
    device: Device, at_the_desk: list[Cable], tmp_path: Path
) -> None:
    at_the_desk.append(Cable(PinDevice(tmp_path / "old.json", pin="1234", has_prf=False)))
    arguments = ("enroll", "--user-name", "alice", "--recovery-key-out", device.state / "paper")
    refused = device.at_vault(*arguments, typed="1234\n" * 3)
    assert refused.returncode == 7
    assert "another passkey" in refused.stderr


def test_no_security_key_is_told(device: Device, at_the_desk: list[Cable]) -> None:
    refused = device.at_vault("enroll", "--user-name", "a", "--recovery-key-out", device.state / "paper")
    assert refused.returncode == 7
    assert "no security key is plugged in" in " ".join(refused.stderr.lower().split())
