"""The client of a vault, synchronous."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from strongroom_client.authenticators.port import Authenticator
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
from strongroom_client.steps import Call, CreatePasskey, Flow, Keep, KeepContested, Pause, Step, UsePasskey
from strongroom_client.transport import Connection
from strongroom_client.verification.bundles import required_pins
from strongroom_client.verification.evidence import EvidenceFlaw, examine_evidence
from strongroom_client.verification.kept_receipts import Examination, Finding, examine_receipts

_Result = TypeVar("_Result")


class VaultClient:
    """One account's vault. One operation at a time; may be shared between threads. A context manager.

    Every operation raises StrongroomError as errors.py draws it; those with an authenticator also AuthenticatorError,
    those with an envelope also EnvelopeError.

    Raises:
        UnpinnedVault: this device has pinned the vault before, and is now told to use it unpinned.
        MemoryFault: what this device remembers cannot be read.
    """

    def __init__(
        self,
        *,
        settings: VaultSettings,
        connection: Connection,
        memory: Memory,
        clock: Clock = system_clock,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pause = pause
        self._connection = connection
        self._memory = memory
        self._session = Session(settings=settings, memory=memory.load(), clock=clock, random=secrets.token_bytes)
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close connection and memory."""
        self._connection.close()
        self._memory.close()

    @property
    def memory(self) -> AccountMemory:
        """What this device remembers of the vault."""
        return self._session.memory

    def service_info(self) -> Service:
        """Return the vault's description and keys, verified."""
        return self._run(ask_service(self._session))

    def vault(self) -> VaultStatus:
        """Return the record's state, verified."""
        return self._run(ask_vault(self._session))

    def history(self) -> tuple[HistoryEvent, ...]:
        """Return the whole history, newest first, verified to be without a gap and to pass through what is known."""
        return self._run(ask_history(self._session))

    def examine_history(self) -> tuple[EvidenceFlaw, ...]:
        """Return what of the history's evidence does not hold: who signed for each event, by the account's own keys."""
        owner, events = self._session.settings.owner, self.history()
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

    def compare_receipts(self) -> tuple[Finding, ...]:
        """Ask for the vault's history, and return what of the kept receipts it has forgotten or changed."""
        return self._run(compare_receipts(self._session, self.receipts()))

    def enroll(
        self,
        authenticator: Authenticator,
        *,
        user_name: str,
        mode: Mode = Mode.PRF,
        recovery_key: RecoveryKey | None = None,
    ) -> Enrollment:
        """Enroll: passkey, first envelope, trial release; three prompts. Without `recovery_key` one is generated."""
        flow = enroll(self._session, user_name=user_name, mode=mode, recovery_key=recovery_key)
        return self._run(flow, authenticator)

    def store_envelope(
        self, authenticator: Authenticator, content: EnvelopeContent, *, mode: Mode | None = None
    ) -> Stored:
        """Store `content` as a new archive version, if the passkey used opens it."""
        return self._run(store(self._session, content, mode=mode), authenticator)

    def release(self, authenticator: Authenticator, *, mode: Mode | None = None) -> Released:
        """Release the envelopes and open them. `mode` must be given where this device does not know vault_held yet."""
        return self._run(release(self._session, mode=mode), authenticator)

    def release_with_recovery_key(self, recovery_key: RecoveryKey, *, mode: Mode | None = None) -> Released:
        """Release the envelopes by the recovery credential, and open them with the recovery key. No prompt."""
        return self._run(release(self._session, mode=mode, recovery_key=recovery_key))

    def delete(self, authenticator: Authenticator, *, mode: Mode | None = None) -> None:
        """Delete the vault."""
        self._run(delete(self._session, mode=mode), authenticator)

    def accept_older_vault(self) -> AccountMemory:
        """Go on with a vault that went back, because its operator said that it was restored. Returns what is known."""
        return self._run(accept_older_vault(self._session))

    def _run(self, flow: Flow[_Result], authenticator: Authenticator | None = None) -> _Result:
        with self._one_at_a_time:
            try:
                step = next(flow)
                while True:
                    try:
                        result = self._take(step, authenticator)
                    except Exception as error:  # noqa: BLE001  the flow decides what an error means
                        step = flow.throw(error)
                    else:
                        step = flow.send(result)
            except StopIteration as stop:
                finished: _Result = stop.value
                return finished

    def _take(self, step: Step, authenticator: Authenticator | None) -> object:
        match step:
            case Call(rpc, request):
                return self._connection.call(rpc, request)
            case Pause(seconds):
                self._pause(seconds)
            case _:
                return take_here(step, memory=self._memory, authenticator=authenticator)
        return None


def take_here(
    step: CreatePasskey | UsePasskey | Keep | KeepContested, *, memory: Memory, authenticator: Authenticator | None
) -> object:
    """Take a step on this device: it blocks, on a disk or on a person.

    Raises:
        AuthenticatorError: the authenticator did not do it.
        MemoryFault: the disk did not take it.
    """
    match step:
        case Keep(kept, entry):
            memory.keep(kept, entry=entry)
            return None
        case KeepContested():
            memory.keep_contested(known=step.known, shown=step.shown, receipt=step.receipt)
            return None
    if authenticator is None:
        raise TypeError("this operation needs an authenticator")
    match step:
        case CreatePasskey():
            return authenticator.make_credential(
                rp_id=step.rp_id,
                origin=step.origin,
                challenge=step.challenge,
                user_handle=step.user_handle,
                user_name=step.user_name,
                algorithms=step.algorithms,
                exclude=(),
                prf_input=step.prf_input,
            )
        case UsePasskey():
            return authenticator.get_assertion(
                rp_id=step.rp_id,
                origin=step.origin,
                challenge=step.challenge,
                allow=step.allow,
                prf_input=step.prf_input,
            )
