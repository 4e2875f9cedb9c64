"""Handing a checkpoint to the operators' own command, which takes it off this host."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Final

from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

    from strongroom_service.config.checkpoints import Checkpoints

_PASSED_ON: Final = ("PATH", "HOME", "LANG", "TZ")


async def hand_over(checkpoints: Checkpoints, path: Path) -> None:
    """Run the command of the configuration, if there is one, with the checkpoint on its stdin.

    Raises:
        Misconfigured: it cannot be run, ends with another code than 0, or takes too long. The checkpoint stays in its
            folder.
    """
    if not checkpoints.command:
        return
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    program = checkpoints.command[0]
    try:
        with path.open("rb") as file:
            process = await asyncio.create_subprocess_exec(
                *checkpoints.command, stdin=file, stdout=asyncio.subprocess.DEVNULL, env=environment
            )
    except OSError as error:
        raise Misconfigured(f"checkpoints.command {program} cannot be run: {error.strerror}") from error
    try:
        async with asyncio.timeout(checkpoints.command_seconds):
            code = await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise Misconfigured(f"checkpoints.command {program} took too long: {path} was not handed over") from None
    if code != 0:
        raise Misconfigured(f"checkpoints.command {program} ended with {code}: {path} was not handed over")
