"""A keeper's answers about keys, from operator.proto to the values of the ports; and back for what is asked."""

from __future__ import annotations

from typing import Final

from strongroom.keeper.v1 import operator_pb2, record_pb2
from strongroom_service.application.keys import KeyRing, KeyStanding, KeyStep
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.epochs import EpochChange, EpochState, RotatedKey
from strongroom_service.domain.errors import Fault

_ROTATED: Final = {
    record_pb2.KEY_PURPOSE_KEK: RotatedKey.KEK,
    record_pb2.KEY_PURPOSE_SEAL: RotatedKey.SEAL,
    record_pb2.KEY_PURPOSE_TRANSPORT: RotatedKey.TRANSPORT,
    record_pb2.KEY_PURPOSE_IDENTITY: RotatedKey.IDENTITY,
}
_PURPOSES: Final = {rotated: purpose for purpose, rotated in _ROTATED.items()}
_STATES: Final = {
    record_pb2.EPOCH_STATE_PREPARED: EpochState.PREPARED,
    record_pb2.EPOCH_STATE_ACTIVE: EpochState.ACTIVE,
    record_pb2.EPOCH_STATE_RETIRING: EpochState.RETIRING,
    record_pb2.EPOCH_STATE_RETIRED: EpochState.RETIRED,
    record_pb2.EPOCH_STATE_DESTROYED: EpochState.DESTROYED,
}
_CHANGES: Final = {
    EpochChange.PREPARE: operator_pb2.KEY_CHANGE_PREPARE,
    EpochChange.ACTIVATE: operator_pb2.KEY_CHANGE_ACTIVATE,
    EpochChange.RETIRE: operator_pb2.KEY_CHANGE_RETIRE,
    EpochChange.TAKE_BACK: operator_pb2.KEY_CHANGE_TAKE_BACK,
    EpochChange.DESTROY: operator_pb2.KEY_CHANGE_DESTROY,
}


def change_call(step: KeyStep) -> operator_pb2.ChangeKeyCall:
    """Return the call that asks for `step`."""
    return operator_pb2.ChangeKeyCall(purpose=_PURPOSES[step.rotated], epoch=step.epoch, change=_CHANGES[step.change])


def key_ring(reply: operator_pb2.ListKeysReply) -> KeyRing:
    """Return the keys that a keeper has told of.

    Raises:
        Fault: a key is in a state that this release does not know.
    """
    return KeyRing(
        keys=tuple(_standing(each, created_at=reply.created_at) for each in reply.keys),
        created_at=Millis(reply.created_at),
        bundle_serial=reply.bundle_serial,
        bundle_not_after=Millis(reply.bundle_not_after),
        spread_ms=reply.spread_ms,
    )


def _standing(told: operator_pb2.KeyStanding, *, created_at: int) -> KeyStanding:
    state = _STATES.get(told.key.state)
    if state is None:
        raise Fault(f"keeper told of key {told.label} in an unknown state")
    return KeyStanding(
        label=told.label,
        rotated=_ROTATED.get(told.key.purpose),
        epoch=told.key.epoch,
        state=state,
        state_at=Millis(told.key.state_at or created_at),
        check_value=told.key.check_value,
        fingerprint=told.fingerprint,
    )
