"""What may be done with a key of the vault, and when: each change is a new row of the vault, to be committed.

    make -> PREPARED -> ACTIVE -> RETIRING -> RETIRED -> DESTROYED
                                     ^-- taken back --/

Every keeper of every replica opens the vault's newest row within `spread_ms`. Until all have, some still make things
with the key that was in use before, and none may meet what it cannot open: hence the waits.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from strongroom_service.domain.ceremonies import REGISTRATION_CEREMONY_SECONDS
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.epochs import EpochChange, EpochState
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.keeper.formats.vault_row import VaultKey
from strongroom_service.keeper.token.port import KeyName, KeyPurpose
from strongroom_service.keeper.token.self_test import check_keys
from strongroom_service.keeper.vault_keys import keep_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from strongroom_service.keeper.vault_keys import VaultKeys

# A client seals to the transport key that it was told of when it began.
_SEALED_TO_MS: Final = REGISTRATION_CEREMONY_SECONDS * 1_000
_SHOWN: Final = frozenset({KeyPurpose.TRANSPORT, KeyPurpose.IDENTITY})
_IN_RECORDS: Final = frozenset({KeyPurpose.KEK, KeyPurpose.SEAL})
# What an operator can do about a key that is not in the state asked for.
_WAY_ON: Final = {
    EpochState.PREPARED: "`keys rotate` puts it to use",
    EpochState.ACTIVE: "`keys rotate` puts a newer one to use",
    EpochState.RETIRING: "`keys retire` retires it",
    EpochState.RETIRED: "`keys take-back` has it open again, `keys destroy` destroys it",
    EpochState.DESTROYED: "it is gone from the token for good",
}


@dataclass(slots=True)
class KeyUse:
    """Which keys the records need that were opened to see it, and since when."""

    rows: int = 0
    since: Millis | None = None
    counts: dict[KeyName, int] = field(default_factory=dict)

    def add(self, names: Iterable[KeyName], *, now: Millis) -> None:
        """Count a record that needs `names`."""
        self.rows += 1
        self.since = now if self.since is None else self.since
        for name in names:
            self.counts[name] = self.counts.get(name, 0) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChanger:
    """Changes keys of the vault that is open.

    Attributes:
        use: what was seen in all records; what retires a key goes by it.
        spread_ms: until every keeper has the newest row.
    """

    keys: VaultKeys = field(repr=False)
    use: KeyUse
    now: Millis
    spread_ms: int
    random: Callable[[int], bytes]

    def change(self, name: KeyName, change: EpochChange) -> bytes:
        """Return the sealed successor of the vault's row in which `change` is made.

        Raises:
            Misconfigured: it may not be, or not yet; says why, and what comes before.
            TokenFault: the token failed.
        """
        if name.purpose is KeyPurpose.INDEX:
            raise Misconfigured("the index key is never rotated: every record's id is derived from it")
        changed = {
            EpochChange.PREPARE: self._prepare,
            EpochChange.ACTIVATE: self._activate,
            EpochChange.RETIRE: self._retire,
            EpochChange.TAKE_BACK: self._take_back,
            EpochChange.DESTROY: self._destroy,
        }[change](name)
        show = name.purpose in _SHOWN
        return keep_keys(self.keys, changed, now=self.now, random=self.random, show=show)

    def _prepare(self, name: KeyName) -> tuple[VaultKey, ...]:
        others = [key for key in self.keys.contents.keys if key.name.purpose is name.purpose]
        newest = max(key.name.epoch for key in others)
        if name.epoch != newest + 1:
            raise Misconfigured(f"the next epoch is {name.purpose.label(newest + 1)}, not {name.label}")
        for key in others:
            if key.state is EpochState.PREPARED:
                raise Misconfigured(f"{key.name.label} is prepared already: activate it first")
        token = self.keys.token
        value = token.check_value(purpose=name.purpose, epoch=name.epoch)
        check_keys(token, {name: value})
        made = VaultKey(name=name, state=EpochState.PREPARED, check_value=value, state_at=self.now)
        return (*self.keys.contents.keys, made)

    def _activate(self, name: KeyName) -> tuple[VaultKey, ...]:
        self._in_state(name, EpochState.PREPARED, since_ms=self.spread_ms)
        replaced = KeyName(name.purpose, self.keys.contents.active_epoch(name.purpose))
        return self._with({name: EpochState.ACTIVE, replaced: EpochState.RETIRING})

    def _retire(self, name: KeyName) -> tuple[VaultKey, ...]:
        wait_ms = self.spread_ms + (_SEALED_TO_MS if name.purpose is KeyPurpose.TRANSPORT else 0)
        replaced = self._in_state(name, EpochState.RETIRING, since_ms=wait_ms)
        if name.purpose in _IN_RECORDS:
            self._demand_unused(name, settled_at=Millis(replaced.state_at + wait_ms))
        return self._with({name: EpochState.RETIRED})

    def _take_back(self, name: KeyName) -> tuple[VaultKey, ...]:
        self._in_state(name, EpochState.RETIRED)
        return self._with({name: EpochState.RETIRING})

    def _destroy(self, name: KeyName) -> tuple[VaultKey, ...]:
        self._in_state(name, EpochState.RETIRED)
        return self._with({name: EpochState.DESTROYED})

    def _in_state(self, name: KeyName, state: EpochState, *, since_ms: int = 0) -> VaultKey:
        found = next((key for key in self.keys.contents.keys if key.name == name), None)
        if found is None:
            raise Misconfigured(f"there is no key {name.label} in this vault")
        if found.state is not state:
            raise Misconfigured(
                f"key {name.label} is {found.state.value}, and must be {state.value} for this: {_WAY_ON[found.state]}"
            )
        left_ms = found.state_at + since_ms - self.now
        if left_ms > 0:
            raise Misconfigured(
                f"key {name.label} is {state.value} too short a time for every keeper to go by it: try again in"
                f" {-(-left_ms // 1_000)} s"
            )
        return found

    def _demand_unused(self, name: KeyName, *, settled_at: Millis) -> None:
        """Columns are not believed: every record was opened, since the time when nothing more is made with the key."""
        if self.use.since is None or self.use.since < settled_at:
            raise Misconfigured(f"whether a record needs {name.label} was not looked at since it is out of use")
        if needed := self.use.counts.get(name, 0):
            raise Misconfigured(f"{needed} of {self.use.rows} records need {name.label}: rewrap them first")

    def _with(self, states: dict[KeyName, EpochState]) -> tuple[VaultKey, ...]:
        return tuple(
            replace(key, state=states[key.name], state_at=self.now) if key.name in states else key
            for key in self.keys.contents.keys
        )
