"""`strongroomd events`: checking what is stored, beside a running service or without one."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

from strongroom_service.application.export_histories import export_histories
from strongroom_service.application.verify_histories import Kept, Verified, verify_histories
from strongroom_service.bootstrap.databases import reading_store
from strongroom_service.bootstrap.operators import (
    become_front,
    open_vault,
    operators_keeper,
    pinned_fingerprints,
)
from strongroom_service.config.vault_file import load_vault_config
from strongroom_service.domain.chains import NO_HORIZON
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.keeper.formats.checkpoint import check_signature
from strongroom_service.link.hardening import harden_process
from strongroom_service.store.checkpoint_files import CheckpointFile
from strongroom_service.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from pathlib import Path

    from strongroom_service.application.evidence import ExportEnd
    from strongroom_service.config.vault_file import VaultConfig

Say = Callable[[str], None]


def run_events_verify(
    config_path: Path, *, checkpoint: Path | None, pins: tuple[str, ...], ask_keeper: bool, say: Say
) -> bool:
    """Recompute every chain, against a checkpoint and a keeper if told so; say what is wrong; return whether none is.

    Raises:
        Misconfigured, StoreUnavailable, KeeperUnavailable, TokenFault: configuration, database or keeper are not fit.
        BrokenCheckpoint: the checkpoint is none, or not signed by a pinned key.
    """
    harden_process()
    configure_logging("events")
    config = load_vault_config(config_path)
    with contextlib.ExitStack() as held:
        kept = Kept()
        if checkpoint is not None:
            file = held.enter_context(CheckpointFile(checkpoint))
            check_signature(file.signed, pins=pinned_fingerprints(config, pins))
            kept = Kept(checkpoint=f"checkpoint {file.signed.head.serial}", leaves=file.leaves())
        verified = asyncio.run(_verify(config, kept=kept, ask_keeper=ask_keeper, say=say))
    say(summary_of(verified))
    if checkpoint is None and not ask_keeper:
        say("Without a checkpoint and a keeper gaps, missing ends and missing rows show, an altered event does not.")
    return verified.findings == 0


async def _verify(config: VaultConfig, *, kept: Kept, ask_keeper: bool, say: Say) -> Verified:
    async with contextlib.AsyncExitStack() as held:
        keeper = await held.enter_async_context(operators_keeper(config)) if ask_keeper else None
        become_front(config)
        reader = await held.enter_async_context(reading_store(config))
        horizon = NO_HORIZON if keeper is None else (await open_vault(keeper, reader)).horizon
        return await verify_histories(
            reader, kept=kept, keeper=keeper, tell=lambda each: say(str(each)), horizon=horizon
        )


def run_events_export(config_path: Path, *, output: Path) -> ExportEnd:
    """Write every event out of its seal to the new file `output`, which its owner alone may read.

    Raises:
        Misconfigured: the file is there, or cannot be made; or the configuration is not fit.
        RecordRejected: something does not open, or is missing; the file is left without its end.
        KeeperUnavailable, TokenFault, StoreUnavailable: keeper or database failed.
    """
    harden_process()
    configure_logging("events")
    config = load_vault_config(config_path)
    try:
        file = output.open("x", encoding="ascii")
    except OSError as error:
        raise Misconfigured(f"cannot make {output}: {error.strerror}") from error
    with file:
        end = asyncio.run(_export(config, file))
        file.flush()
        os.fsync(file.fileno())
    return end


async def _export(config: VaultConfig, file: IO[str]) -> ExportEnd:
    async with contextlib.AsyncExitStack() as held:
        keeper = await held.enter_async_context(operators_keeper(config))
        become_front(config)
        reader = await held.enter_async_context(reading_store(config))
        await open_vault(keeper, reader)
        return await export_histories(reader, keeper=keeper, write=file.write)


def summary_of(verified: Verified) -> str:
    """Return the last line of a verification."""
    return f"{verified.records} records, {verified.events} events, {verified.findings} findings."
