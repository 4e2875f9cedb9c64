"""One question to the keeper: who asks, under which rules, about which record, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strongroom_service.config.tenant_file import Tenant
    from strongroom_service.domain.clock import Millis
    from strongroom_service.domain.events import Swept
    from strongroom_service.domain.identifiers import RecordId
    from strongroom_service.domain.records import Record
    from strongroom_service.tokens.account_tokens import AccountIdentity


@dataclass(frozen=True, slots=True)
class Case:
    """What every step needs: whom the checked token speaks about, its tenant, and that account's record as presented.

    `record` is without what is due to be erased; `swept` is what that was.
    """

    identity: AccountIdentity
    tenant: Tenant
    record_id: RecordId
    record: Record | None
    swept: tuple[Swept, ...]
    now: Millis


@dataclass(frozen=True, slots=True)
class SweepCase:
    """A record that nobody asked about, looked at for what is due; as in `Case`."""

    record_id: RecordId
    record: Record
    swept: tuple[Swept, ...]
    now: Millis
