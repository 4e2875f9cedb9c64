"""`strongroomd checkpoint`: making one, and verifying those that there are."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from strongroom_service.application.make_checkpoint import make_checkpoint
from strongroom_service.application.succession import (
    check_standing,
    check_succession,
    check_vault_row,
    missing_between,
)
from strongroom_service.application.verify_histories import Kept, verify_histories
from strongroom_service.bootstrap.checkpoint_command import hand_over
from strongroom_service.bootstrap.databases import reading_store, store_beside
from strongroom_service.bootstrap.evidence import summary_of
from strongroom_service.bootstrap.operators import (
    become_front,
    open_vault,
    operators_keeper,
    pinned_fingerprints,
)
from strongroom_service.bootstrap.system import checkpoint_folder
from strongroom_service.config.vault_file import load_vault_config
from strongroom_service.domain.chains import NO_HORIZON
from strongroom_service.domain.errors import Misconfigured, RecordRejected
from strongroom_service.keeper.formats.checkpoint import check_signature
from strongroom_service.keeper.fulfilments import read_fulfilments
from strongroom_service.link.hardening import harden_process
from strongroom_service.store.checkpoint_files import CheckpointFile
from strongroom_service.store.checkpoint_folder import CheckpointFolder
from strongroom_service.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from strongroom_service.application.evidence import VaultStanding
    from strongroom_service.config.vault_file import VaultConfig
    from strongroom_service.domain.chains import Finding
    from strongroom_service.domain.checkpoints import Leaf
    from strongroom_service.link.operator_keeper import OperatorKeeper

Say = Callable[[str], None]


def run_checkpoint_make(config_path: Path, *, say: Say) -> None:
    """Make a checkpoint now.

    Raises:
        RecordRejected: the database is older than the last checkpoint, or a row does not open.
        Misconfigured, KeeperUnavailable, TokenFault, StoreUnavailable, OutcomeUnknown: something else failed.
    """
    harden_process()
    configure_logging("checkpoint")
    config = load_vault_config(config_path)
    asyncio.run(_make_now(config, say=say))


async def _make_now(config: VaultConfig, *, say: Say) -> None:
    async with operators_keeper(config) as keeper:
        become_front(config)
        await make_with(config, keeper, is_due=lambda _: True, say=say)


async def make_with(
    config: VaultConfig, keeper: OperatorKeeper, *, is_due: Callable[[VaultStanding], bool], say: Say
) -> None:
    """As the front's user: make a checkpoint through `keeper` if `is_due`, and hand it over. Raises as above."""
    folder = CheckpointFolder(checkpoint_folder(config))
    async with contextlib.AsyncExitStack() as held:
        store = await held.enter_async_context(store_beside(config))
        held.enter_context(folder.alone())
        standing = await open_vault(keeper, store)
        if (recovered := folder.recover(digest=standing.digest)) is not None:
            say(f"{recovered} had been made, and has its name now")
            await hand_over(config.checkpoints, recovered)
        if not is_due(standing):
            return
        last_leaves = _last_leaves(folder, standing, held=held, say=say)
        draft = held.enter_context(contextlib.closing(folder.begin()))
        head = await make_checkpoint(store, keeper=keeper, draft=draft, last_leaves=last_leaves)
        path = folder.publish(head.serial)
        say(f"checkpoint {head.serial}: {head.leaves} records in {path}")
    await hand_over(config.checkpoints, path)


def _last_leaves(
    folder: CheckpointFolder, standing: VaultStanding, *, held: contextlib.AsyncExitStack, say: Say
) -> Iterator[Leaf]:
    files = folder.files()
    if not files:
        if standing.serial:
            say(f"checkpoint {standing.serial} is not in {folder.path}: the database was not compared with it")
        return iter(())
    newest = held.enter_context(CheckpointFile(files[-1]))
    for finding in check_standing(newest.signed.head, standing):
        raise RecordRejected(f"{finding}; move the newer checkpoints away only if you know why")
    if newest.signed.head.serial != standing.serial:
        say(f"checkpoint {standing.serial} is not in {folder.path}: the database was compared with an older one")
    return newest.leaves()


def run_checkpoint_verify(
    config_path: Path, *, files: Sequence[Path], pins: tuple[str, ...], ask_keeper: bool, say: Say
) -> bool:
    """Verify checkpoints, and the database against the newest; say what is wrong; return whether nothing is.

    Raises:
        BrokenCheckpoint: a file is no checkpoint, or no pinned key signed it.
        Misconfigured, KeeperUnavailable, TokenFault, StoreUnavailable: something cannot be read.
    """
    harden_process()
    configure_logging("checkpoint")
    config = load_vault_config(config_path)
    with contextlib.ExitStack() as held:
        paths = files or CheckpointFolder(checkpoint_folder(config)).files()
        if not paths:
            raise Misconfigured(f"there is no checkpoint in {checkpoint_folder(config)}: give its file")
        opened = sorted(
            (held.enter_context(CheckpointFile(path)) for path in paths), key=lambda file: file.signed.head.serial
        )
        allowed = pinned_fingerprints(config, pins)
        for file in opened:
            check_signature(file.signed, pins=allowed)
        return asyncio.run(_verify(config, opened, ask_keeper=ask_keeper, say=say))


async def _verify(config: VaultConfig, files: Sequence[CheckpointFile], *, ask_keeper: bool, say: Say) -> bool:
    findings: list[Finding] = []
    heads = [file.signed.head for file in files]
    newest = heads[-1]
    for serial in missing_between(heads):
        say(f"Checkpoint {serial} is not here: it was not looked at, nor how the next goes on from it.")
    findings += check_succession(heads)
    async with contextlib.AsyncExitStack() as held:
        fulfilled = _fulfilled(config, say=say)
        keeper = await held.enter_async_context(operators_keeper(config)) if ask_keeper else None
        become_front(config)
        reader = await held.enter_async_context(reading_store(config))
        row = await reader.load_vault()
        findings += check_vault_row(newest, version=0 if row is None else row.version)
        horizon = NO_HORIZON
        if keeper is not None:
            standing = await open_vault(keeper, reader)
            horizon = standing.horizon
            findings += check_standing(newest, standing)
        for finding in findings:
            say(str(finding))
        kept = Kept(checkpoint=f"checkpoint {newest.serial}", leaves=files[-1].leaves(), fulfilled=fulfilled)
        verified = await verify_histories(
            reader, kept=kept, keeper=keeper, tell=lambda each: say(str(each)), horizon=horizon
        )
    verified.findings += len(findings)
    say(summary_of(verified))
    return verified.findings == 0


def _fulfilled(config: VaultConfig, *, say: Say) -> dict[bytes, dict[int, frozenset[bytes]]]:
    try:
        return read_fulfilments(config.keepers.log_file)
    except Misconfigured as error:
        say(f"What keepers fulfilled was not compared: {error}.")
        return {}
