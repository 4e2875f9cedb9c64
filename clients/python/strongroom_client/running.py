"""Taking the steps of a flow: what is done on this device, and the two loops, plain and asynchronous."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from strongroom_client.authenticators.port import Assertion, Attestation, Authenticator
from strongroom_client.memory_folder import Memory
from strongroom_client.notices import Notice
from strongroom_client.recovery_key import RecoveryKey
from strongroom_client.steps import CreatePasskey, Flow, Keep, KeepContested, Step, Tell, UsePasskey

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticators:
    """Who holds the passkeys of the vault, and who makes, or has made, a further one; None where nobody is asked."""

    own: Authenticator | None = None
    further: Authenticator | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Takes the steps that are this device's affair. It blocks, on a disk or on a person."""

    memory: Memory
    notify: Callable[[Notice], None]

    def take(self, step: CreatePasskey | UsePasskey | Keep | KeepContested | Tell, asked: Authenticators) -> object:
        """Take a step.

        Raises:
            AuthenticatorError: the authenticator did not do it.
            MemoryFault: the disk did not take it.
        """
        match step:
            case Keep(kept, entry):
                self.memory.keep(kept, entry=entry)
            case KeepContested():
                self.memory.keep_contested(known=step.known, shown=step.shown, receipt=step.receipt)
            case Tell(notice):
                self.notify(notice)
            case CreatePasskey():
                return _create(step, _chosen(asked, further=step.further))
            case UsePasskey():
                return _use(step, _chosen(asked, further=step.further))
        return None


def signers(by: Authenticator | RecoveryKey) -> tuple[RecoveryKey | None, Authenticator | None]:
    """Return the recovery key that is to sign, or else the authenticator."""
    return (by, None) if isinstance(by, RecoveryKey) else (None, by)


def run(flow: Flow[_Result], take: Callable[[Step], object]) -> _Result:
    """Run `flow` to its end."""
    try:
        step = next(flow)
        while True:
            try:
                result = take(step)
            except Exception as error:  # noqa: BLE001  the flow decides what an error means
                step = flow.throw(error)
            else:
                step = flow.send(result)
    except StopIteration as stop:
        finished: _Result = stop.value
        return finished


async def run_async(flow: Flow[_Result], take: Callable[[Step], Awaitable[object]]) -> _Result:
    """Run `flow` to its end, for asyncio."""
    try:
        step = next(flow)
        while True:
            try:
                result = await take(step)
            except Exception as error:  # noqa: BLE001  the flow decides what an error means
                step = flow.throw(error)
            else:
                step = flow.send(result)
    except StopIteration as stop:
        finished: _Result = stop.value
        return finished


def _chosen(asked: Authenticators, *, further: bool) -> Authenticator:
    chosen = asked.further if further else asked.own
    if chosen is None:
        raise TypeError("this operation needs an authenticator")
    return chosen


def _create(step: CreatePasskey, authenticator: Authenticator) -> Attestation:
    return authenticator.make_credential(
        rp_id=step.rp_id,
        origin=step.origin,
        challenge=step.challenge,
        user_handle=step.user_handle,
        user_name=step.user_name,
        algorithms=step.algorithms,
        exclude=step.exclude,
        prf_input=step.prf_input,
    )


def _use(step: UsePasskey, authenticator: Authenticator) -> Assertion:
    return authenticator.get_assertion(
        rp_id=step.rp_id, origin=step.origin, challenge=step.challenge, allow=step.allow, prf_input=step.prf_input
    )
