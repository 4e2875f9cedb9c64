"""An account that goes through every operation at a desk, honestly; what is granted at each step, for misuse."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import resources_pb2
from tests.fakes.desk import refused_for
from tests.fakes.owner import SET_ASIDE, Owner
from tests.fakes.passkey import Forgery
from tests.fakes.person import Ceremony
from tests.fakes.recording import Entry
from tests.fakes.tenancy import CANCEL, ERASE, Tenancy

RESET = frames_pb2.OPERATION_RESET
POLICY = resources_pb2.Policy(
    budget=5, on_exhaustion=resources_pb2.ON_EXHAUSTION_LOCK, releases_per_day=9, reset_grace_seconds=86_400
)
NEW_RECOVERY = Ed25519PrivateKey.from_private_bytes(b"n" * 32).public_key().public_bytes_raw()


@dataclass
class Granted:
    """What was granted last: the call that is answered, at the row that grants it."""

    operation: int
    fulfil: frames_pb2.FulfilCall


@dataclass
class Life:
    """An account that goes through every operation, honestly; and what its keeper's token was asked for."""

    owner: Owner
    journal: list[Entry]
    tenancy: Tenancy
    seen: set[int] = field(default_factory=set)

    def completed(
        self, ceremony: Ceremony, call: frames_pb2.JudgeCall | None = None, *, envelope: bytes = b""
    ) -> Granted:
        judged = call or self.owner.judge_call(ceremony, envelope=envelope)
        self.owner.desk.store.commit(self.owner.judge(judged).commit)
        return self.granted(ceremony.operation, ceremony=ceremony.ceremony)

    def ordered(self, operation: frames_pb2.Operation.ValueType) -> Granted:
        nonce = os.urandom(32)
        call = self.owner.reset_call(nonce) if operation == RESET else self.tenancy.judge_call(operation, nonce=nonce)
        self.owner.desk.store.commit(self.owner.judge(call).commit)
        return self.granted(operation, nonce=nonce)

    def granted(self, operation: int, *, ceremony: bytes = b"", nonce: bytes = b"") -> Granted:
        """The call that fulfils it, with every token that any operation needs."""
        self.seen.add(operation)
        fulfil = frames_pb2.FulfilCall(
            account_token=self.token,
            tenant_caller=self.tenant_caller,
            row=self.owner.row(),
            ceremony=ceremony,
            nonce=nonce,
        )
        return Granted(operation, fulfil)

    @property
    def token(self) -> str:
        return self.owner.account_token("vault reset")

    @property
    def tenant_caller(self) -> frames_pb2.TenantCaller:
        return frames_pb2.TenantCaller(tenant_token=self.tenancy.token("erase"), account="alice")

    def whole(self) -> Iterator[Granted]:
        """Every operation once, in an order in which each is possible."""
        owner = self.owner
        yield self.completed(owner.begin_registration())
        yield self.completed(owner.begin_store(), envelope=b"first")
        yield self.completed(owner.begin_release())
        addition = owner.begin_addition()
        yield self.completed(addition.add, owner.addition_call(addition))
        first, owner.passkey = owner.passkey, addition.passkey
        owner.release()
        with refused_for("NOT_VERIFIED"):
            owner.release(forgery=Forgery(sign_count=1))
        owner.passkey = first
        yield self.completed(owner.begin_lift(addition.passkey))
        yield self.completed(owner.begin_removal(addition.passkey), envelope=b"without")
        yield self.completed(owner.begin_recovery(NEW_RECOVERY), envelope=b"recoverable")
        yield self.completed(owner.begin_policy(POLICY))
        yield self.ordered(ERASE)
        yield self.ordered(CANCEL)
        yield self.ordered(RESET)
        yield self.completed(owner.begin_reopening(SET_ASIDE))
        yield self.completed(owner.begin_delete())

    def unwraps(self) -> int:
        return sum(name == "token unwraps" for name, *_ in self.journal)
