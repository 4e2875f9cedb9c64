"""What a flow asks of the world, one step at a time.

Every operation is a generator (flows/) that yields steps and is sent their results; errors of a step are thrown into
it. The synchronous and the asynchronous client differ only in how they take steps, so that no rule is written twice,
and tests take them without a network.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from enum import Enum, unique
from typing import Final, TypeAlias, TypeVar

from google.protobuf.message import Message

from strongroom_client.authenticators.port import Assertion, Attestation
from strongroom_client.memory import AccountMemory
from strongroom_client.notices import Notice
from strongroom_client.receipts.format import Accepted, KeptReceipt
from strongroom_client.verification.positions import Position

_Result = TypeVar("_Result")


@unique
class Rpc(Enum):
    """The vault's RPCs; the value is the name in the protocol."""

    GET_SERVICE_INFO = "GetServiceInfo"
    GET_VAULT = "GetVault"
    BEGIN_CEREMONY = "BeginCeremony"
    COMPLETE_REGISTRATION = "CompleteRegistration"
    STORE_ENVELOPE = "StoreEnvelope"
    RELEASE_ENVELOPE = "ReleaseEnvelope"
    DELETE_VAULT = "DeleteVault"
    ADD_CREDENTIAL = "AddCredential"
    REMOVE_CREDENTIAL = "RemoveCredential"
    SET_RECOVERY = "SetRecovery"
    REOPEN = "Reopen"
    LIFT_QUARANTINE = "LiftQuarantine"
    SET_POLICY = "SetPolicy"
    RESET_VAULT = "ResetVault"
    LIST_EVENTS = "ListEvents"
    LIST_TENANT_EVENTS = "ListTenantEvents"
    ERASE_ACCOUNT = "EraseAccount"
    CANCEL_ERASE_ACCOUNT = "CancelEraseAccount"


TENANT_RPCS: Final = frozenset({Rpc.LIST_TENANT_EVENTS, Rpc.ERASE_ACCOUNT, Rpc.CANCEL_ERASE_ACCOUNT})
"""Those of the service that answers tenants, and takes their own tokens."""


@dataclass(frozen=True, slots=True)
class Call:
    """Call the vault. Result: the response message. Raises VaultRefused or VaultTrouble."""

    rpc: Rpc
    request: Message = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePasskey:
    """Ask the authenticator for a new passkey; arguments as in its port. Result: an Attestation.

    `further`: the passkey is one more for a vault that has some, and another authenticator's affair than theirs.
    """

    rp_id: str
    origin: str
    challenge: bytes
    user_handle: bytes
    user_name: str
    algorithms: tuple[int, ...]
    exclude: tuple[bytes, ...]
    prf_input: bytes
    further: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UsePasskey:
    """Ask the authenticator to sign; arguments as in its port. `further` as above. Result: an Assertion."""

    rp_id: str
    origin: str
    challenge: bytes
    allow: tuple[bytes, ...]
    prf_input: bytes
    further: bool = False


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep what was learned, and what is to be written beside it for good. Result: None."""

    memory: AccountMemory
    entry: KeptReceipt | Accepted | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepContested:
    """Keep the evidence that a vault went back. Result: None."""

    known: Position
    shown: Position
    receipt: KeptReceipt


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell the user what else there is to know. Result: None."""

    notice: Notice


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait. Result: None."""

    seconds: float


Step: TypeAlias = Call | CreatePasskey | UsePasskey | Keep | KeepContested | Tell | Pause
Flow: TypeAlias = Generator[Step, object, _Result]


def call(rpc: Rpc, request: Message, response: type[_Result]) -> Flow[_Result]:
    """Call the vault and return its answer, a `response`."""
    return _typed((yield Call(rpc, request)), response)


def create_passkey(step: CreatePasskey) -> Flow[Attestation]:
    """Take `step` and return its result."""
    return _typed((yield step), Attestation)


def use_passkey(step: UsePasskey) -> Flow[Assertion]:
    """Take `step` and return its result."""
    return _typed((yield step), Assertion)


def _typed(result: object, kind: type[_Result]) -> _Result:
    if not isinstance(result, kind):
        raise TypeError(f"a step gave {type(result).__name__} in place of {kind.__name__}")
    return result
