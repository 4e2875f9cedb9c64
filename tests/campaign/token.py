"""Token trouble by the fault module: each class of error, calls that hang, a token that is lost and comes back."""

from __future__ import annotations

import time
from itertools import product
from typing import Final

import psutil

from strongroom_service.link.supervisor import EX_CONFIG
from tests.campaign.scene import Scene
from tests.fakes.pkcs11_fault.codes import LOST, PIN, SETUP, SUSPECT
from tests.fakes.stepped_vault import is_whole, until

USED: Final = ("C_Sign", "C_Decrypt", "C_SignInit", "C_DecryptInit", "C_Encrypt", "C_GenerateRandom")
CODES: Final = LOST | SUSPECT | SETUP
# Each code at one function, then each at the next: any number of injections has as many codes as it can.
ERRORS: Final = tuple(
    (USED[(row + number) % len(USED)], code) for row, (number, code) in product(range(6), enumerate(CODES))
)
_GONE: Final = ("DEVICE_ERROR", "DEVICE_REMOVED", "TOKEN_NOT_PRESENT", "GENERAL_ERROR")
_MEET_SECONDS: Final = 3.0


def token_error(scene: Scene) -> float:
    """One call of each keeper fails, once."""
    function, code = ERRORS[scene.number % len(ERRORS)]
    if code in SETUP:
        # A keeper that met these at its start would end the service, as it should.
        until(lambda: is_whole(scene.vault), "both keepers are in use")
    module = scene.vault.module
    module.forget_calls()
    scene.mark(f"{code} at {function}")
    module.fail(function, CODES[code], last=1)
    deadline = time.monotonic() + _MEET_SECONDS
    while function not in module.calls() and time.monotonic() < deadline:
        time.sleep(0.005)
    module.heal()
    return time.monotonic()


def token_hang(scene: Scene) -> float:
    """Calls hang, for a while or until the keepers are given up on."""
    function = USED[scene.number % 2]
    lasts, keepers = scene.lasts(), scene.keepers()
    scene.mark(f"{function} hangs")
    scene.vault.module.stall(function)
    if lasts:
        until(lambda: not any(map(psutil.Process.is_running, keepers)), "keepers that hang are given up on")
    else:
        scene.wait(0.05, 0.8)
    scene.vault.module.heal()
    return time.monotonic()


def token_lost(scene: Scene) -> float:
    """Every call fails for a while, also those of keepers that start meanwhile."""
    code = _GONE[scene.number % len(_GONE)]
    scene.mark(f"token lost: {code}")
    scene.vault.module.fail("*", CODES[code])
    scene.wait(0.2, 1.0)
    scene.vault.module.heal()
    return time.monotonic()


def pin_refused(scene: Scene) -> float:
    """Keepers lose their sessions, and the token refuses the PIN: each tries it once, then the service ends."""
    vault, module = scene.vault, scene.vault.module
    code = tuple(PIN)[scene.number % len(PIN)]
    until(lambda: is_whole(vault), "both keepers are in use")
    module.forget_calls()
    scene.mark(f"{code} at C_Login")
    module.obey(f"C_Sign 1 0 {CODES['DEVICE_ERROR']:#x}", f"C_Login 1 0 {PIN[code]:#x}")
    parent = psutil.Process(vault.pid)
    until(lambda: parent.status() == psutil.STATUS_ZOMBIE, "the service gives up")
    assert vault.stop() == EX_CONFIG
    logins = module.calls().count("C_Login")
    assert 1 <= logins <= 2, f"a refused PIN was tried {logins} times by two keepers"
    module.heal()
    over_at = time.monotonic()
    vault.serve()
    return over_at


def loops_on_a_pin(scene: Scene) -> list[str]:
    """A keeper logs in once in its life, whatever befalls it."""
    logins, starts = scene.vault.module.calls().count("C_Login"), scene.vault.logged("child_started", child="keeper")
    return [f"{logins} logins of {starts} keepers"] if logins > starts else []
