"""Clients that keep what they were told, completion by completion, and a crowd of them."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf.message import Message

from deploy.development.environment import DevelopmentVault
from strongroom.v1 import event_pb2
from strongroom.v1.vault_service_pb2_grpc import VaultServiceStub
from tests.fakes.hand_client import Begun, HandClient, Told
from tests.fakes.passkey import HONEST, Forgery, SoftwarePasskey
from tests.fakes.stepped_vault import PATIENCE_SECONDS, until
from tests.integration.faults.checker import (
    Evidence,
    Outcome,
    Said,
    complaints,
    read_chains,
    read_fulfilled,
)

BUDGET = 10
WRONG = Forgery(unsigned=True)
ENVELOPE = b"an envelope"

_OPTIONS = (
    # Back at once when the service is, and never a second sending that the history does not know of.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
)


class ChroniclingClient(HandClient):
    """One account; `said` is what its completions were told."""

    def __init__(
        self, vault: DevelopmentVault, account: str | None = None, *, passkey: SoftwarePasskey | None = None
    ) -> None:
        # Synced passkeys do not count, so that completions of several ceremonies may overtake each other.
        passkey = passkey or SoftwarePasskey(rp_id="localhost", origin="http://localhost", counts=False)
        super().__init__(vault, account, passkey=passkey)
        self.channel.close()
        self.channel = grpc.secure_channel(vault.address, vault.channel_credentials(), options=_OPTIONS)
        self.stub = VaultServiceStub(self.channel)
        self.request_id = f"{self.account}-{os.urandom(4).hex()}"
        self.metadata = (*self.metadata, ("x-request-id", self.request_id))
        self.said: list[Said] = []

    def complete(self, method: str, request: Message, *, good: bool = True) -> Any:  # noqa: ANN401  whatever response
        """Call a completing RPC and keep what was told; raises `Told`."""
        try:
            response = self.call(method, request)
        except Told as told:
            self.keep(request, good=good, told=told)
            raise
        self.keep(request, good=good, receipt=response.receipt)
        return response

    def keep(self, request: Any, *, good: bool, told: Told | None = None, receipt: Any = None) -> None:  # noqa: ANN401  messages
        """Keep what one completion was told: `told`, or its reply's `receipt`."""
        self.said.append(
            Said(
                account=self.account,
                ceremony=request.ceremony,
                good=good,
                outcome=_outcome(told),
                version=receipt.version if receipt else 0,
                head=receipt.chain_head if receipt else b"",
            )
        )

    def register(self) -> None:
        self.complete("CompleteRegistration", self.registration_request(self.begin_registration()))

    def store(self, envelope: bytes = ENVELOPE) -> Any:  # noqa: ANN401  the response
        return self.complete("StoreEnvelope", self.store_request(self.begin_store(), envelope))

    def release(self, forgery: Forgery = HONEST) -> list[bytes]:
        begun = self.begin_release()
        request = self.release_request(begun, forgery)
        return self.open_release(begun, self.complete("ReleaseEnvelope", request, good=forgery is HONEST))

    def begun_completion(self, operation: str) -> tuple[str, Any, Begun]:
        """Begin; return the completing RPC, its request, and what opens a release's answer."""
        match operation:
            case "registration":
                begun = self.begin_registration()
                return "CompleteRegistration", self.registration_request(begun), begun
            case "store":
                begun = self.begin_store()
                return "StoreEnvelope", self.store_request(begun, ENVELOPE), begun
            case _:
                begun = self.begin_release()
                return "ReleaseEnvelope", self.release_request(begun), begun

    def history(self) -> list[event_pb2.Event]:
        """The account's whole history, oldest first."""
        page = self.events()
        found = list(page.events)
        while page.next_page_token:
            page = self.events(page.next_page_token)
            found += page.events
        return found[::-1]

    def answers(self) -> bool:
        """Whether the service answers this client's account, by way of store and keeper."""
        with contextlib.suppress(Told):
            self.vault_reply()
            return True
        return False

    def wait_for_service(self) -> None:
        until(self.answers, "the service is back")


def _outcome(told: Told | None) -> Outcome:
    if told is None:
        return Outcome.ACKED
    if told.reason == "NOT_VERIFIED":
        return Outcome.REFUSED
    unknown = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
    return Outcome.UNKNOWN if told.code in unknown else Outcome.UNJUDGED


def verdict(vault: DevelopmentVault, clients: Sequence[ChroniclingClient]) -> list[str]:
    """What the checker says of these clients and all that the vault has on disk; the service must be up."""
    histories = {client.account: client.history() for client in clients}
    said = [each for client in clients for each in client.said]
    folder = vault.files.folder
    # The log first: what is in it was committed before, while the database may go on growing.
    fulfilled = read_fulfilled(folder / "keeper" / "fulfilled.log")
    evidence = Evidence(
        chains=read_chains(folder / "data" / "vault.db"), fulfilled=fulfilled, histories=histories, budget=BUDGET
    )
    return complaints(said, evidence)


def version_of(vault: DevelopmentVault, client: ChroniclingClient) -> int:
    """The version of the client's record in the database, found by its first event."""
    head = client.history()[0].chain_head
    chains = read_chains(vault.files.folder / "data" / "vault.db").values()
    [version] = [chain.version for chain in chains if chain.heads[0] == head]
    return version


class Load:
    """Enrolled accounts, each released again and again by a thread of its own, now and then with a wrong signature."""

    def __init__(self, vault: DevelopmentVault, *, clients: int) -> None:
        self.clients = [ChroniclingClient(vault) for _ in range(clients)]
        for client in self.clients:
            client.enroll()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(client,)) for client in self.clients]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Stop; every call under way ends by its deadline at the latest. Idempotent."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=PATIENCE_SECONDS)
            assert not thread.is_alive()

    def goes_on(self) -> None:
        """Wait until every client has been answered once more."""
        counts = [_acked(client) for client in self.clients]
        until(
            lambda: all(_acked(client) > count for client, count in zip(self.clients, counts, strict=True)),
            "every client is served again",
        )

    def _work(self, client: ChroniclingClient) -> None:
        for forgery in _mostly_honest():
            if self._stop.wait(0.01):
                return
            with contextlib.suppress(Told):
                if client.release(forgery) != [ENVELOPE]:
                    raise AssertionError("released something else")


def _mostly_honest() -> Iterator[Forgery]:
    while True:
        yield from (HONEST, HONEST, WRONG)


def _acked(client: ChroniclingClient) -> int:
    return sum(said.outcome is Outcome.ACKED for said in client.said)
