"""The keeper's answers about the vault's keys: which there are, their next steps, and records moved to newer ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from strongroom.keeper.v1 import operator_pb2, record_pb2
from strongroom.v1 import resources_pb2
from strongroom_service.domain.epochs import EpochChange, EpochState
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.keeper.envelopes import kek_epochs_of
from strongroom_service.keeper.formats.enums import EnumTable
from strongroom_service.keeper.formats.receipt import identity_fingerprint
from strongroom_service.keeper.formats.sealing import parse_header
from strongroom_service.keeper.formats.vault_row import EPOCH_STATES, KEY_PURPOSES
from strongroom_service.keeper.key_changes import KeyChanger, KeyUse
from strongroom_service.keeper.presented import StaleRow
from strongroom_service.keeper.token.port import KeyName, KeyPurpose
from strongroom_service.keeper.unsealing import unseal_own_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from strongroom.keeper.v1 import frames_pb2
    from strongroom_service.domain.clock import Clock
    from strongroom_service.keeper.formats.vault_row import VaultKey
    from strongroom_service.keeper.handler import KeeperHandler
    from strongroom_service.keeper.token.port import Token
    from strongroom_service.keeper.visits import Log

_CHANGES: Final = EnumTable(
    {
        EpochChange.PREPARE: operator_pb2.KEY_CHANGE_PREPARE,
        EpochChange.ACTIVATE: operator_pb2.KEY_CHANGE_ACTIVATE,
        EpochChange.RETIRE: operator_pb2.KEY_CHANGE_RETIRE,
        EpochChange.TAKE_BACK: operator_pb2.KEY_CHANGE_TAKE_BACK,
        EpochChange.DESTROY: operator_pb2.KEY_CHANGE_DESTROY,
    }
)
CALLS: Final = frozenset({"list_keys", "change_key", "survey", "rewrap"})


class KeyDesk:
    """Answers one connection's calls about keys, and counts what its surveys have seen."""

    def __init__(
        self, *, keeper: KeeperHandler, clock: Clock, random: Callable[[int], bytes], spread_ms: int, log: Log
    ) -> None:
        """`spread_ms` is how long a change takes to reach every keeper of every replica."""
        self._keeper = keeper
        self._clock = clock
        self._random = random
        self._spread_ms = spread_ms
        self._log = log
        self._use = KeyUse()

    def answer(self, call: operator_pb2.OperatorCall) -> operator_pb2.OperatorReply:
        """Answer one of `CALLS`.

        Raises:
            Misconfigured, RecordRejected, TokenFault: why it is not done.
        """
        match call.WhichOneof("call"):
            case "list_keys":
                return operator_pb2.OperatorReply(list_keys=self._list())
            case "change_key":
                return operator_pb2.OperatorReply(change_key=self._change(call.change_key))
            case "survey":
                for row in call.survey.rows:
                    self._look_at(row)
                return operator_pb2.OperatorReply(survey=operator_pb2.SurveyReply(rows=self._use.rows))
            case _:
                return operator_pb2.OperatorReply(rewrap=self._rewrap(call.rewrap))

    def _list(self) -> operator_pb2.ListKeysReply:
        keys = self._keeper.keys
        bundle = resources_pb2.KeyBundle.FromString(keys.contents.key_bundle.bundle)
        return operator_pb2.ListKeysReply(
            keys=[_standing(key, keys.token) for key in keys.contents.keys],
            created_at=keys.contents.created_at,
            bundle_serial=bundle.serial,
            bundle_not_after=bundle.not_after_time.ToMilliseconds(),
            spread_ms=self._spread_ms,
        )

    def _change(self, call: operator_pb2.ChangeKeyCall) -> operator_pb2.ChangeKeyReply:
        keys = self._keeper.keys
        name, change = _name_of(call), _CHANGES.inverse(call.change)
        changer = KeyChanger(
            keys=keys, use=self._use, now=self._clock.now(), spread_ms=self._spread_ms, random=self._random
        )
        successor = changer.change(name, change)
        self._log.info("key_change_made", key=name.label, change=change.value, vault_version=keys.contents.version + 1)
        return operator_pb2.ChangeKeyReply(vault_version=keys.contents.version + 1, successor_sealed=successor)

    def _look_at(self, row: frames_pb2.Row) -> None:
        record = unseal_own_record(self._keeper.keys, row)
        names = {KeyName(KeyPurpose.KEK, epoch) for epoch in kek_epochs_of(record)}
        names.add(KeyName(KeyPurpose.SEAL, parse_header(row.sealed).epoch))
        self._use.add(names, now=self._clock.now())

    def _rewrap(self, call: operator_pb2.RewrapCall) -> operator_pb2.RewrapReply:
        try:
            change = self._keeper.rewrap(call.row, chain_head=call.chain_head)
        except StaleRow:
            return operator_pb2.RewrapReply(moved_on=True)
        return operator_pb2.RewrapReply(commit=change)


def _name_of(call: operator_pb2.ChangeKeyCall) -> KeyName:
    if call.epoch < 1 and call.purpose != record_pb2.KEY_PURPOSE_INDEX:
        raise Misconfigured("epochs begin at 1")
    return KeyName(KEY_PURPOSES.inverse(call.purpose), call.epoch)


def _standing(key: VaultKey, token: Token) -> operator_pb2.KeyStanding:
    known = key.name.purpose is KeyPurpose.IDENTITY and key.state is not EpochState.DESTROYED
    return operator_pb2.KeyStanding(
        key=record_pb2.KeyState(
            purpose=KEY_PURPOSES[key.name.purpose],
            epoch=key.name.epoch,
            state=EPOCH_STATES[key.state],
            check_value=key.check_value,
            state_at=key.state_at,
        ),
        label=key.name.label,
        fingerprint=identity_fingerprint(token.identity_public_key(epoch=key.name.epoch)) if known else b"",
    )
