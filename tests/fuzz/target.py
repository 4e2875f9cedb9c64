"""What is fuzzed and how it is judged: a parser takes any bytes, or refuses them by an error of its own."""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_SECONDS = 1.0
FRAMES = 4


class Finding(Exception):
    """An input that was neither taken nor cleanly refused, or for too long."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One parser.

    Attributes:
        parse: gives it the bytes; whatever it returns is fine, and it may check of its own what must not have happened.
        refusals: the errors by which it may refuse; their subclasses too.
        seeds: makes good inputs and known bad ones, to start from.
    """

    parse: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]
    seeds: Callable[[], Sequence[bytes]]


def judge(target: Target, data: bytes) -> None:
    """Give `data` to the parser.

    Time is this process's own, so that a busy machine makes no findings; who waits for ever is caught by the runner.

    Raises:
        Finding: any outcome but taking or refusing it within a second.
    """
    began = time.process_time()
    try:
        target.parse(data)
    except target.refusals:
        pass
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # Rust extensions panic with a BaseException
        frames = reversed(traceback.extract_tb(error.__traceback__)[-FRAMES:])
        place = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
        raise Finding(f"{type(error).__name__}: {error} ({place})") from error
    seconds = time.process_time() - began
    if seconds > MAX_SECONDS:
        raise Finding(f"took {seconds:.1f} s for {len(data)} bytes")


def accepts(target: Target, data: bytes) -> bool:
    """Whether the parser takes `data`; any error but a refusal escapes."""
    try:
        target.parse(data)
    except target.refusals:
        return False
    return True


def mutate(seeds: Sequence[bytes], choice: random.Random) -> bytes:
    """Return one of `seeds` with a few changes of the kinds that break parsers."""
    data = bytearray(choice.choice(seeds))
    for _ in range(choice.randrange(1, 5)):
        at = choice.randrange(len(data) + 1)
        match choice.randrange(7):
            case 0:
                data[at : at + 1] = choice.randbytes(1)
            case 1:
                data[at:at] = choice.randbytes(choice.randrange(1, 9))
            case 2:
                del data[at : at + choice.randrange(1, 33)]
            case 3:
                del data[at:]
            case 4:
                data[at : at + 4] = choice.choice(
                    (b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff", b"\x00\x00\x01\x00")
                )
            case 5:
                data[at:at] = data[at : at + choice.randrange(1, 65)] * choice.randrange(1, 9)
            case _:
                other = choice.choice(seeds)
                data[at:] = other[choice.randrange(len(other) + 1) :]
    return bytes(data)


def chosen(table: dict[str, Target], names: Iterable[str]) -> dict[str, Target]:
    """Return the named targets, or all of them if none is named.

    Raises:
        LookupError: there is none of that name; says which there are.
    """
    wanted = list(names) or list(table)
    unknown = sorted(set(wanted) - set(table))
    if unknown:
        raise LookupError(f"no target {', '.join(unknown)}; there are {', '.join(table)}")
    return {name: table[name] for name in wanted}
