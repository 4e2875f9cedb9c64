"""The user's word that a vault may have gone back: its operator restored an older database."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from strongroom_client.memory import AccountMemory
from strongroom_client.pending import NOTHING_PENDING
from strongroom_client.receipts.format import Accepted
from strongroom_client.session import Session
from strongroom_client.steps import Flow, Keep


def accept_older_vault(session: Session) -> Flow[AccountMemory]:
    """Go on from the contested position, if there is one, and take key bundles of any serial anew, the owners' too.

    The evidence stays where it is. What backups are encrypted to stays as well: it came from this device.
    """
    memory, accepted = session.memory, None
    session.service = None
    if memory.contested is not None:
        accepted = Accepted(position=memory.contested, at=session.clock())
        memory = replace(
            memory,
            position=memory.contested,
            contested=None,
            credentials=None,
            set_aside=None,
            pending=NOTHING_PENDING,
            life=None,
            opened_archive_version=0,
        )
    session.memory = replace(memory, bundles=MappingProxyType({}), owner_bundle=None)
    yield Keep(session.memory, accepted)
    return session.memory
