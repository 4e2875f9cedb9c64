"""The vault's own row: which keys the token must hold, and the key bundle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from strongroom.keeper.v1 import record_pb2
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.epochs import EpochState
from strongroom_service.domain.errors import RecordRejected
from strongroom_service.keeper.formats.enums import EnumTable
from strongroom_service.keeper.token.port import KeyName, KeyPurpose

if TYPE_CHECKING:
    from collections.abc import Iterable

    from strongroom.v1 import resources_pb2

FORMAT = 1
VAULT_RECORD_ID = b"vault"

KEY_PURPOSES = EnumTable(
    {
        KeyPurpose.KEK: record_pb2.KEY_PURPOSE_KEK,
        KeyPurpose.SEAL: record_pb2.KEY_PURPOSE_SEAL,
        KeyPurpose.TRANSPORT: record_pb2.KEY_PURPOSE_TRANSPORT,
        KeyPurpose.IDENTITY: record_pb2.KEY_PURPOSE_IDENTITY,
        KeyPurpose.INDEX: record_pb2.KEY_PURPOSE_INDEX,
    }
)
EPOCH_STATES = EnumTable(
    {
        EpochState.PREPARED: record_pb2.EPOCH_STATE_PREPARED,
        EpochState.ACTIVE: record_pb2.EPOCH_STATE_ACTIVE,
        EpochState.RETIRED: record_pb2.EPOCH_STATE_RETIRED,
        EpochState.DESTROYED: record_pb2.EPOCH_STATE_DESTROYED,
        EpochState.RETIRING: record_pb2.EPOCH_STATE_RETIRING,
    }
)


@dataclass(frozen=True, slots=True)
class VaultKey:
    """One key of the vault, with the 16-byte check value it is recognised by.

    `state_at` is since when it is in its state; 0 for since the vault was made.
    """

    name: KeyName
    state: EpochState
    check_value: bytes
    state_at: Millis


@dataclass(frozen=True, slots=True)
class VaultContents:
    """What the vault row holds."""

    version: int
    keys: tuple[VaultKey, ...]
    key_bundle: resources_pb2.SignedKeyBundle
    created_at: Millis
    checkpoint_sha256: bytes
    checkpoint_serial: int
    checkpoint_at: Millis
    events_horizon: Millis

    def active_epoch(self, purpose: KeyPurpose) -> int:
        """Return the epoch that is in use for `purpose`.

        Raises:
            RecordRejected: none, or more than one, is active.
        """
        epochs = [key.name.epoch for key in self.keys if key.name.purpose is purpose and key.state is EpochState.ACTIVE]
        if len(epochs) != 1:
            message = f"{len(epochs)} active epochs of {purpose.value}, there must be one"
            raise RecordRejected(message)
        return epochs[0]


def epochs_in(keys: Iterable[VaultKey], purpose: KeyPurpose, states: frozenset[EpochState]) -> tuple[int, ...]:
    """Return the epochs of `purpose` in one of `states`: the one in use first, then the newest first."""
    found = [key for key in keys if key.name.purpose is purpose and key.state in states]
    found.sort(key=lambda key: (key.state is EpochState.ACTIVE, key.name.epoch), reverse=True)
    return tuple(key.name.epoch for key in found)


def encode_vault(contents: VaultContents) -> bytes:
    """Serialize the vault row for sealing."""
    message = record_pb2.VaultRowState(
        format=FORMAT,
        version=contents.version,
        keys=[
            record_pb2.KeyState(
                purpose=KEY_PURPOSES[key.name.purpose],
                epoch=key.name.epoch,
                state=EPOCH_STATES[key.state],
                check_value=key.check_value,
                state_at=key.state_at,
            )
            for key in contents.keys
        ],
        key_bundle=contents.key_bundle,
        created_at=contents.created_at,
        checkpoint_sha256=contents.checkpoint_sha256,
        checkpoint_serial=contents.checkpoint_serial,
        checkpoint_at=contents.checkpoint_at,
        events_horizon=contents.events_horizon,
    )
    return message.SerializeToString(deterministic=True)


def decode_vault(serialized: bytes) -> VaultContents:
    """Return the vault row behind an opened seal.

    Raises:
        RecordRejected: it is of a format, or holds a value, that this release does not know.
    """
    try:
        message = record_pb2.VaultRowState.FromString(serialized)
    except DecodeError as error:
        detail = "an opened vault row does not parse"
        raise RecordRejected(detail) from error
    if message.format != FORMAT:
        detail = f"vault row format {message.format} is not known to this release"
        raise RecordRejected(detail)
    return VaultContents(
        version=message.version,
        keys=tuple(
            VaultKey(
                name=KeyName(purpose=KEY_PURPOSES.inverse(key.purpose), epoch=key.epoch),
                state=EPOCH_STATES.inverse(key.state),
                check_value=key.check_value,
                state_at=Millis(key.state_at),
            )
            for key in message.keys
        ),
        key_bundle=message.key_bundle,
        created_at=Millis(message.created_at),
        checkpoint_sha256=message.checkpoint_sha256,
        checkpoint_serial=message.checkpoint_serial,
        checkpoint_at=Millis(message.checkpoint_at),
        events_horizon=Millis(message.events_horizon),
    )
