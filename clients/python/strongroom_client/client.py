"""The client of a vault, synchronous."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from strongroom_client.authenticators.port import Authenticator
from strongroom_client.clock import Clock, Millis, system_clock
from strongroom_client.consequences import Change, Outlook, outlook
from strongroom_client.descriptions import HistoryEvent, Policy, Service, VaultStatus
from strongroom_client.envelope_content import EnvelopeContent
from strongroom_client.flows.accepting import accept_older_vault
from strongroom_client.flows.adding import Addition, add_passkey
from strongroom_client.flows.answers import ask_service
from strongroom_client.flows.comparing import compare_receipts
from strongroom_client.flows.deleting import delete
from strongroom_client.flows.enrolling import Enrollment, enroll
from strongroom_client.flows.governing import lift_quarantine, set_policy
from strongroom_client.flows.reading import ask_history, ask_vault
from strongroom_client.flows.recovering import RecoveryChange, set_recovery
from strongroom_client.flows.releasing import Released, release
from strongroom_client.flows.removing import remove_passkey
from strongroom_client.flows.renewing import Renewal, change_mode, rename_passkey, renew
from strongroom_client.flows.reopening import reopen_closed, reopen_set_aside
from strongroom_client.flows.resetting import reset
from strongroom_client.flows.storing import Stored, store
from strongroom_client.memory import AccountMemory, Mode
from strongroom_client.memory_folder import Memory
from strongroom_client.notices import Notice, unheard
from strongroom_client.receipts.format import KeptLine
from strongroom_client.recovery_key import RecoveryKey
from strongroom_client.running import Authenticators, Device, run, signers
from strongroom_client.session import Session, VaultSettings
from strongroom_client.steps import Call, Flow, Pause, Step
from strongroom_client.transport import Connection
from strongroom_client.verification.evidence import EvidenceFlaw, examine_evidence
from strongroom_client.verification.kept_receipts import Examination, Finding, examine_receipts
from strongroom_client.verification.owner_bundles import receipt_pins

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
        notify: Callable[[Notice], None] = unheard,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pause = pause
        self._connection = connection
        self._device = Device(memory=memory, notify=notify)
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
        self._device.memory.close()

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What the user should have been told so far, in order; `notify` was called with each when it came up."""
        return tuple(self._session.told)

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

    def outlook(self, change: Change, passkey: bytes = b"") -> Outlook:
        """Say what a change will mean for who can open what, before it is made; `passkey` is the one to be removed."""
        return outlook(change, status=self.vault(), memory=self.memory, passkey=passkey)

    def history(self) -> tuple[HistoryEvent, ...]:
        """Return the history, newest first, verified to be without a gap and to pass through what is known.

        It goes back to version 1, or to the version that the vault says, signed, is the first that it keeps.
        """
        return self._run(ask_history(self._session))

    def examine_history(self) -> tuple[EvidenceFlaw, ...]:
        """Return what of the history's evidence does not hold: who signed for each event, by the account's own keys."""
        owner, events = self._session.settings.owner, self.history()
        return examine_evidence((event.message for event in events), tenant=owner.tenant, account=owner.account)

    def receipts(self) -> tuple[KeptLine, ...]:
        """Return every receipt that this device keeps, and the notes between them, oldest first."""
        return self._device.memory.receipts()

    def examine_receipts(self) -> Examination:
        """Examine all kept receipts off line, against the pinned identity keys.

        Raises:
            UnpinnedVault: nothing is pinned, so that they prove nothing.
        """
        settings, lines = self._session.settings, self.receipts()
        pins = receipt_pins(settings.trust, self.memory.owner_bundle)
        return examine_receipts(lines, pins=pins, remembered=self.memory.position)

    def compare_receipts(self) -> tuple[Finding, ...]:
        """Ask for the vault's history, and return what of the kept receipts it has forgotten or changed."""
        return self._run(compare_receipts(self._session, self.receipts()))

    def enroll(
        self,
        authenticator: Authenticator,
        *,
        user_name: str,
        name: str = "",
        mode: Mode = Mode.PRF,
        recovery_key: RecoveryKey | None = None,
    ) -> Enrollment:
        """Enroll: passkey, first envelope, trial release; three prompts. Without `recovery_key` one is generated."""
        flow = enroll(self._session, user_name=user_name, name=name, mode=mode, recovery_key=recovery_key)
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

    def add_passkey(
        self,
        further: Authenticator,
        *,
        user_name: str,
        by: Authenticator | RecoveryKey,
        name: str = "",
        mode: Mode | None = None,
    ) -> Addition:
        """Add a passkey on the `further` authenticator, let in `by` a passkey of the vault or by the recovery key."""
        key, own = signers(by)
        flow = add_passkey(self._session, user_name=user_name, name=name, recovery_key=key, mode=mode)
        return self._run(flow, own, further=further)

    def rename_passkey(
        self, authenticator: Authenticator, credential_id: bytes, name: str, *, mode: Mode | None = None
    ) -> Stored:
        """Give a passkey a name, or with an empty one take it away."""
        return self._run(rename_passkey(self._session, credential_id, name, mode=mode), authenticator)

    def renew(self, authenticator: Authenticator, *, mode: Mode | None = None) -> Renewal:
        """Take a fresh archive key for what is backed up from now on."""
        return self._run(renew(self._session, mode=mode), authenticator)

    def change_mode(self, authenticator: Authenticator, to: Mode, *, mode: Mode | None = None) -> Stored:
        """Lock the envelope in another mode; archives stay as they are. `mode` is that of before, as elsewhere."""
        return self._run(change_mode(self._session, to, mode=mode), authenticator)

    def remove_passkey(self, authenticator: Authenticator, credential_id: bytes, *, mode: Mode | None = None) -> Stored:
        """Remove a passkey by another one; backups from here then use a fresh key."""
        return self._run(remove_passkey(self._session, credential_id, mode=mode), authenticator)

    def set_recovery(
        self, authenticator: Authenticator, *, recovery_key: RecoveryKey | None = None, mode: Mode | None = None
    ) -> RecoveryChange:
        """Replace the recovery key; without `recovery_key` a new one is generated."""
        return self._run(set_recovery(self._session, recovery_key=recovery_key, mode=mode), authenticator)

    def reopen_set_aside(self, by: Authenticator | RecoveryKey, *, mode: Mode | None = None) -> None:
        """Bring back what a reset has set aside; the newer life is dropped."""
        key, own = signers(by)
        self._run(reopen_set_aside(self._session, recovery_key=key, mode=mode), own)

    def reopen_closed(self, by: Authenticator | RecoveryKey, *, mode: Mode | None = None) -> None:
        """Reopen a vault that closed when its attempts were used up."""
        key, own = signers(by)
        self._run(reopen_closed(self._session, recovery_key=key, mode=mode), own)

    def lift_quarantine(self, authenticator: Authenticator, credential_id: bytes, *, mode: Mode | None = None) -> None:
        """Trust a quarantined passkey again, by another one."""
        self._run(lift_quarantine(self._session, credential_id, mode=mode), authenticator)

    def set_policy(self, authenticator: Authenticator, policy: Policy, *, mode: Mode | None = None) -> None:
        """Set all limits of the record."""
        self._run(set_policy(self._session, policy, mode=mode), authenticator)

    def reset(self) -> Millis:
        """Set the vault aside and start an empty one; the token must allow it. Returns when the old is erased."""
        return self._run(reset(self._session))

    def accept_older_vault(self) -> AccountMemory:
        """Go on with a vault that went back, because its operator said that it was restored. Returns what is known."""
        return self._run(accept_older_vault(self._session))

    def _run(
        self, flow: Flow[_Result], own: Authenticator | None = None, *, further: Authenticator | None = None
    ) -> _Result:
        asked = Authenticators(own=own, further=further)
        with self._one_at_a_time:
            return run(flow, lambda step: self._take(step, asked))

    def _take(self, step: Step, asked: Authenticators) -> object:
        match step:
            case Call(rpc, request):
                return self._connection.call(rpc, request)
            case Pause(seconds):
                self._pause(seconds)
            case _:
                return self._device.take(step, asked)
        return None
