"""The front as it is, but that its completions can be met at a step (`tests.fakes.steps`); a child's program.

    python -m tests.fakes.stepped_front CONFIG_FILE

A file `marker` beside the configuration is read and kept: what a search of this process's memory must find. The
process stays readable to its own user, as a test that looks into it need not run as root.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast
from unittest import mock

from strongroom_service.application.attempt import Attempts
from strongroom_service.application.keepers import Keeper
from strongroom_service.application.stores import RecordStore
from strongroom_service.bootstrap import front
from strongroom_service.domain.ceremonies import Operation
from strongroom_service.domain.events import Outcome
from tests.fakes.steps import SteppedKeeper, SteppedStore, Steps

kept: Final[list[bytes]] = []


def main(config_path: Path) -> int:
    """Be the front."""
    marker = config_path.with_name("marker")
    if marker.exists():
        kept.append(marker.read_bytes())
    steps = Steps(config_path.parent)

    def stepped_attempts(*, keeper: Keeper, store: RecordStore, note: Callable[[Operation, Outcome], None]) -> Attempts:
        return Attempts(
            keeper=cast("Keeper", SteppedKeeper(keeper, steps)), store=SteppedStore(store, steps), note=note
        )

    # The composition root names its parts; ours differs from it by these two alone.
    with mock.patch.object(front, "Attempts", stepped_attempts), mock.patch.object(front, "harden_process"):
        return front.run_front(config_path)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
