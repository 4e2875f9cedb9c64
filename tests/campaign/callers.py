"""Callers that hang up."""

from __future__ import annotations

import time
from typing import Final

import grpc
from google.protobuf.message import Message

from tests.campaign.hand_account import WRONG, HandAccount
from tests.campaign.scene import Scene
from tests.fakes.hand_client import Told
from tests.fakes.passkey import HONEST, Forgery

_MOST_SECONDS: Final = 0.03


def call_cancelled(scene: Scene) -> float:
    """Cancel a completion, good or bad, somewhere between its sending and its answer."""
    forgery = scene.chance.choice((HONEST, HONEST, WRONG))
    account, request = _begun(scene, forgery)
    future, kept = account.begin_call("ReleaseEnvelope", request, good=forgery is HONEST)
    scene.wait(0.0, _MOST_SECONDS)
    scene.mark("call cancelled")
    future.cancel()
    try:
        kept.end(receipt=future.result().receipt)
    except grpc.FutureCancelledError:
        kept.end(told="CANCELLED")
    except grpc.RpcError as error:
        told = Told(error)
        kept.end(told=told.reason or told.code.name)
    return time.monotonic()


def _begun(scene: Scene, forgery: Forgery) -> tuple[HandAccount, Message]:
    """Begin a release for whichever account may begin one now."""
    while True:
        account = scene.chance.choice(scene.load.honest)
        try:
            return account, account.release_request(account.begin_release(), forgery)
        except Told:
            scene.wait(0.0, _MOST_SECONDS)
