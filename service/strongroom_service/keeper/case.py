"""One question to the keeper: who asks, under which rules, about which record, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strongroom_service.config.tenant_file import Tenant
    from strongroom_service.domain.clock import Millis
    from strongroom_service.domain.identifiers import RecordId
    from strongroom_service.domain.records import Record
    from strongroom_service.tokens.account_tokens import AccountIdentity


@dataclass(frozen=True, slots=True)
class Case:
    """What every step needs: the checked account token's identity, its tenant, and its record as presented."""

    identity: AccountIdentity
    tenant: Tenant
    record_id: RecordId
    record: Record | None
    now: Millis
