"""The vault file's `[checkpoints]`: where checkpoints go, and how often they are made."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from strongroom_service.config.faults import PathFromFile, Section


class Checkpoints(Section):
    """Checkpoints prove nothing to who has the host, unless they leave it."""

    every_hours: Annotated[float, Field(gt=0, le=8_760)] = Field(
        default=24.0, description="How old the last one may be before `serve` or `housekeep` makes the next."
    )
    folder: PathFromFile | None = Field(
        default=None, description="The front's; default: `checkpoints` beside the database."
    )
    command: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(),
        strict=False,
        max_length=64,
        description="Program and arguments that get each new checkpoint on stdin, as the front's user and without a"
        " shell, to take it off this host.",
    )
    command_seconds: Annotated[float, Field(gt=0, le=3_600)] = Field(
        default=60.0, description="How long the command may take."
    )
