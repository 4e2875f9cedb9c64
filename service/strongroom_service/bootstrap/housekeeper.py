"""A checkpoint, when one is due: by a child of `serve`, or by `housekeep`, beside keepers that run alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING, Final

from strongroom_service.bootstrap.checkpoints import make_with
from strongroom_service.bootstrap.operators import become_front, operators_keeper
from strongroom_service.config.vault_file import load_vault_config
from strongroom_service.domain.errors import KeeperUnavailable, Misconfigured, StrongroomError
from strongroom_service.link.hardening import die_with_parent, harden_process
from strongroom_service.link.heartbeat import Heartbeat, beat_forever
from strongroom_service.telemetry.logs import configure_logging, get_logger

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from strongroom_service.application.evidence import VaultStanding
    from strongroom_service.config.vault_file import VaultConfig
    from strongroom_service.link.operator_keeper import OperatorKeeper

# A keeper that was replaced is back by then.
_TRIES: Final = 10
_BETWEEN_TRIES_SECONDS: Final = 1.0
_HOUR_MS: Final = 3_600_000


def run_housekeeper(config_path: Path) -> int:
    """Do what is due; return the exit code: 1 if it could not be done, which the log says too."""
    harden_process()
    configure_logging("housekeeper")
    heartbeat = Heartbeat.inherited(os.environ)
    parent_pid = os.getppid()
    try:
        config = load_vault_config(config_path)
        asyncio.run(_keep_house(config, heartbeat, parent_pid=parent_pid))
    except StrongroomError as error:
        _tell(error)
        return 1
    return 0


def run_housekeeping(config_path: Path, *, every_seconds: float) -> None:
    """Do what is due, again and again, until SIGTERM or SIGINT, which end it at once; what fails is told in the log.

    Raises:
        Misconfigured: the configuration is not fit, or we are not who each round needs us to be.
    """
    harden_process()
    configure_logging("housekeeper")
    config = load_vault_config(config_path)
    _check_user(config)
    asyncio.run(_until_told_to_stop(_rounds(config, every_seconds=every_seconds)))


def _check_user(config: VaultConfig) -> None:
    # Root would become the front in the first round, and no keeper would admit it in the second.
    if config.users is not None and os.geteuid() != config.users.keeper_uid:
        raise Misconfigured(
            f"housekeep: must be run as keeper_uid, {config.users.keeper_uid}, not as user id {os.geteuid()}:"
            " whom else keepers admit as operators is root, for whom `strongroomd serve` does this"
        )


async def _until_told_to_stop(work: Coroutine[None, None, None]) -> None:
    # The first process of a container is ended by no signal that it has not asked for.
    task = asyncio.create_task(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _rounds(config: VaultConfig, *, every_seconds: float) -> None:
    while True:
        try:
            await _keep_house(config, None, parent_pid=os.getppid())
        except StrongroomError as error:
            _tell(error)
        await asyncio.sleep(every_seconds)


def _tell(error: StrongroomError) -> None:
    get_logger().error("checkpoint_not_made", error=type(error).__name__, why=str(error))


async def _keep_house(config: VaultConfig, heartbeat: Heartbeat | None, *, parent_pid: int) -> None:
    log = get_logger()
    async with contextlib.AsyncExitStack() as held:
        if heartbeat is not None:
            held.callback(asyncio.create_task(beat_forever(heartbeat)).cancel)
        keeper = await _patiently_connected(config, held)
        become_front(config)
        if heartbeat is not None:
            die_with_parent(parent_pid)  # the change of user id has cleared it
        await make_with(
            config,
            keeper,
            is_due=lambda standing: is_due(standing, every_hours=config.checkpoints.every_hours),
            say=lambda text: log.info("checkpoint", said=text),
        )


async def _patiently_connected(config: VaultConfig, held: contextlib.AsyncExitStack) -> OperatorKeeper:
    for _ in range(_TRIES - 1):
        with contextlib.suppress(KeeperUnavailable):
            return await held.enter_async_context(operators_keeper(config))
        await asyncio.sleep(_BETWEEN_TRIES_SECONDS)
    return await held.enter_async_context(operators_keeper(config))


def is_due(standing: VaultStanding, *, every_hours: float) -> bool:
    """Tell whether the last checkpoint is so old; the keeper's time counts. One from the future never makes it wait."""
    age = standing.now - standing.made_at
    return standing.serial == 0 or age >= every_hours * _HOUR_MS or age < 0
