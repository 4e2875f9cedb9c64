"""`strongroomd keys rewrap` and `retire`: records move to the keys in use, and a key that no record needs retires."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from strongroom_service.application.keys import change_key, survey
from strongroom_service.application.rewrap import Rewrapped, rewrap
from strongroom_service.bootstrap.databases import store_beside
from strongroom_service.bootstrap.keys import step_of
from strongroom_service.bootstrap.operators import all_keepers, become_front, open_vault
from strongroom_service.bootstrap.system import checkpoint_folder
from strongroom_service.config.vault_file import load_vault_config
from strongroom_service.domain.epochs import EpochChange, RotatedKey
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.keeper.formats.checkpoint import check_signature
from strongroom_service.link.hardening import harden_process
from strongroom_service.store.checkpoint_files import CheckpointFile
from strongroom_service.store.checkpoint_folder import CheckpointFolder
from strongroom_service.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from strongroom_service.application.evidence import VaultStanding
    from strongroom_service.application.keys import KeyStanding
    from strongroom_service.bootstrap.databases import StoreBeside
    from strongroom_service.config.vault_file import VaultConfig
    from strongroom_service.domain.checkpoints import Leaf
    from strongroom_service.link.operator_keeper import OperatorKeeper

    Say = Callable[[str], None]


def run_keys_rewrap(
    config_path: Path, *, rate: float, say: Say, progress: Callable[[int], None], begin: Callable[[int], None]
) -> Rewrapped:
    """Move every record to the keys in use, at most `rate` records a second; `begin` hears how many there are.

    Raises:
        Misconfigured: there is no checkpoint to compare the records with.
        KeeperUnavailable, TokenFault, StoreUnavailable, OutcomeUnknown: something failed; run it again.
    """
    harden_process()
    configure_logging("keys")
    return asyncio.run(_rewrap(load_vault_config(config_path), rate=rate, say=say, progress=progress, begin=begin))


async def _rewrap(
    config: VaultConfig, *, rate: float, say: Say, progress: Callable[[int], None], begin: Callable[[int], None]
) -> Rewrapped:
    async with _vault(config) as (keepers, store, standing), _last_leaves(config, standing, keepers[0]) as leaves:
        begin(await _count(store))
        return await rewrap(
            store, keeper=keepers[0], last_leaves=leaves, pace=_Pace(rate).wait, tell=say, progress=progress
        )


def run_keys_retire(config_path: Path, label: str, *, dry_run: bool, say: Say) -> KeyStanding:
    """Retire a key, once every record was opened and none needs it; return what has become of it.

    Raises:
        Misconfigured: a record needs it, or it is too early.
        RecordRejected: a record does not open, or the database is older than the last checkpoint.
        KeeperUnavailable, TokenFault, StoreUnavailable, OutcomeUnknown: something failed; run it again.
    """
    harden_process()
    configure_logging("keys")
    return asyncio.run(_retire(load_vault_config(config_path), label, dry_run=dry_run, say=say))


async def _retire(config: VaultConfig, label: str, *, dry_run: bool, say: Say) -> KeyStanding:
    async with _vault(config) as (keepers, store, standing):
        key = (await keepers[0].list_keys()).named(label)
        step = step_of(key, EpochChange.RETIRE)
        if step.rotated in {RotatedKey.KEK, RotatedKey.SEAL}:
            async with _last_leaves(config, standing, keepers[0]) as leaves:
                seen = await survey(store, keeper=keepers[0], last_leaves=leaves)
            say(f"Opened {seen} records.")
        if dry_run:
            await keepers[0].change_key(step)
            say(f"Would retire {label}: nothing stands against it.")
            return key
        await change_key(store, keepers=keepers, step=step)
        what = "opens no record any more" if step.rotated in {RotatedKey.KEK, RotatedKey.SEAL} else "is out of use"
        say(f"{label} is retired: it {what}. `keys take-back {label}` undoes that.")
        return (await keepers[0].list_keys()).named(label)


@contextlib.asynccontextmanager
async def _vault(config: VaultConfig) -> AsyncIterator[tuple[list[OperatorKeeper], StoreBeside, VaultStanding]]:
    """Connect to keepers, and to the database as its owner."""
    async with all_keepers(config) as keepers:
        become_front(config)
        async with store_beside(config) as store:
            yield keepers, store, await open_vault(keepers[0], store)


@contextlib.asynccontextmanager
async def _last_leaves(
    config: VaultConfig, standing: VaultStanding, keeper: OperatorKeeper
) -> AsyncIterator[Iterator[Leaf]]:
    """Open the last checkpoint, which must be the one that the vault's row keeps."""
    files = CheckpointFolder(checkpoint_folder(config)).files()
    if not files:
        raise Misconfigured(
            "there is no checkpoint to compare the records with: run `strongroomd checkpoint make` first"
        )
    pins = {key.fingerprint for key in (await keeper.list_keys()).keys if key.fingerprint}
    with CheckpointFile(files[-1]) as newest:
        check_signature(newest.signed, pins=pins)
        if newest.signed.head.digest != standing.digest:
            raise Misconfigured(f"{files[-1]} is not checkpoint {standing.serial} that the vault's row keeps: bring it")
        yield newest.leaves()


async def _count(store: StoreBeside) -> int:
    count, after = 0, b""
    while record_ids := await store.scan_record_ids(after=after, limit=1_024):
        count += len(record_ids)
        after = record_ids[-1]
    return count


class _Pace:
    """Lets `rate` changes a second through."""

    def __init__(self, rate: float) -> None:
        self._interval = 1 / rate
        self._next = 0.0

    async def wait(self) -> None:
        """Return when the next change may be made."""
        now = asyncio.get_running_loop().time()
        self._next = max(now, self._next) + self._interval
        await asyncio.sleep(self._next - self._interval - now)
