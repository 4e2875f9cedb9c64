"""`strongroomd events prune`: old events go, as far as the last checkpoint covers them."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from strongroom_service.application.prune_histories import Pruned, prune_histories
from strongroom_service.bootstrap.databases import store_beside
from strongroom_service.bootstrap.operators import all_keepers, become_front, open_vault
from strongroom_service.bootstrap.system import checkpoint_folder
from strongroom_service.config.vault_file import load_vault_config
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Misconfigured, OutcomeUnknown, VersionConflict
from strongroom_service.link.hardening import harden_process
from strongroom_service.store.checkpoint_files import CheckpointFile
from strongroom_service.store.checkpoint_folder import CheckpointFolder
from strongroom_service.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from strongroom_service.application.evidence import VaultStanding
    from strongroom_service.bootstrap.databases import StoreBeside
    from strongroom_service.config.vault_file import VaultConfig
    from strongroom_service.link.operator_keeper import OperatorKeeper

_DAY_MS: Final = 86_400_000
_MOST_TRIES: Final = 5


def run_events_prune(config_path: Path, *, older_than_days: float) -> Pruned:
    """Remove events older than that, of records that the last checkpoint covers.

    Raises:
        Misconfigured: the last checkpoint is not in its folder.
        RecordRejected: a chain does not pass through its leaf; what went before is gone.
        KeeperUnavailable, TokenFault, StoreUnavailable, OutcomeUnknown: keeper or database failed.
    """
    harden_process()
    configure_logging("events")
    return asyncio.run(_prune(load_vault_config(config_path), older_than_days=older_than_days))


async def _prune(config: VaultConfig, *, older_than_days: float) -> Pruned:
    async with contextlib.AsyncExitStack() as held:
        keepers = await held.enter_async_context(all_keepers(config))
        become_front(config)
        store = await held.enter_async_context(store_beside(config))
        standing = await open_vault(keepers[0], store)
        file = held.enter_context(_last_checkpoint(config, standing))
        horizon = Millis(min(standing.now - int(older_than_days * _DAY_MS), standing.made_at))
        if horizon > standing.horizon:
            await _set_horizon(store, keepers, horizon=horizon)
        return await prune_histories(store, leaves=file.leaves(), horizon=horizon)


def _last_checkpoint(config: VaultConfig, standing: VaultStanding) -> CheckpointFile:
    folder = CheckpointFolder(checkpoint_folder(config))
    for path in folder.files()[-1:]:
        file = CheckpointFile(path)
        if file.signed.head.digest == standing.digest:
            return file
    raise Misconfigured(f"the last checkpoint is not in {folder.path}: run `strongroomd checkpoint make` first")


async def _set_horizon(store: StoreBeside, keepers: Sequence[OperatorKeeper], *, horizon: Millis) -> None:
    """Commit the horizon, and tell every keeper, before the first event goes: else they would miss it."""
    for _ in range(_MOST_TRIES):
        row = await keepers[0].set_horizon(horizon)
        with suppress(VersionConflict, OutcomeUnknown):
            await store.commit_vault(row)
        standings = [await open_vault(keeper, store) for keeper in keepers]
        if all(standing.horizon >= horizon for standing in standings):
            return
    raise OutcomeUnknown("the vault's row was changed by others again and again")
