"""Accounts under load, by hand over the stub: good and bad attempts, and all that they are told is kept."""

from __future__ import annotations

import os
import time
from random import Random
from typing import Any, Final, Protocol

import grpc
from google.protobuf.message import Message

from deploy.development.environment import DevelopmentVault
from strongroom.v1 import event_pb2
from strongroom.v1 import vault_service_pb2 as pb
from strongroom.v1.vault_service_pb2_grpc import VaultServiceStub
from tests.campaign.history import COMPLETIONS, Chronicle, KeptCall
from tests.fakes.hand_client import HandClient, Told
from tests.fakes.hand_owner import HandOwner
from tests.fakes.passkey import HONEST, Forgery, SoftwarePasskey

WRONG: Final = Forgery(unsigned=True)
DEADLINE_SECONDS: Final = 4.0
_NOTHING_THERE: Final = frozenset({"NO_VAULT", "VAULT_EXHAUSTED"})
_OPTIONS: Final = (
    # Back at once when the service is, and never a second sending that the history does not know of.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
)


class Account(Protocol):
    """One account of the load; a step may be taken by one thread while another takes one."""

    name: str

    def step(self, chance: Random) -> bool:
        """Do something, as chance will have it; False if it is better to wait a little before the next step."""

    def close(self) -> None:
        """Let the connection go."""

    def history(self) -> list[event_pb2.Event]:
        """The account's whole history, oldest first; not part of the load. Raises `Told`."""


def synced_passkey() -> SoftwarePasskey:
    """One that does not count, so that completions of several ceremonies may overtake each other."""
    return SoftwarePasskey(rp_id="localhost", origin="http://localhost", counts=False)


class HandAccount(HandOwner):
    """Releases, stores, other changes and wrong signatures; enrolls where nothing is, sends again what was lost.

    With `hostile` every signature of a release is wrong, until the vault is exhausted and enrolled anew.
    """

    def __init__(self, vault: DevelopmentVault, chronicle: Chronicle, *, hostile: bool = False) -> None:
        super().__init__(vault, passkey=synced_passkey())
        self._left: list[grpc.Channel] = []
        self.connect_anew()
        self.name = self.account
        self.request_id = f"{self.account}-{os.urandom(4).hex()}"
        self.metadata = (*self.metadata, ("x-request-id", self.request_id))
        self.deadline = DEADLINE_SECONDS
        self.hostile = hostile
        self.chronicle = chronicle

    def close(self) -> None:
        for channel in (*self._left, self.channel):
            channel.close()

    def connect_anew(self) -> None:
        """Make another connection for all calls from now on; those under way end on the one before."""
        self._left.append(self.channel)
        self.channel = grpc.secure_channel(self.vault.address, self.vault.channel_credentials(), options=_OPTIONS)
        self.stub = VaultServiceStub(self.channel)

    def step(self, chance: Random) -> bool:
        try:
            self._act(chance)
        except Told as told:
            if told.reason in _NOTHING_THERE:
                return self._enroll()
            return told.reason in {"NOT_VERIFIED", "BEGIN_AGAIN"}
        return True

    def enroll_now(self) -> None:
        """Register and store; raises `Told`."""
        self.complete("CompleteRegistration", self.registration_request(self.begin_registration()))
        self._store()

    def call(self, method: str, request: Message) -> Any:  # noqa: ANN401  the response of whatever method
        """As `HandClient.call`, kept."""
        return self._kept(method, request, good=True)

    def complete(self, method: str, request: Message, *, good: bool = True) -> Any:  # noqa: ANN401  whatever response
        """Call a completing RPC; where nobody says what became of it, send it once more, as clients do."""
        try:
            return self._kept(method, request, good=good)
        except Told as told:
            if told.code not in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
                raise
        time.sleep(0.05)
        return self._kept(method, request, good=good)

    def begin_call(self, method: str, request: Message, *, good: bool) -> tuple[grpc.Future[Any], KeptCall]:
        """Send a completion without waiting; `KeptCall.end` must be called when it has ended."""
        kept = KeptCall(self.chronicle, self.account, method, request, good=good)
        future = getattr(self.stub, method).future(request, timeout=self.deadline, metadata=self.metadata)
        return future, kept

    def history(self) -> list[event_pb2.Event]:
        """The account's whole history, oldest first; not part of the load."""
        return whole_history(self)

    def _kept(self, method: str, request: Message, *, good: bool) -> Any:  # noqa: ANN401  the response of whatever method
        kept = KeptCall(self.chronicle, self.account, method, request, good=good)
        try:
            response = super().call(method, request)
        except Told as told:
            kept.end(told=told.reason or told.code.name)
            raise
        kept.end(receipt=response.receipt if method in COMPLETIONS else None)
        return response

    def _act(self, chance: Random) -> None:
        drawn = chance.random()
        if self.hostile:
            self._release(WRONG)
        elif drawn < 0.15:
            self._store()
        elif drawn < 0.20:
            self._race(chance)
        elif drawn < 0.24:
            self.complete("SetRecovery", self.recovery_request())
        elif drawn < 0.25:
            self.complete("DeleteVault", self.asserted_request(pb.DeleteVaultRequest, "delete"))
        else:
            self._release(WRONG if drawn < 0.5 else HONEST)

    def _enroll(self) -> bool:
        try:
            self.enroll_now()
        except Told as told:
            return told.reason in {"BEGIN_AGAIN", "VAULT_EXISTS"}
        return True

    def _store(self) -> None:
        self.complete("StoreEnvelope", self.store_request(self.begin_store(), self.account.encode()))

    def _release(self, forgery: Forgery) -> None:
        begun = self.begin_release()
        good = forgery is HONEST
        response = self.complete("ReleaseEnvelope", self.release_request(begun, forgery), good=good)
        if not set(self.open_release(begun, response)) <= {self.account.encode(), b"for the new key"}:
            raise AssertionError("released something else than was stored")

    def _race(self, chance: Random) -> None:
        """Complete one ceremony several times at once, with good signatures and wrong ones."""
        begun = self.begin_release()
        forgeries = [chance.choice((HONEST, WRONG)) for _ in range(3)]
        started = [
            self.begin_call("ReleaseEnvelope", self.release_request(begun, forgery), good=forgery is HONEST)
            for forgery in forgeries
        ]
        for future, kept in started:
            try:
                kept.end(receipt=future.result().receipt)
            except grpc.RpcError as error:
                told = Told(error)
                kept.end(told=told.reason or told.code.name)
            except grpc.FutureCancelledError:
                kept.end(told="CANCELLED")


def whole_history(client: HandClient) -> list[event_pb2.Event]:
    """All pages of ListEvents, oldest first; not part of the load. Raises `Told`."""
    found: list[event_pb2.Event] = []
    token = b""
    while True:
        # The plain call: nothing of it is kept.
        response = HandClient.call(client, "ListEvents", pb.ListEventsRequest(nonce=os.urandom(32), page_token=token))
        page = pb.ListEventsReply.FromString(response.reply)
        found += page.events
        token = page.next_page_token
        if not token:
            return found[::-1]
