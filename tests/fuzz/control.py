"""Targets with a planted bug each: a runner that does not find these finds nothing."""

from __future__ import annotations

import json
import time

from tests.fuzz.target import MAX_SECONDS, Target

MAGIC = b"deep"


def crashes_on_magic(data: bytes) -> None:
    """A chain of comparisons that chance does not pass, and coverage does."""
    for at, byte in enumerate(MAGIC):
        if data[at : at + 1] != bytes([byte]):
            raise ValueError("refused")
    raise IndexError("planted")


def hangs_on_braces(data: bytes) -> None:
    """Works for far too long on inputs that hold enough of them."""
    enough = time.process_time() + 2 * MAX_SECONDS
    while data.count(b"{") >= 8 and time.process_time() < enough:
        pass


TARGETS = {
    "crash": Target(parse=crashes_on_magic, refusals=(ValueError,), seeds=lambda: [b"xxxxxxxx"]),
    "hang": Target(parse=hangs_on_braces, refusals=(), seeds=lambda: [b"xxxx{{{{xx{{{x"]),
    "sound": Target(parse=json.loads, refusals=(ValueError, RecursionError), seeds=lambda: [b'{"a": [1, true]}']),
}
