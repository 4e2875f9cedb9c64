"""Closed tables between the domain's enums and the protocol's, one per pair.

A number that is in no table does not decode: a record written by a newer release is refused, not misread.
"""

from __future__ import annotations

from enum import Enum
from typing import Generic, TypeVar

from strongroom.v1 import ceremony_pb2, event_pb2, resources_pb2
from strongroom_service.domain.ceremonies import Mode, Operation, ReopenTarget
from strongroom_service.domain.errors import RecordRejected
from strongroom_service.domain.events import Outcome, Swept
from strongroom_service.domain.policy import OnExhaustion
from strongroom_service.domain.records import VaultState

Ours = TypeVar("Ours", bound=Enum)
Theirs = TypeVar("Theirs", bound=int)


class EnumTable(Generic[Ours, Theirs]):
    """A one-to-one table."""

    def __init__(self, table: dict[Ours, Theirs]) -> None:
        self._to_wire = table
        self._from_wire: dict[int, Ours] = {wire: ours for ours, wire in table.items()}

    def __getitem__(self, ours: Ours) -> Theirs:
        """Return the protocol's value."""
        return self._to_wire[ours]

    def inverse(self, wire: int) -> Ours:
        """Return the domain's value.

        Raises:
            RecordRejected: the number is not one that this release knows.
        """
        try:
            return self._from_wire[wire]
        except KeyError:
            message = f"enum value {wire} is not known to this release"
            raise RecordRejected(message) from None

    def get(self, wire: int) -> Ours | None:
        """Return the domain's value, or None for a number that is not in the table."""
        return self._from_wire.get(wire)


MODES = EnumTable(
    {
        Mode.PRF: resources_pb2.MODE_PRF,
        Mode.VAULT_HELD: resources_pb2.MODE_VAULT_HELD,
    }
)
STATES = EnumTable(
    {
        VaultState.INERT: resources_pb2.VAULT_STATE_INERT,
        VaultState.LIVE: resources_pb2.VAULT_STATE_LIVE,
        VaultState.EXHAUSTED: resources_pb2.VAULT_STATE_EXHAUSTED,
        VaultState.DELETED: resources_pb2.VAULT_STATE_DELETED,
        VaultState.EMPTY: resources_pb2.VAULT_STATE_EMPTY,
        VaultState.ERASED: resources_pb2.VAULT_STATE_ERASED,
    }
)
ON_EXHAUSTION = EnumTable(
    {
        OnExhaustion.DESTROY: resources_pb2.ON_EXHAUSTION_DESTROY,
        OnExhaustion.LOCK: resources_pb2.ON_EXHAUSTION_LOCK,
    }
)
OPERATIONS = EnumTable(
    {
        Operation.REGISTER: event_pb2.EVENT_KIND_REGISTER,
        Operation.STORE: event_pb2.EVENT_KIND_STORE,
        Operation.RELEASE: event_pb2.EVENT_KIND_RELEASE,
        Operation.DELETE: event_pb2.EVENT_KIND_DELETE,
        Operation.ADD_CREDENTIAL: event_pb2.EVENT_KIND_ADD_CREDENTIAL,
        Operation.REMOVE_CREDENTIAL: event_pb2.EVENT_KIND_REMOVE_CREDENTIAL,
        Operation.SET_RECOVERY: event_pb2.EVENT_KIND_SET_RECOVERY,
        Operation.REOPEN: event_pb2.EVENT_KIND_REOPEN,
        Operation.LIFT_QUARANTINE: event_pb2.EVENT_KIND_LIFT_QUARANTINE,
        Operation.SET_POLICY: event_pb2.EVENT_KIND_SET_POLICY,
        Operation.RESET: event_pb2.EVENT_KIND_RESET,
        Operation.ERASE_ACCOUNT: event_pb2.EVENT_KIND_ERASE_ACCOUNT,
        Operation.CANCEL_ERASE_ACCOUNT: event_pb2.EVENT_KIND_CANCEL_ERASE_ACCOUNT,
        Operation.SWEEP: event_pb2.EVENT_KIND_SWEEP,
        Operation.REWRAP: event_pb2.EVENT_KIND_REWRAP,
    }
)
"""An attestation is no event of its own: it is part of the addition's."""

SWEPT = EnumTable(
    {
        Swept.SET_ASIDE: event_pb2.SWEPT_SET_ASIDE,
        Swept.ACCOUNT: event_pb2.SWEPT_ACCOUNT,
    }
)
REOPEN_TARGETS = EnumTable(
    {
        ReopenTarget.SET_ASIDE: ceremony_pb2.REOPEN_TARGET_SET_ASIDE,
        ReopenTarget.CLOSED: ceremony_pb2.REOPEN_TARGET_CLOSED,
    }
)
OUTCOMES = EnumTable(
    {
        Outcome.GRANTED: event_pb2.EVENT_OUTCOME_GRANTED,
        Outcome.FAILED: event_pb2.EVENT_OUTCOME_FAILED,
        Outcome.EXHAUSTED: event_pb2.EVENT_OUTCOME_EXHAUSTED,
        Outcome.REFUSED: event_pb2.EVENT_OUTCOME_REFUSED,
    }
)
