"""The vault's keys as the keeper uses them: which epochs are in use, and what is derived from the token at start."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from strongroom_service.domain.checkpoints import NO_CHECKPOINT
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.epochs import OPENING, SHOWN, EpochState
from strongroom_service.domain.errors import Misconfigured, RecordRejected
from strongroom_service.domain.fields import encode_fields
from strongroom_service.keeper.formats.bundle import make_bundle, serial_of, transport_key_id
from strongroom_service.keeper.formats.receipt import identity_fingerprint
from strongroom_service.keeper.formats.sealing import Kind, derive_one_time_key, draw_one_time_key, parse_header
from strongroom_service.keeper.formats.vault_row import (
    VAULT_RECORD_ID,
    VaultContents,
    VaultKey,
    decode_vault,
    encode_vault,
    epochs_in,
)
from strongroom_service.keeper.token.port import NO_EPOCH, KeyName, KeyPurpose
from strongroom_service.keeper.token.self_test import check_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from strongroom.v1 import resources_pb2
    from strongroom_service.domain.checkpoints import CheckpointHead
    from strongroom_service.keeper.token.port import Token

_CEREMONY_KEY_LABEL = "strongroom/v1/ceremony-key"
_TRANSPORT_KEY_LABEL = "strongroom/v1/transport-key"
_ID_KEY_LABEL = "strongroom/v1/id-key"


@dataclass(frozen=True, slots=True)
class VaultKeys:
    """What a keeper holds once the vault row is opened. `id_key` is handed to the front, nothing else leaves."""

    token: Token
    contents: VaultContents
    kek_epoch: int
    seal_epoch: int
    identity_epoch: int
    identity_fingerprint: bytes
    id_key: bytes = field(repr=False)
    ceremony_keys: dict[int, bytes] = field(repr=False)
    transport_keys: dict[bytes, X25519PrivateKey] = field(repr=False)
    opening: frozenset[KeyName]

    @property
    def ceremony_key(self) -> bytes:
        """The key of new ceremonies."""
        return self.ceremony_keys[self.seal_epoch]

    def may_open_records(self, seal_epoch: int) -> bool:
        """A RETIRED seal epoch opens events only, never records: who puts back a record of that time is refused."""
        return KeyName(KeyPurpose.SEAL, seal_epoch) in self.opening

    def may_open_events(self, seal_epoch: int) -> bool:
        """Events stay where they were sealed: RETIRED epochs open them too."""
        return seal_epoch in self.ceremony_keys

    def may_unwrap(self, kek_epoch: int) -> bool:
        """A RETIRED KEK unwraps nothing: that no record needs it has been shown."""
        return KeyName(KeyPurpose.KEK, kek_epoch) in self.opening


def open_vault(token: Token, *, version: int, sealed: bytes) -> VaultKeys:
    """Open the vault row, check every key that it names in the token, and derive what the keeper works with.

    Raises:
        RecordRejected: the row does not open, or is not this version's.
        Misconfigured: a key is missing or not what it should be; named.
        TokenFault: the token failed.
    """
    opened = derive_one_time_key(token, parse_header(sealed)).open(
        Kind.VAULT, record_id=VAULT_RECORD_ID, version=version, sealed=sealed
    )
    contents = decode_vault(opened)
    if contents.version != version:
        message = "the vault row says another version than its seal"
        raise RecordRejected(message)
    held = {key.name: key.check_value for key in contents.keys if key.state is not EpochState.DESTROYED}
    check_keys(token, held)
    identity_epoch = contents.active_epoch(KeyPurpose.IDENTITY)
    opening_events = OPENING | {EpochState.RETIRED}
    return VaultKeys(
        token=token,
        contents=contents,
        kek_epoch=contents.active_epoch(KeyPurpose.KEK),
        seal_epoch=contents.active_epoch(KeyPurpose.SEAL),
        identity_epoch=identity_epoch,
        identity_fingerprint=identity_fingerprint(token.identity_public_key(epoch=identity_epoch)),
        id_key=_derive(token, KeyName(KeyPurpose.INDEX, NO_EPOCH), _ID_KEY_LABEL),
        ceremony_keys={
            epoch: _derive(token, KeyName(KeyPurpose.SEAL, epoch), _CEREMONY_KEY_LABEL)
            for epoch in epochs_in(contents.keys, KeyPurpose.SEAL, opening_events)
        },
        transport_keys=_transport_keys(token, epochs_in(contents.keys, KeyPurpose.TRANSPORT, OPENING)),
        opening=frozenset(key.name for key in contents.keys if key.state in OPENING),
    )


def make_vault(
    token: Token, names: Iterable[KeyName], *, now: Millis, random: Callable[[int], bytes]
) -> tuple[int, bytes]:
    """Make the first vault row over freshly made keys: its version (1) and its sealed bytes."""
    keys = tuple(
        VaultKey(
            name=name,
            state=EpochState.ACTIVE,
            check_value=token.check_value(purpose=name.purpose, epoch=name.epoch),
            state_at=now,
        )
        for name in names
    )
    contents = VaultContents(
        version=1,
        keys=keys,
        key_bundle=_next_bundle(token, keys, previous=None, now=now),
        created_at=now,
        checkpoint_sha256=NO_CHECKPOINT,
        checkpoint_serial=0,
        checkpoint_at=Millis(0),
        events_horizon=Millis(0),
    )
    return contents.version, _seal(token, contents, random=random)


def renew_bundle(keys: VaultKeys, *, now: Millis, random: Callable[[int], bytes]) -> bytes:
    """Return the sealed successor of the vault row, with a new key bundle; the front commits it."""
    contents = replace(
        keys.contents,
        version=keys.contents.version + 1,
        key_bundle=_next_bundle(keys.token, keys.contents.keys, previous=keys.contents.key_bundle, now=now),
    )
    return _seal(keys.token, contents, random=random)


def keep_keys(
    keys: VaultKeys, changed: tuple[VaultKey, ...], *, now: Millis, random: Callable[[int], bytes], show: bool
) -> bytes:
    """Return the sealed successor of the vault row over `changed` keys; `show` them to clients in a new key bundle."""
    contents = replace(keys.contents, version=keys.contents.version + 1, keys=changed)
    if show:
        bundle = _next_bundle(keys.token, changed, previous=keys.contents.key_bundle, now=now)
        contents = replace(contents, key_bundle=bundle)
    return _seal(keys.token, contents, random=random)


def keep_checkpoint(keys: VaultKeys, head: CheckpointHead, *, random: Callable[[int], bytes]) -> bytes:
    """Return the sealed successor of the vault row, which keeps the checkpoint of `head`."""
    contents = replace(
        keys.contents,
        version=head.vault_version,
        checkpoint_sha256=head.digest,
        checkpoint_serial=head.serial,
        checkpoint_at=head.made_at,
    )
    return _seal(keys.token, contents, random=random)


def keep_horizon(keys: VaultKeys, horizon: Millis, *, random: Callable[[int], bytes]) -> bytes:
    """Return the sealed successor of the vault row, by which events of `horizon` and before may be gone.

    Raises:
        Misconfigured: that would take back what may be gone already, or let go what no checkpoint has covered.
    """
    contents = keys.contents
    if not contents.events_horizon <= horizon <= contents.checkpoint_at:
        message = "events may go in the order of their time only, and only those before the last checkpoint"
        raise Misconfigured(message)
    return _seal(keys.token, replace(contents, version=contents.version + 1, events_horizon=horizon), random=random)


def _next_bundle(
    token: Token, keys: tuple[VaultKey, ...], *, previous: resources_pb2.SignedKeyBundle | None, now: Millis
) -> resources_pb2.SignedKeyBundle:
    identity_epochs = epochs_in(keys, KeyPurpose.IDENTITY, SHOWN | {EpochState.PREPARED})
    transport_keys = _transport_keys(token, epochs_in(keys, KeyPurpose.TRANSPORT, SHOWN))
    return make_bundle(
        token,
        serial=1 if previous is None else serial_of(previous) + 1,
        previous=b"" if previous is None else previous.bundle,
        transport_keys=[key.public_key().public_bytes_raw() for key in transport_keys.values()],
        identity_keys=[token.identity_public_key(epoch=epoch) for epoch in identity_epochs],
        identity_epoch=identity_epochs[0],
        now=now,
    )


def _seal(token: Token, contents: VaultContents, *, random: Callable[[int], bytes]) -> bytes:
    key = draw_one_time_key(token, epoch=contents.active_epoch(KeyPurpose.SEAL), random=random)
    return key.seal(Kind.VAULT, record_id=VAULT_RECORD_ID, version=contents.version, plaintext=encode_vault(contents))


def _transport_keys(token: Token, epochs: tuple[int, ...]) -> dict[bytes, X25519PrivateKey]:
    keys = [
        X25519PrivateKey.from_private_bytes(_derive(token, KeyName(KeyPurpose.TRANSPORT, epoch), _TRANSPORT_KEY_LABEL))
        for epoch in epochs
    ]
    return {transport_key_id(key.public_key().public_bytes_raw()): key for key in keys}


def _derive(token: Token, name: KeyName, label: str) -> bytes:
    return token.derive(purpose=name.purpose, epoch=name.epoch, label=label, context=encode_fields(label, name.epoch))
