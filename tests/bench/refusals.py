"""How long refusals take that must not differ: whether the clock of a caller tells what the answer does not.

One caller, one call at a time, all kinds in turns and in a new order each round. That they make the same calls to token
and store is tested (tests/unit/application/test_refusals_alike.py); time is only reported, as machines are noisy.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from tests.fakes.hand_client import Told
from tests.fakes.hand_owner import HandOwner
from tests.fakes.passkey import HONEST, USER_VERIFIED, Forgery

if TYPE_CHECKING:
    from deploy.development.environment import DevelopmentVault
    from strongroom.v1 import vault_service_pb2 as pb

ROUNDS: Final = 150
GRANTED: Final = "granted"

JUDGED: Final = {
    "wrong_signature": Forgery(unsigned=True),
    "another_origin": Forgery(client_data={"origin": "https://elsewhere.example"}),
    "cross_origin": Forgery(client_data={"crossOrigin": True}),
    "user_not_verified": Forgery(clear_flags=USER_VERIFIED),
}


def _with_unknown_passkey(request: pb.ReleaseEnvelopeRequest) -> None:
    request.assertion.webauthn.credential_id = bytes(32)


def _with_malformed_data(request: pb.ReleaseEnvelopeRequest) -> None:
    request.assertion.webauthn.authenticator_data = b"short"


def _with_malformed_client_data(request: pb.ReleaseEnvelopeRequest) -> None:
    request.assertion.webauthn.client_data_json = b"{"


UNJUDGED: Final[dict[str, Callable[[pb.ReleaseEnvelopeRequest], None]]] = {
    "unknown_passkey": _with_unknown_passkey,
    "malformed_data": _with_malformed_data,
    "malformed_client_data": _with_malformed_client_data,
}

Seconds = Mapping[str, Sequence[float]]


def measure_refusals(vault: DevelopmentVault, *, rounds: int = ROUNDS) -> Seconds:
    """Return the seconds of each completion by its kind; a granted release a round sets the count of failures back."""
    seconds: dict[str, list[float]] = {kind: [] for kind in (*JUDGED, *UNJUDGED, GRANTED)}
    order = random.Random(1)
    with HandOwner(vault) as owner:
        owner.enroll()
        for _ in range(rounds):
            for kind in order.sample(list(seconds), len(seconds)):
                seconds[kind].append(_timed(owner, kind))
    return seconds


def refusal_figures(seconds: Seconds) -> dict[str, object]:
    """Return medians by name, and of each group that must not differ the largest over the smallest."""
    medians = {kind: statistics.median(taken) for kind, taken in seconds.items()}
    return {
        **{f"refusal_seconds_p50_{kind}": round(median, 6) for kind, median in medians.items() if kind != GRANTED},
        "granted_seconds_p50": round(medians[GRANTED], 6),
        "refusal_ratio_judged": round(_spread([medians[kind] for kind in JUDGED]), 3),
        "refusal_ratio_unjudged": round(_spread([medians[kind] for kind in UNJUDGED]), 3),
        "refusal_rounds": len(seconds[GRANTED]),
    }


def print_refusals(figures: Mapping[str, object]) -> None:
    """Print what matters of `figures`."""
    for name, value in figures.items():
        if name.startswith("refusal_") or name == "granted_seconds_p50":
            print(f"{name:<42} {value}")


def _spread(medians: Sequence[float]) -> float:
    return max(medians) / min(medians)


def _timed(owner: HandOwner, kind: str) -> float:
    request = owner.release_request(owner.begin_release(), JUDGED.get(kind, HONEST))
    if kind in UNJUDGED:
        UNJUDGED[kind](request)
    began = time.perf_counter()
    try:
        owner.call("ReleaseEnvelope", request)
    except Told as told:
        if told.reason != "NOT_VERIFIED":
            raise
        return time.perf_counter() - began
    if kind != GRANTED:
        raise AssertionError(f"{kind} was granted")
    return time.perf_counter() - began
