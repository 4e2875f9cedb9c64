"""One account's record, as the vault in this process holds it: in clear."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.v1 import event_pb2, resources_pb2, vault_service_pb2
from strongroom_client.fields import hash_fields


@dataclass(frozen=True, slots=True)
class FakeRecord:
    """The account's record; `chain` holds the head at each version, from the genesis on."""

    version: int = 0
    chain: tuple[bytes, ...] = (bytes(32),)
    state: resources_pb2.VaultState.ValueType = resources_pb2.VAULT_STATE_NONE
    mode: resources_pb2.Mode.ValueType = resources_pb2.MODE_UNSPECIFIED
    credentials: tuple[tuple[bytes, bytes], ...] = ()
    recovery: bytes = b""
    archives: tuple[vault_service_pb2.ReleasedEnvelope, ...] = ()
    events: tuple[event_pb2.Event, ...] = ()
    life: int = 0

    @property
    def head(self) -> bytes:
        return self.chain[-1]

    @property
    def effective_recovery(self) -> bytes:
        return self.recovery if self.state == resources_pb2.VAULT_STATE_LIVE else b""

    @property
    def listed(self) -> list[resources_pb2.Credential]:
        return [resources_pb2.Credential(credential_id=one, cose_key=key) for one, key in sorted(self.credentials)]

    @property
    def credential_set_sha256(self) -> bytes:
        parts = [part for pair in sorted(self.credentials) for part in pair]
        return hash_fields("strongroom/v1/credential-set", *parts, self.effective_recovery)
