"""Port to the keepers: the processes that hold the token session and judge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from strongroom_service.domain.errors import StrongroomError

if TYPE_CHECKING:
    from strongroom_service.application.rows import Change, EventRow, FeedRow, RecordRow
    from strongroom_service.domain.ceremonies import Operation, RecoverySignature
    from strongroom_service.domain.credentials import WebAuthnAssertion, WebAuthnAttestation
    from strongroom_service.domain.errors import Refusal
    from strongroom_service.domain.events import Outcome


class StaleRecord(StrongroomError):
    """The keeper was presented a newer row, or another one at this version, before. Load again once, then give up."""

    def __init__(self, *, newest_version: int) -> None:
        super().__init__(f"keeper has seen version {newest_version}")
        self.newest_version = newest_version


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the account token as received (the keeper checks it again) and the request id for the logs."""

    account_token: str = field(repr=False)
    request_id: str


@dataclass(frozen=True, slots=True)
class TenantCaller:
    """A tenant that asks: its token as received, the request id, and the account it speaks about (empty: the feed)."""

    tenant_token: str = field(repr=False)
    request_id: str
    account: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Completion:
    """What a client brings to complete a ceremony; where there is none (reset, erasure), the nonce of its request."""

    operation: Operation
    ceremony: bytes = b""
    attestation: WebAuthnAttestation | None = None
    assertion: WebAuthnAssertion | RecoverySignature | None = None
    sealed_envelope: bytes = b""
    transport_key_id: bytes = b""
    attest_ceremony: bytes = b""
    nonce: bytes = b""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The keeper's signature over a reply; field by field as strongroom.v1.Receipt."""

    signature: bytes
    identity_fingerprint: bytes
    version: int
    chain_head: bytes


@dataclass(frozen=True, slots=True)
class SignedReply:
    """A serialized reply message with its receipt."""

    reply: bytes
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class CredentialDescriptor:
    """What an authenticator call needs of a passkey."""

    credential_id: bytes
    cose_key: bytes
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BegunCeremony:
    """A ceremony and what the authenticator call needs."""

    ceremony: bytes
    credentials: tuple[CredentialDescriptor, ...]
    recovery_public_key: bytes


@dataclass(frozen=True, slots=True)
class CommitOrder:
    """What must be durable before anything else happens; `refusal` is told to the caller after that.

    `outcome` is for the metrics: unlike `refusal` it tells a counted failure from a policy violation and from
    exhaustion.
    """

    change: Change
    refusal: Refusal | None
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class AlreadyGranted:
    """This very completion was granted and committed before; the row presented can be fulfilled."""


class Keeper(Protocol):
    """What the use cases ask of a keeper.

    Every method raises Refusal (policy said no, nothing to commit), StaleRecord (where a row is presented),
    RecordRejected, TokenFault, or KeeperUnavailable (no answer in time: the outcome is unknown, and as a keeper changes
    nothing durable, nothing has happened that needs undoing).
    """

    async def describe_service(self, caller: Caller, *, nonce: bytes) -> SignedReply:
        """Return the signed ServiceInfoReply of the caller's tenant."""

    async def describe_record(self, caller: Caller, *, nonce: bytes, row: RecordRow | None) -> SignedReply:
        """Return the signed VaultReply of the caller's record."""

    async def begin(self, caller: Caller, *, request: bytes, row: RecordRow | None) -> BegunCeremony:
        """Begin a ceremony over exactly `request`, at the version of `row`."""

    async def judge(
        self, caller: Caller | TenantCaller, *, completion: Completion, row: RecordRow | None
    ) -> CommitOrder | AlreadyGranted:
        """Judge a completion against `row`. Nothing is unwrapped by this."""

    async def fulfil(
        self, caller: Caller | TenantCaller, *, completion: Completion, row: RecordRow | None
    ) -> SignedReply:
        """Return the reply that the committed `row` grants to `completion`."""

    async def list_tenant_events(
        self, caller: TenantCaller, *, nonce: bytes, cursor: bytes, events: tuple[FeedRow, ...], more: bool
    ) -> SignedReply:
        """Return the signed ListTenantEventsReply: those of `events`, the rows after `cursor`, that are its own."""

    async def list_events(
        self,
        caller: Caller,
        *,
        nonce: bytes,
        page_token: bytes,
        row: RecordRow | None,
        events: tuple[EventRow, ...],
        oldest: bool,
    ) -> SignedReply:
        """Return the signed ListEventsReply over `events`, checked against the chain of `row`.

        `oldest` says that the store has none before these.
        """

    async def probe(self) -> None:
        """Have the token do a known-answer operation."""
