"""Which of several security keys: the one that is touched. CTAP 2.1, section 6.9, authenticatorSelection."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from queue import SimpleQueue

from fido2.ctap import CtapDevice, CtapError
from fido2.ctap2.base import Ctap2
from fido2.hid import CAPABILITY, ConnectionFailure

from strongroom_client.authenticators.port import AuthenticatorError

SELECT_SECONDS = 30.0


def touched_of(devices: Sequence[CtapDevice], *, timeout_seconds: float = SELECT_SECONDS) -> CtapDevice:
    """Have all of `devices` blink, and return the one that is touched; the others are let go.

    Raises:
        AuthenticatorError: none is touched in time, or none of them can be asked.
    """
    over = threading.Event()
    answers: SimpleQueue[CtapDevice | None] = SimpleQueue()
    threads = [
        threading.Thread(target=_ask, args=(device, over, answers), daemon=True)
        for device in devices
        if device.capabilities & CAPABILITY.CBOR
    ]
    timer = threading.Timer(timeout_seconds, over.set)
    timer.start()
    try:
        for thread in threads:
            thread.start()
        touched = next((answer for answer in (answers.get() for _ in threads) if answer is not None), None)
    finally:
        over.set()  # the others are told to stop blinking
        timer.cancel()
    for thread in threads:
        thread.join()
    for device in devices:
        if device is not touched:
            device.close()
    if touched is None:
        raise AuthenticatorError("no security key was touched in time")
    return touched


def _ask(device: CtapDevice, over: threading.Event, answers: SimpleQueue[CtapDevice | None]) -> None:
    try:
        Ctap2(device).selection(event=over)
    except (CtapError, OSError, ValueError, ConnectionFailure):
        answers.put(None)
    else:
        answers.put(device)
