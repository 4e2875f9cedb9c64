"""The client of a vault for asyncio: the same flows as the synchronous one."""

from __future__ import annotations

import asyncio
import secrets
from types import TracebackType
from typing import Self, TypeVar

from strongroom_client.authenticators.port import Authenticator
from strongroom_client.client import take_here
from strongroom_client.clock import Clock, system_clock
from strongroom_client.descriptions import HistoryEvent, Service, VaultStatus
from strongroom_client.envelope_content import EnvelopeContent
from strongroom_client.flows.accepting import accept_older_vault
from strongroom_client.flows.answers import ask_service
from strongroom_client.flows.comparing import compare_receipts
from strongroom_client.flows.deleting import delete
from strongroom_client.flows.enrolling import Enrollment, enroll
from strongroom_client.flows.reading import ask_history, ask_vault
from strongroom_client.flows.releasing import Released, release
from strongroom_client.flows.storing import Stored, store
from strongroom_client.memory import AccountMemory, Mode
from strongroom_client.memory_folder import Memory
from strongroom_client.receipts.format import KeptLine
from strongroom_client.recovery_key import RecoveryKey
from strongroom_client.session import Session, VaultSettings
from strongroom_client.steps import Call, Flow, Pause, Step
from strongroom_client.transport import AsyncConnection
from strongroom_client.verification.bundles import required_pins
from strongroom_client.verification.evidence import EvidenceFlaw, examine_evidence
from strongroom_client.verification.kept_receipts import Examination, Finding, examine_receipts

_Result = TypeVar("_Result")


class AsyncVaultClient:
    """As VaultClient, method for method. Authenticator and disk run in threads, so that the loop never waits."""

    def __init__(
        self, *, settings: VaultSettings, connection: AsyncConnection, memory: Memory, clock: Clock = system_clock
    ) -> None:
        self._connection = connection
        self._memory = memory
        self._session = Session(settings=settings, memory=memory.load(), clock=clock, random=secrets.token_bytes)
        self._one_at_a_time = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close connection and memory."""
        await self._connection.close()
        self._memory.close()

    @property
    def memory(self) -> AccountMemory:
        """What this device remembers of the vault."""
        return self._session.memory

    async def service_info(self) -> Service:
        """Return the vault's description and keys, verified."""
        return await self._run(ask_service(self._session))

    async def vault(self) -> VaultStatus:
        """Return the record's state, verified."""
        return await self._run(ask_vault(self._session))

    async def history(self) -> tuple[HistoryEvent, ...]:
        """Return the whole history, newest first, verified."""
        return await self._run(ask_history(self._session))

    async def examine_history(self) -> tuple[EvidenceFlaw, ...]:
        """Return what of the history's evidence does not hold: who signed for each event, by the account's own keys."""
        owner, events = self._session.settings.owner, await self.history()
        return examine_evidence((event.message for event in events), tenant=owner.tenant, account=owner.account)

    def receipts(self) -> tuple[KeptLine, ...]:
        """Return every receipt that this device keeps, and the notes between them, oldest first."""
        return self._memory.receipts()

    def examine_receipts(self) -> Examination:
        """Examine all kept receipts off line, against the pinned identity keys.

        Raises:
            UnpinnedVault: nothing is pinned, so that they prove nothing.
        """
        settings, lines = self._session.settings, self.receipts()
        return examine_receipts(lines, pins=required_pins(settings.trust), remembered=self.memory.position)

    async def compare_receipts(self) -> tuple[Finding, ...]:
        """Ask for the vault's history, and return what of the kept receipts it has forgotten or changed."""
        return await self._run(compare_receipts(self._session, self.receipts()))

    async def enroll(
        self,
        authenticator: Authenticator,
        *,
        user_name: str,
        mode: Mode = Mode.PRF,
        recovery_key: RecoveryKey | None = None,
    ) -> Enrollment:
        """Enroll: passkey, first envelope, trial release; three prompts."""
        flow = enroll(self._session, user_name=user_name, mode=mode, recovery_key=recovery_key)
        return await self._run(flow, authenticator)

    async def store_envelope(
        self, authenticator: Authenticator, content: EnvelopeContent, *, mode: Mode | None = None
    ) -> Stored:
        """Store `content` as a new archive version, if the passkey used opens it."""
        return await self._run(store(self._session, content, mode=mode), authenticator)

    async def release(self, authenticator: Authenticator, *, mode: Mode | None = None) -> Released:
        """Release the envelopes and open them."""
        return await self._run(release(self._session, mode=mode), authenticator)

    async def release_with_recovery_key(self, recovery_key: RecoveryKey, *, mode: Mode | None = None) -> Released:
        """Release the envelopes by the recovery credential, and open them with the recovery key."""
        return await self._run(release(self._session, mode=mode, recovery_key=recovery_key))

    async def delete(self, authenticator: Authenticator, *, mode: Mode | None = None) -> None:
        """Delete the vault."""
        await self._run(delete(self._session, mode=mode), authenticator)

    async def accept_older_vault(self) -> AccountMemory:
        """Go on with a vault that went back, because its operator said that it was restored."""
        return await self._run(accept_older_vault(self._session))

    async def _run(self, flow: Flow[_Result], authenticator: Authenticator | None = None) -> _Result:
        async with self._one_at_a_time:
            try:
                step = next(flow)
                while True:
                    try:
                        result = await self._take(step, authenticator)
                    except Exception as error:  # noqa: BLE001  the flow decides what an error means
                        step = flow.throw(error)
                    else:
                        step = flow.send(result)
            except StopIteration as stop:
                finished: _Result = stop.value
                return finished

    async def _take(self, step: Step, authenticator: Authenticator | None) -> object:
        match step:
            case Call(rpc, request):
                return await self._connection.call(rpc, request)
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case _:
                return await asyncio.to_thread(take_here, step, memory=self._memory, authenticator=authenticator)
        return None
