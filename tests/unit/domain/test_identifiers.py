"""Record ids: pseudonyms that only who has the key can compute."""

from __future__ import annotations

import hashlib
import hmac

from strongroom_service.domain.identifiers import record_id_of

KEY = bytes(range(32))


def test_known_bytes() -> None:
    fields = (b"strongroom/v1/record-id", b"notes", "älice".encode())
    message = b"".join(len(each).to_bytes(4, "big") + each for each in fields)
    assert record_id_of(id_key=KEY, tenant="notes", account="älice") == hmac.digest(KEY, message, hashlib.sha256)


def test_key_tenant_and_account_all_count_and_none_runs_into_the_next() -> None:
    ids = {
        record_id_of(id_key=key, tenant=tenant, account=account)
        for key in (KEY, bytes(32))
        for tenant, account in (("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc"))
    }
    assert len(ids) == 8
    assert {len(each) for each in ids} == {32}
