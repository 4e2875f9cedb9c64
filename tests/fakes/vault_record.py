"""One account's record, as the vault in this process holds it: in clear."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from strongroom.v1 import ceremony_pb2, event_pb2, resources_pb2, vault_service_pb2
from strongroom_client.fields import hash_fields
from tests.fakes.vault_keys import timestamp


@dataclass(frozen=True, slots=True)
class FakeRecord:
    """The account's record; `chain` holds the head at each version, from the genesis on.

    `aside` is the life that a reset has set aside, `aside_erase_at` and `account_erase_at` when what is erased.
    """

    version: int = 0
    chain: tuple[bytes, ...] = (bytes(32),)
    state: resources_pb2.VaultState.ValueType = resources_pb2.VAULT_STATE_NONE
    mode: resources_pb2.Mode.ValueType = resources_pb2.MODE_UNSPECIFIED
    credentials: tuple[tuple[bytes, bytes], ...] = ()
    recovery: bytes = b""
    archives: tuple[vault_service_pb2.ReleasedEnvelope, ...] = ()
    events: tuple[event_pb2.Event, ...] = ()
    life: int = 0
    quarantined: frozenset[bytes] = frozenset()
    closed: bool = False
    policy: resources_pb2.Policy = field(default_factory=lambda: resources_pb2.Policy(budget=10, releases_per_day=20))
    aside: FakeRecord | None = None
    aside_erase_at: int = 0
    account_erase_at: int | None = None

    @property
    def head(self) -> bytes:
        return self.chain[-1]

    @property
    def effective_recovery(self) -> bytes:
        return self.recovery if self.state == resources_pb2.VAULT_STATE_LIVE else b""

    @property
    def listed(self) -> list[resources_pb2.Credential]:
        return [
            resources_pb2.Credential(credential_id=one, cose_key=key, quarantined=one in self.quarantined)
            for one, key in sorted(self.credentials)
        ]

    @property
    def described(self) -> list[resources_pb2.ArchiveVersion]:
        return [
            resources_pb2.ArchiveVersion(
                archive_version=archive.archive_version,
                confirmed=archive.confirmed,
                envelope_sha256=hashlib.sha256(archive.envelope).digest(),
                mode=archive.mode,
            )
            for archive in self.archives
        ]

    @property
    def credential_set_sha256(self) -> bytes:
        parts = [part for pair in sorted(self.credentials) for part in pair]
        return hash_fields("strongroom/v1/credential-set", *parts, self.effective_recovery)

    def subject(self, asked: ceremony_pb2.CeremonyRequest) -> FakeRecord | None:
        """The life that a request is about."""
        is_aside = asked.reopen.target == ceremony_pb2.REOPEN_TARGET_SET_ASIDE
        return self.aside if is_aside else self

    def confirmed(self, opened: int) -> FakeRecord:
        """As it is once a client has said that it opened a version."""
        if not self.archives or self.archives[0].archive_version != opened or self.archives[0].confirmed:
            return self
        newest = vault_service_pb2.ReleasedEnvelope()
        newest.CopyFrom(self.archives[0])
        newest.confirmed = True
        return replace(self, archives=(newest,))

    def with_envelope(self, envelope: bytes, mode: resources_pb2.Mode.ValueType) -> FakeRecord:
        """With a new archive version; it replaces an unconfirmed one only, or all that are locked in another mode."""
        archive = vault_service_pb2.ReleasedEnvelope(archive_version=self.version + 1, mode=mode, envelope=envelope)
        kept = tuple(one for one in self.archives if one.confirmed and one.mode == mode)
        return replace(self, state=resources_pb2.VAULT_STATE_LIVE, mode=mode, archives=(archive, *kept))

    def emptied(self, state: resources_pb2.VaultState.ValueType) -> FakeRecord:
        """Nothing is left but what is set aside."""
        bare = FakeRecord(state=state, life=self.life, policy=self.policy)
        return replace(
            bare, aside=self.aside, aside_erase_at=self.aside_erase_at, account_erase_at=self.account_erase_at
        )

    def moved(self, before: FakeRecord, event: event_pb2.Event, *, head: bytes) -> FakeRecord:
        """As the next version after `before`, which `event` made."""
        chain, events = (*before.chain, head), (*before.events, event)
        return replace(self, version=before.version + 1, chain=chain, events=events)

    def reply(self, *, tenant: str, account: str) -> vault_service_pb2.VaultReply:
        """What GetVault says."""
        reply = vault_service_pb2.VaultReply(
            tenant=tenant,
            account=account,
            state=self.state,
            credentials=self.listed,
            recovery_public_key=self.effective_recovery,
            mode=self.mode,
            archives=self.described,
            attempts_left=0 if self.closed else 10,
            releases_left=20,
            life=self.life,
            policy=self.policy,
            closed=self.closed,
        )
        if self.aside is not None:
            reply.set_aside.CopyFrom(
                resources_pb2.SetAside(
                    erase_time=timestamp(self.aside_erase_at),
                    credentials=self.aside.listed,
                    recovery_public_key=self.aside.effective_recovery,
                    archives=self.aside.described,
                    attempts_left=10,
                )
            )
        if self.account_erase_at is not None:
            reply.account_erase_time.CopyFrom(timestamp(self.account_erase_at))
        return reply
