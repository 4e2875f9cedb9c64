"""`strongroomd keys`: the vault's keys, through their lives, beside the running service."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from typing import TYPE_CHECKING, Final

from strongroom_service.application.keys import KeyStep, change_key, count_events
from strongroom_service.bootstrap.databases import store_beside
from strongroom_service.bootstrap.operators import all_keepers, as_front, as_keeper, open_vault
from strongroom_service.bootstrap.owner_bundles import require_listed
from strongroom_service.bootstrap.system import FINGERPRINT_NAME, keys_lock
from strongroom_service.config.vault_file import load_vault_config
from strongroom_service.domain.epochs import EpochChange, EpochState, RotatedKey
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.keeper.formats.sealing import parse_header
from strongroom_service.keeper.token.offer import choose_profile, probe_offer
from strongroom_service.keeper.token.pin import read_pin
from strongroom_service.keeper.token.port import KeyName, KeyPurpose
from strongroom_service.keeper.token.provision import destroy_key, make_missing_keys
from strongroom_service.keeper.token.session import writable_session
from strongroom_service.link.hardening import harden_process
from strongroom_service.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from pkcs11 import Session

    from strongroom_service.application.keys import KeyRing, KeyStanding
    from strongroom_service.bootstrap.databases import StoreBeside
    from strongroom_service.config.vault_file import VaultConfig
    from strongroom_service.link.operator_keeper import OperatorKeeper

    Say = Callable[[str], None]

_PURPOSES: Final = {
    RotatedKey.KEK: KeyPurpose.KEK,
    RotatedKey.SEAL: KeyPurpose.SEAL,
    RotatedKey.TRANSPORT: KeyPurpose.TRANSPORT,
    RotatedKey.IDENTITY: KeyPurpose.IDENTITY,
}
# The keeper's clock decides; ours may be a little ahead.
_MARGIN_SECONDS: Final = 0.2
# What becomes of the key that was in use until then.
_FROM_NOW_ON: Final = {
    RotatedKey.KEK: "opens only from now on",
    RotatedKey.SEAL: "opens only from now on",
    RotatedKey.TRANSPORT: "is still answered, until it is retired",
    RotatedKey.IDENTITY: "signs no more; keep its fingerprint for checkpoints and receipts of before",
}


def run_keys_list(config_path: Path) -> KeyRing:
    """Return the keys that the vault's row names.

    Raises:
        KeeperUnavailable, TokenFault, Misconfigured, RecordRejected, StoreUnavailable: something cannot be asked.
    """
    return asyncio.run(_list(_begin(config_path)))


def run_keys_rotate(
    config_path: Path, rotated: RotatedKey, *, only_make: bool, clients_pin: str | None, dry_run: bool, say: Say
) -> list[KeyStanding]:
    """Make the next key of a kind, let every keeper have it, and put it to use; goes on where a run was cut short.

    Returns the keys of that kind, as they then are.

    An identity key is put to use only where `clients_pin` is its fingerprint: who pins another one would be locked out.

    Raises:
        Misconfigured: that may not be now; says what comes before.
        KeeperUnavailable, TokenFault, StoreUnavailable, OutcomeUnknown: something failed; run it again.
    """
    config = _begin(config_path)
    _rotate(config, rotated, only_make=only_make, clients_pin=clients_pin, dry_run=dry_run, say=say)
    return [key for key in asyncio.run(_list(config)).keys if key.rotated is rotated]


def _rotate(
    config: VaultConfig, rotated: RotatedKey, *, only_make: bool, clients_pin: str | None, dry_run: bool, say: Say
) -> None:
    ring = asyncio.run(_list(config))
    prepared = ring.of(rotated, EpochState.PREPARED)
    name = KeyName(_PURPOSES[rotated], ring.next_epoch(rotated) if prepared is None else prepared.epoch)
    active = ring.of(rotated, EpochState.ACTIVE)
    if prepared is None and active is not None and clients_pin == active.fingerprint.hex():
        # Cut short right before its end: not a wish for one more key.
        _write_fingerprint(config, active)
        say(f"{active.label} is in use already.")
        return
    if dry_run:
        say(f"Would make {name.label} in the token, wait {ring.spread_ms / 1_000:g} s until every keeper has it,")
        say(f"and put it to use in place of {active.label if active else 'none'}, which would open only from then on.")
        return
    if prepared is None:
        for label in _make(config, name):
            say(f"Made key {label} in the token.")
        if only_make:
            say("Copy it to every other token of this vault now, then run this again.")
            return
        _change(config, KeyStep(rotated, name.epoch, EpochChange.PREPARE))
        ring = asyncio.run(_list(config))
    made = ring.named(name.label)
    if rotated is RotatedKey.IDENTITY:
        if not _is_pinned(made, clients_pin, say=say):
            return
        require_listed(config.owners, made.fingerprint, label=made.label)
    _await_spread(made, ring.spread_ms, say=say)
    _change(config, KeyStep(rotated, name.epoch, EpochChange.ACTIVATE))
    if rotated is RotatedKey.IDENTITY:
        _write_fingerprint(config, made)
    say(f"{name.label} is in use. {active.label if active else 'none'} {_FROM_NOW_ON[rotated]}.")


def run_keys_take_back(config_path: Path, label: str, *, say: Say) -> KeyStanding:
    """Let a retired key open again, and return it. Raises as `run_keys_rotate`."""
    config = _begin(config_path)
    _change(config, step_of(asyncio.run(_list(config)).named(label), EpochChange.TAKE_BACK))
    say(f"{label} opens again, until it is retired.")
    return asyncio.run(_list(config)).named(label)


def run_keys_destroy(
    config_path: Path, label: str, *, dry_run: bool, confirm: Callable[[str], bool], say: Say
) -> KeyStanding:
    """Destroy a retired key in the token, for good, and return it; the next run finishes one cut short.

    Raises:
        Misconfigured: it is not retired, or not confirmed, or the token does not let go of it.
        KeeperUnavailable, TokenFault, StoreUnavailable, OutcomeUnknown: something failed; run it again.
    """
    config = _begin(config_path)
    key = asyncio.run(_list(config)).named(label)
    step = step_of(key, EpochChange.DESTROY)
    if key.state not in {EpochState.RETIRED, EpochState.DESTROYED}:
        raise Misconfigured(f"key {label} is {key.state.value}: only what `keys retire` has retired can be destroyed")
    if step.rotated is RotatedKey.SEAL:
        asyncio.run(_demand_no_events(config, key))
    if dry_run:
        say(f"Would destroy {label} in this token, and with it whatever only it opens, in every copy of the database.")
        return key
    if not confirm(label):
        raise Misconfigured(f"not confirmed: {label} was not retyped, and nothing was changed")
    if key.state is EpochState.RETIRED:
        _change(config, step)
    with _token(config) as session:
        destroy_key(session, KeyName(_PURPOSES[step.rotated], step.epoch))
    say(f"{label} is destroyed in this token. Destroy it in every copy of the token too.")
    return asyncio.run(_list(config)).named(label)


async def _demand_no_events(config: VaultConfig, key: KeyStanding) -> None:
    """Without their key, events could not be read, and no account could list its history past them."""
    async with _vault(config) as (_, store):
        count = await count_events(store, needs=lambda sealed: parse_header(sealed).epoch == key.epoch)
    if count:
        raise Misconfigured(
            f"{count} events are sealed under {key.label}: let them go first (`checkpoint make`, then `events prune"
            " --older-than DAYS`; with 0 all that are not the newest of their record, and covered by that checkpoint)"
        )


def step_of(key: KeyStanding, change: EpochChange) -> KeyStep:
    """Return the step of a key.

    Raises:
        Misconfigured: it is the index key, which has no epochs.
    """
    if key.rotated is None:
        raise Misconfigured(f"{key.label} has no epochs: every record's id is derived from it")
    return KeyStep(key.rotated, key.epoch, change)


def _begin(config_path: Path) -> VaultConfig:
    harden_process()
    configure_logging("keys")
    return load_vault_config(config_path)


async def _list(config: VaultConfig) -> KeyRing:
    async with _vault(config) as (keepers, store):
        await open_vault(keepers[0], store)
        return await keepers[0].list_keys()


def _change(config: VaultConfig, step: KeyStep) -> None:
    asyncio.run(_change_now(config, step))


async def _change_now(config: VaultConfig, step: KeyStep) -> None:
    async with _vault(config) as (keepers, store):
        await change_key(store, keepers=keepers, step=step)


@contextlib.asynccontextmanager
async def _vault(config: VaultConfig) -> AsyncIterator[tuple[list[OperatorKeeper], StoreBeside]]:
    """Connect to the keepers as who we are, then to the database as its owner, for the vault's own row."""
    async with all_keepers(config) as keepers:
        with as_front(config):
            async with store_beside(config) as store:
                yield keepers, store


@contextlib.contextmanager
def _token(config: VaultConfig) -> Iterator[Session]:
    """Open the token to make and destroy keys, while no keeper starts: that is when a writer disturbs them."""
    os.environ.update(config.pkcs11.environment)
    pkcs11 = config.pkcs11
    with (
        as_keeper(config),
        keys_lock(config.run_dir, exclusive=True),
        writable_session(
            module=pkcs11.module_file, token_label=pkcs11.token_label, pin=read_pin(pkcs11.pin_file)
        ) as session,
    ):
        yield session


def _make(config: VaultConfig, name: KeyName) -> list[str]:
    with _token(config) as session:
        # An epoch is where a vault may change its profile: rewrap then takes every envelope along.
        profile = choose_profile(probe_offer(session), wanted=config.pkcs11.profile)
        return make_missing_keys(session, known=(), wanted=(name,), profile=profile)


def _write_fingerprint(config: VaultConfig, identity: KeyStanding) -> None:
    with as_front(config):
        (config.folder / FINGERPRINT_NAME).write_text(f"{identity.fingerprint.hex()}\n", encoding="ascii")


def _is_pinned(made: KeyStanding, clients_pin: str | None, *, say: Say) -> bool:
    fingerprint = made.fingerprint.hex()
    if clients_pin is None:
        say(f"{made.label} is prepared. Its fingerprint, for clients to pin beside the one in use: {fingerprint}")
        say("Clients that pin the owners learn of it from the bundle that now lists it, once two owners signed that.")
        say(f"Once they do: strongroomd keys rotate identity --clients-pin {fingerprint}")
        return False
    if clients_pin.strip().lower() != fingerprint:
        raise Misconfigured(f"--clients-pin is not the fingerprint of {made.label}, which is {fingerprint}")
    return True


def _await_spread(made: KeyStanding, spread_ms: int, *, say: Say) -> None:
    """Wait until every keeper of every replica knows the key."""
    left = (made.state_at + spread_ms) / 1_000 - time.time()
    if left <= 0:
        return
    say(f"Every keeper takes up {made.label} within {left + _MARGIN_SECONDS:.1f} s: waiting.")
    time.sleep(left + _MARGIN_SECONDS)  # the keepers of other replicas tell nobody that they have it
