"""`strongroomd sweep`: erasing what is due, beside the running service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from strongroom_service.application.sweep import Swept, sweep
from strongroom_service.bootstrap.databases import store_beside
from strongroom_service.bootstrap.operators import become_front, open_vault, operators_keeper
from strongroom_service.config.vault_file import load_vault_config
from strongroom_service.link.hardening import harden_process
from strongroom_service.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from pathlib import Path

    from strongroom_service.config.vault_file import VaultConfig
    from strongroom_service.link.operator_keeper import OperatorKeeper


def run_sweep(config_path: Path) -> Swept:
    """Look at every record once, and erase what is due.

    Raises:
        RecordRejected: a row does not open; what was swept before stays so.
        Misconfigured, KeeperUnavailable, TokenFault, StoreUnavailable, OutcomeUnknown: something else failed.
    """
    harden_process()
    configure_logging("sweep")
    return asyncio.run(_sweep_now(load_vault_config(config_path)))


async def _sweep_now(config: VaultConfig) -> Swept:
    async with operators_keeper(config) as keeper:
        become_front(config)
        return await sweep_with(config, keeper)


async def sweep_with(config: VaultConfig, keeper: OperatorKeeper) -> Swept:
    """As the front's user: sweep through `keeper`. Raises as `run_sweep`."""
    async with store_beside(config) as store:
        await open_vault(keeper, store)
        return await sweep(store, keeper=keeper)
