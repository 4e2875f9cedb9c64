"""The parent of a service whose front can be met at a step: real supervisor and keepers, quicker to give up on a child.

python -m tests.fakes.stepped_serve CONFIG_FILE [FRONT]     FRONT: the front's program, a module
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from strongroom_service.bootstrap.host_clock import CLOCK_ANCHOR, drop_anchor
from strongroom_service.bootstrap.system import make_run_dir
from strongroom_service.config.vault_file import load_vault_config
from strongroom_service.link.child import ChildSpec
from strongroom_service.link.hardening import harden_process
from strongroom_service.link.supervisor import Supervisor, SupervisorTimes
from strongroom_service.telemetry.logs import configure_logging, get_logger

_PYTHON: Final = (sys.executable, "-P", "-m")
_FRONT_SILENCE_SECONDS: Final = 3.0


def main(config_path: Path, front_program: str) -> int:
    """Supervise until told to stop."""
    harden_process()
    configure_logging("serve")
    config = load_vault_config(config_path)
    make_run_dir(config)
    environment = {**os.environ, CLOCK_ANCHOR: drop_anchor().text()}
    keepers = [
        ChildSpec(
            name=f"keeper-{index}",
            argv=[
                *_PYTHON,
                "strongroom_service.cli.main",
                "run-keeper-child",
                "--config",
                str(config_path),
                "--index",
                str(index),
            ],
            heartbeat_timeout_seconds=config.keepers.heartbeat_timeout_seconds,
            environment={**environment, **config.pkcs11.environment},
        )
        for index in range(config.keepers.count)
    ]
    front = ChildSpec(
        name="front",
        argv=[*_PYTHON, front_program, str(config_path)],
        heartbeat_timeout_seconds=_FRONT_SILENCE_SECONDS,
        environment=environment,
    )
    # Children that are killed again and again are expected here, and not to be waited for ever longer.
    times = SupervisorTimes(backoff_most_seconds=0.1)
    log = get_logger()
    return int(Supervisor(keepers=keepers, front=front, times=times, reload=lambda: None, log=log).run())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute(), sys.argv[2] if len(sys.argv) > 2 else "tests.fakes.stepped_front"))
