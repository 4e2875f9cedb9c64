"""`strongroomd events`: checking what is stored, beside a running service or without one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from strongroom_service.application.verify_histories import Kept, Verified, verify_histories
from strongroom_service.bootstrap.operators import become_front, pinned_fingerprints
from strongroom_service.config.vault_file import load_vault_config
from strongroom_service.keeper.formats.checkpoint import check_signature
from strongroom_service.link.hardening import harden_process
from strongroom_service.store.checkpoint_files import CheckpointFile
from strongroom_service.store.sqlite import SqliteReader
from strongroom_service.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from pathlib import Path

Say = Callable[[str], None]


def run_events_verify(config_path: Path, *, checkpoint: Path | None, pins: tuple[str, ...], say: Say) -> bool:
    """Recompute every chain, against a checkpoint if there is one; tell what is wrong. Return whether nothing is.

    Raises:
        Misconfigured, StoreUnavailable: configuration or database are not fit.
        BrokenCheckpoint: the checkpoint is none, or not signed by a pinned key.
    """
    harden_process()
    configure_logging("events")
    config = load_vault_config(config_path)
    with contextlib.ExitStack() as held:
        file = held.enter_context(CheckpointFile(checkpoint)) if checkpoint is not None else None
        become_front(config)
        kept = Kept()
        if file is not None:
            check_signature(file.signed, pins=pinned_fingerprints(config, pins))
            kept = Kept(checkpoint=f"checkpoint {file.signed.head.serial}", leaves=file.leaves())
        reader = SqliteReader.open_reader(config.database.path)
        held.callback(reader.close)
        verified = asyncio.run(verify_histories(reader, kept=kept, keeper=None, tell=lambda each: say(str(each))))
    say(summary_of(verified))
    if file is None:
        say("Without a checkpoint and a keeper gaps, missing ends and missing rows show, an altered event does not.")
    return verified.findings == 0


def summary_of(verified: Verified) -> str:
    """Return the last line of a verification."""
    return f"{verified.records} records, {verified.events} events, {verified.findings} findings."
