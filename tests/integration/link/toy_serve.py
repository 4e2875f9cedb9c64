"""The real supervisor over children that a JSON file describes; its log goes to stdout."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from strongroom_service.link.child import ChildSpec
from strongroom_service.link.supervisor import Chore, Supervisor, SupervisorTimes
from tests.fakes.log import StdoutLog


def main() -> int:
    plan = json.loads(Path(sys.argv[1]).read_text())
    supervisor = Supervisor(
        keepers=[ChildSpec(**keeper) for keeper in plan["keepers"]],
        front=ChildSpec(**plan["front"]),
        times=SupervisorTimes(**plan["times"]),
        reload=lambda: StdoutLog().info("files_read"),
        log=StdoutLog(),
        chores=[Chore(**{**chore, "spec": ChildSpec(**chore["spec"])}) for chore in plan["chores"]],
    )
    return supervisor.run()


if __name__ == "__main__":
    raise SystemExit(main())
