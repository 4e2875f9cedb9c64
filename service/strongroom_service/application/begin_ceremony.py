"""Beginning a ceremony: nothing is committed, so a lost answer costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom_service.application.present_record import load_and_present

if TYPE_CHECKING:
    from strongroom_service.application.keepers import BegunCeremony, Caller, Keeper
    from strongroom_service.application.stores import RecordStore


async def begin_ceremony(
    caller: Caller, *, record_id: bytes, request: bytes, keeper: Keeper, store: RecordStore
) -> BegunCeremony:
    """Begin a ceremony over exactly `request`, a serialized CeremonyRequest.

    Raises:
        Refusal: policy said no.
        Fault: machinery broke.
    """
    _, begun = await load_and_present(store, record_id, lambda row: keeper.begin(caller, request=request, row=row))
    return begun
