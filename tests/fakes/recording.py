"""Ports that write down what is asked of them: token, store and keeper, around the real keeper and its real rules.

What is written down is what an observer beside the process could measure: which call, on which key, of which size.
"""

from __future__ import annotations

from strongroom.keeper.v1 import frames_pb2
from strongroom_service.application.keepers import (
    AlreadyGranted,
    Caller,
    CommitOrder,
    Completion,
    SignedReply,
    TenantCaller,
)
from strongroom_service.application.rows import Change, RecordRow
from strongroom_service.keeper.token.port import KeyPurpose, Wrapped
from strongroom_service.link import codec, replies
from tests.fakes.desk import Desk
from tests.fakes.store import FakeStore
from tests.fakes.token import FakeToken

Entry = tuple[object, ...]


class RecordingToken(FakeToken):
    """Writes down each call, with its key and the sizes of what it is given; not the known answers at a start."""

    def __init__(self, journal: list[Entry]) -> None:
        super().__init__()
        self._journal = journal

    def derive(self, *, purpose: KeyPurpose, epoch: int, label: str, context: bytes) -> bytes:
        self._journal.append(("token derives", purpose, epoch, label, len(context)))
        return super().derive(purpose=purpose, epoch=epoch, label=label, context=context)

    def wrap(self, *, epoch: int, plaintext: bytes, aad: bytes) -> Wrapped:
        self._journal.append(("token wraps", epoch, len(plaintext), len(aad)))
        return super().wrap(epoch=epoch, plaintext=plaintext, aad=aad)

    def unwrap(self, *, epoch: int, wrapped: Wrapped, aad: bytes) -> bytes:
        self._journal.append(("token unwraps", epoch, len(wrapped.ciphertext), len(aad)))
        return super().unwrap(epoch=epoch, wrapped=wrapped, aad=aad)

    def sign(self, *, epoch: int, digest: bytes) -> bytes:
        self._journal.append(("token signs", epoch))
        return super().sign(epoch=epoch, digest=digest)


class RecordingStore(FakeStore):
    """Writes down loads, and commits with the sizes of what is written."""

    def __init__(self, journal: list[Entry]) -> None:
        super().__init__()
        self._journal = journal

    async def load_record(self, record_id: bytes) -> RecordRow | None:
        self._journal.append(("store loads",))
        return await super().load_record(record_id)

    async def commit(self, change: Change) -> None:
        self._journal.append(("store commits", len(change.sealed_record), len(change.sealed_event)))
        await super().commit(change)

    def take_over(self, desk: Desk) -> None:
        """Hold what the desk's store holds, as of now."""
        self.records = {
            record_id: RecordRow(record_id=record_id, version=row.version, sealed=row.sealed)
            for record_id, row in desk.store.rows.items()
        }


class RecordingKeeper:
    """The two steps of `application.keepers.Keeper` that complete something, by a desk's keeper; written down."""

    def __init__(self, desk: Desk, journal: list[Entry]) -> None:
        self._desk = desk
        self._journal = journal

    async def judge(
        self, caller: Caller | TenantCaller, *, completion: Completion, row: RecordRow | None
    ) -> CommitOrder | AlreadyGranted:
        self._journal.append(("keeper judges", completion.operation))
        return replies.verdict(self._ask(codec.judge_call(caller, completion=completion, row=row)))

    async def fulfil(
        self, caller: Caller | TenantCaller, *, completion: Completion, row: RecordRow | None
    ) -> SignedReply:
        self._journal.append(("keeper fulfils", completion.operation))
        return replies.signed_reply(self._ask(codec.fulfil_call(caller, completion=completion, row=row)))

    def _ask(self, call: frames_pb2.KeeperCall) -> frames_pb2.KeeperReply:
        return self._desk.handler.handle(call)
