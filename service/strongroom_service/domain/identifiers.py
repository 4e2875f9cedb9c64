"""How an account becomes a record id."""

from __future__ import annotations

import hmac
from typing import NewType

from strongroom_service.domain.fields import encode_fields

RecordId = NewType("RecordId", bytes)
RECORD_ID_BYTES = 32

_RECORD_ID_LABEL = "strongroom/v1/record-id"


def record_id_of(*, id_key: bytes, tenant: str, account: str) -> RecordId:
    """Return the 32-byte pseudonym under which the record of `account` is stored.

    Keyed, so that who reads the database cannot test a guess of an account name.
    """
    message = encode_fields(_RECORD_ID_LABEL, tenant.encode(), account.encode())
    return RecordId(hmac.digest(id_key, message, "sha256"))
