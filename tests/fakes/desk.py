"""A keeper in this process with a front that a test steers by hand: honest by default, and able to cheat at any step.

The keeper is the real one but for its token (software, unless another is given) and its socket (none).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import vault_service_pb2
from strongroom_service.config.tenant_file import Tenants
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.fields import encode_fields
from strongroom_service.domain.identifiers import record_id_of
from strongroom_service.keeper.cases import CaseReader
from strongroom_service.keeper.condition import Condition
from strongroom_service.keeper.fulfilments import FulfilmentLog
from strongroom_service.keeper.handler import KeeperHandler
from strongroom_service.keeper.presented import PresentedRows
from strongroom_service.keeper.token.port import KeyPurpose, Token
from strongroom_service.keeper.vault_keys import make_vault
from strongroom_service.tokens.account_tokens import AccountTokenVerifier
from strongroom_service.tokens.tenant_tokens import TenantTokenVerifier
from tests.fakes.clock import FakeClock
from tests.fakes.tenant import FakeTenant
from tests.fakes.token import FIRST_NAMES, FakeToken


class SilentLog:
    """Keeps what was logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, **fields: object) -> None:
        self.lines.append((event, fields))

    def error(self, event: str, **fields: object) -> None:
        self.lines.append((event, fields))


class Refused(Exception):
    """The keeper's refusal, fault or staleness, by its reason or kind."""


@contextmanager
def refused_for(reason: str) -> Iterator[None]:
    """What is done in here is refused, and for exactly this reason."""
    with pytest.raises(Refused) as caught:
        yield
    assert str(caught.value) == reason


@dataclass
class Store:
    """Rows and events, as a database would have them."""

    rows: dict[bytes, frames_pb2.Row] = field(default_factory=dict)
    events: dict[bytes, list[frames_pb2.EventRow]] = field(default_factory=dict)
    feed: list[frames_pb2.FeedRow] = field(default_factory=list)

    def commit(self, order: frames_pb2.CommitOrder) -> None:
        row = order.row
        held = self.rows.get(row.record_id)
        if (held.version if held is not None else 0) != row.version - 1:
            raise Refused("VERSION_CONFLICT")
        self.rows[row.record_id] = row
        event = frames_pb2.EventRow(version=row.version, sealed=order.sealed_event)
        self.events.setdefault(row.record_id, []).insert(0, event)
        place = len(self.feed) + 1
        self.feed.append(
            frames_pb2.FeedRow(position=place, record_id=row.record_id, version=row.version, sealed=order.sealed_event)
        )


class Desk:
    """One keeper and its store. `restart()` replaces the keeper by a new process: its memory is gone.

    `tenant` is the one whose accounts come; it may be changed to one of `others`, which the keeper knows too.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tenant: FakeTenant | None = None,
        others: Sequence[FakeTenant] = (),
        token: Token | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.token = token or FakeToken()
        self.tenant = tenant or FakeTenant()
        self.tenants = (self.tenant, *others)
        self.store = Store()
        self.log = SilentLog()
        self.fulfilments_path = folder / "fulfilled.log"
        self.vault_version, self.vault_sealed = make_vault(
            self.token, FIRST_NAMES, now=self.clock.now(), random=os.urandom
        )
        self.restart()

    def restart(self) -> None:
        tenants = Tenants([tenant.tenant() for tenant in self.tenants])
        self.handler = KeeperHandler(
            token=self.token,
            cases=CaseReader(
                tenants=tenants,
                accounts=AccountTokenVerifier(tenants, self.tenant.audience),
                tenant_tokens=TenantTokenVerifier(tenants, self.tenant.audience),
                clock=self.clock,
            ),
            presented=PresentedRows(capacity=1000),
            fulfilments=FulfilmentLog(self.fulfilments_path),
            clock=self.clock,
            check_clock=self.clock.check,
            condition=lambda: Condition(memory_locked=True, clock_beyond=Millis(0), clock_trusted=self.clock.trusted),
            random=os.urandom,
            log=self.log,
        )
        opened = self.call(
            frames_pb2.KeeperCall(
                open_vault=frames_pb2.OpenVaultCall(version=self.vault_version, sealed=self.vault_sealed)
            )
        )
        self.id_key = opened.open_vault.id_key
        self.renewed_vault = opened.open_vault.successor_sealed

    def lose_token(self) -> None:
        if not isinstance(self.token, FakeToken):
            raise TypeError("only a token in memory can be lost at will")
        self.token.lose()

    def call(self, call: frames_pb2.KeeperCall) -> frames_pb2.KeeperReply:
        call.request_id = "test"
        reply = self.handler.handle(call)
        match reply.WhichOneof("reply"):
            case "refusal":
                raise Refused(reply.refusal.reason)
            case "fault":
                raise Refused(reply.fault.kind)
            case "stale":
                raise Refused("STALE")
            case _:
                return reply

    @property
    def ceremony_key(self) -> bytes:
        """What a front never has: the key under the ceremonies' tags."""
        label = "strongroom/v1/ceremony-key"
        return self.token.derive(purpose=KeyPurpose.SEAL, epoch=1, label=label, context=encode_fields(label, 1))

    def record_id(self, account: str) -> bytes:
        return record_id_of(id_key=self.id_key, tenant=self.tenant.name, account=account)

    def row(self, account: str) -> frames_pb2.Row | None:
        return self.store.rows.get(self.record_id(account))

    def account_token(self, account: str) -> str:
        return self.tenant.token(now=self.clock.now(), account=account)

    def describe(self, account: str) -> vault_service_pb2.VaultReply:
        call = frames_pb2.DescribeRecordCall(
            account_token=self.account_token(account), nonce=os.urandom(32), row=self.row(account)
        )
        signed = self.call(frames_pb2.KeeperCall(describe_record=call)).signed
        return vault_service_pb2.VaultReply.FromString(signed.reply)

    def service_info(self, account: str) -> vault_service_pb2.ServiceInfoReply:
        call = frames_pb2.DescribeServiceCall(account_token=self.account_token(account), nonce=os.urandom(32))
        signed = self.call(frames_pb2.KeeperCall(describe_service=call)).signed
        return vault_service_pb2.ServiceInfoReply.FromString(signed.reply)

    def list_events(
        self, account: str, *, page_token: bytes = b"", events: list[frames_pb2.EventRow] | None = None
    ) -> vault_service_pb2.ListEventsReply:
        if events is None:
            below = int.from_bytes(page_token[:8], "big") if page_token else 2**63
            held = self.store.events.get(self.record_id(account), [])
            events = [event for event in held if event.version <= below]
        call = frames_pb2.ListEventsCall(
            account_token=self.account_token(account),
            nonce=os.urandom(32),
            row=self.row(account),
            page_token=page_token,
            events=events,
        )
        signed = self.call(frames_pb2.KeeperCall(list_events=call)).signed
        return vault_service_pb2.ListEventsReply.FromString(signed.reply)
