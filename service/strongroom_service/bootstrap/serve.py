"""The parent of `strongroomd serve`: checks the configuration, then starts keepers and front under their user ids."""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import TYPE_CHECKING, Final

from strongroom_service.bootstrap.host_clock import CLOCK_ANCHOR, drop_anchor
from strongroom_service.bootstrap.reloading import LastGood
from strongroom_service.bootstrap.system import demand_readable_python, make_run_dir
from strongroom_service.config.configuration import load_configuration
from strongroom_service.config.files import DISK
from strongroom_service.link.child import ChildSpec
from strongroom_service.link.hardening import harden_process
from strongroom_service.link.memory_lock import lift_limit
from strongroom_service.link.separation import check_keepers, check_separation
from strongroom_service.link.supervisor import Chore, Supervisor, SupervisorTimes
from strongroom_service.telemetry.logs import configure_logging, get_logger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from strongroom_service.config.configuration import Configuration
    from strongroom_service.config.vault_file import VaultConfig

# After the grace of the calls: attempts under way, pool and store.
_AFTER_GRACE_SECONDS: Final = 5.0
# How often it is looked whether a checkpoint is due, and when first: keepers and front begin in peace.
_LOOK_SECONDS: Final = 600.0
_FIRST_LOOK_SECONDS: Final = 60.0


def run_serve(config_path: Path) -> int:
    """Supervise keepers and front until told to stop; return the exit code.

    Raises:
        Misconfigured: configuration or user ids are not fit.
    """
    configuration = _prepare(config_path)
    keepers, front = separated_children(configuration.vault, config_path)
    make_run_dir(configuration.vault)
    chores = [_housekeeping(configuration.vault, config_path)]
    return _supervise(configuration, config_path, keepers=keepers, front=front, chores=chores)


def run_keepers(config_path: Path) -> int:
    """Supervise the keepers alone, as in a container of their own; return the exit code.

    Raises:
        Misconfigured: configuration or user ids are not fit.
    """
    configuration = _prepare(config_path)
    config = configuration.vault
    keepers = _keeper_specs(config, config_path, environment=_children_environment())
    check_keepers(
        keepers=keepers,
        front_uid=None if config.users is None else config.users.front_uid,
        own_uid=os.geteuid(),
        single_user=config.single_user,
    )
    demand_readable_python(config)
    make_run_dir(config)
    return _supervise(configuration, config_path, keepers=keepers, front=None)


def separated_children(config: VaultConfig, config_path: Path) -> tuple[list[ChildSpec], ChildSpec]:
    """Return what `strongroomd serve` runs, keepers and front.

    Raises:
        Misconfigured: they would not be separated, or this process cannot give them their user ids.
    """
    environment = _children_environment()
    keepers = _keeper_specs(config, config_path, environment=environment)
    front = _front_spec(config, config_path, environment=environment)
    check_separation(keepers=keepers, front=front, own_uid=os.geteuid(), single_user=config.single_user)
    demand_readable_python(config)
    return keepers, front


def _prepare(config_path: Path) -> Configuration:
    harden_process()
    configure_logging("serve")
    return load_configuration(config_path, DISK)  # what is wrong there is told once, here, not by every child


def _supervise(
    configuration: Configuration,
    config_path: Path,
    *,
    keepers: list[ChildSpec],
    front: ChildSpec | None,
    chores: Sequence[Chore] = (),
) -> int:
    lift_limit()
    log = get_logger()
    last_good = LastGood(config_path, configuration, log=log)

    def inheriting(spec: ChildSpec) -> ChildSpec:
        return dataclasses.replace(spec, descriptors=last_good.descriptors)

    supervisor = Supervisor(
        keepers=[inheriting(spec) for spec in keepers],
        front=None if front is None else inheriting(front),
        times=SupervisorTimes(
            drain_seconds=configuration.vault.drain_wait_seconds
            + configuration.vault.drain_grace_seconds
            + _AFTER_GRACE_SECONDS
        ),
        reload=last_good.reload,
        log=log,
        chores=chores,
    )
    return int(supervisor.run())


def _children_environment() -> dict[str, str]:
    """Ours, and one anchor for all of them: those that are started later go by the clock as it stands now."""
    return {**os.environ, CLOCK_ANCHOR: drop_anchor().text()}


def _keeper_specs(config: VaultConfig, config_path: Path, *, environment: Mapping[str, str]) -> list[ChildSpec]:
    users = config.users
    return [
        ChildSpec(
            name=f"keeper-{index}",
            argv=_argv("run-keeper-child", config_path, "--index", str(index)),
            uid=None if users is None else users.keeper_uid,
            gid=None if users is None else users.keeper_gid,
            heartbeat_timeout_seconds=config.keepers.heartbeat_timeout_seconds,
            environment={**environment, **config.pkcs11.environment},
        )
        for index in range(config.keepers.count)
    ]


def _front_spec(config: VaultConfig, config_path: Path, *, environment: Mapping[str, str]) -> ChildSpec:
    users = config.users
    return ChildSpec(
        name="front",
        argv=_argv("front", config_path),
        uid=None if users is None else users.front_uid,
        gid=None if users is None else users.front_gid,
        environment=environment,
    )


def _housekeeping(config: VaultConfig, config_path: Path) -> Chore:
    pause_seconds = min(_LOOK_SECONDS, config.checkpoints.every_hours * 3_600 / 10)
    return Chore(
        # Started as who we are: as root, to be let in by a keeper; the front's user is what it becomes before it reads.
        spec=ChildSpec(name="housekeeper", argv=_argv("keep-house", config_path), environment=dict(os.environ)),
        first_seconds=min(_FIRST_LOOK_SECONDS, pause_seconds),
        pause_seconds=pause_seconds,
    )


def _argv(command: str, config_path: Path, *arguments: str) -> list[str]:
    # -P: a module beside the current directory must not shadow one of ours.
    return [
        sys.executable,
        "-P",
        "-m",
        "strongroom_service.cli.main",
        command,
        "--config",
        str(config_path.absolute()),
        *arguments,
    ]
