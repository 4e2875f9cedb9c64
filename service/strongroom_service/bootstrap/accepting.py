"""`strongroomd records accept-older`: the alarm about one record that has gone back is cleared, on purpose."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from strongroom_service.bootstrap.databases import reading_store
from strongroom_service.bootstrap.operators import all_keepers, become_front, open_vault
from strongroom_service.config.vault_file import load_vault_config
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.link.hardening import harden_process
from strongroom_service.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from pathlib import Path

    from strongroom_service.config.vault_file import VaultConfig

Say = Callable[[str], None]


def run_accept_older(config_path: Path, *, record_id: str, say: Say) -> None:
    """Have every running keeper take the record's row as it stands; say what each had seen.

    Raises:
        Misconfigured: that is no record id, or there is no such row.
        RecordRejected: the row does not open.
        KeeperUnavailable, TokenFault, StoreUnavailable: keeper or database failed.
    """
    harden_process()
    configure_logging("records")
    try:
        identifier = bytes.fromhex(record_id)
    except ValueError:
        raise Misconfigured("a record id is 64 hex digits") from None
    asyncio.run(_accept(load_vault_config(config_path), identifier, say=say))


async def _accept(config: VaultConfig, record_id: bytes, *, say: Say) -> None:
    async with contextlib.AsyncExitStack() as held:
        keepers = await held.enter_async_context(all_keepers(config))
        become_front(config)
        reader = await held.enter_async_context(reading_store(config))
        row = await reader.load_record(record_id)
        if row is None:
            raise Misconfigured("there is no row of that record")
        say(f"The row of record {record_id.hex()} is at version {row.version}.")
        for keeper in keepers:
            await open_vault(keeper, reader)
            newest_version = await keeper.accept_older(row)
            if newest_version > row.version:
                say(f"A keeper had seen version {newest_version}, and takes {row.version} from now on.")
