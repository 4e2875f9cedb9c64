"""What the exit codes of `strongroomd` say. Commands that a supervisor starts say 78 (EX_CONFIG) too."""

from __future__ import annotations

import contextlib
from enum import IntEnum
from typing import TYPE_CHECKING

import typer

from strongroom_service.domain.errors import Misconfigured
from strongroom_service.link.supervisor import EX_CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterator


class ExitCode(IntEnum):
    """Of every command for operators; scripts go by them."""

    OK = 0
    ERROR = 1
    SEALED_OR_DEGRADED = 2
    USAGE = 3


@contextlib.contextmanager
def told_to_a_supervisor() -> Iterator[None]:
    """End with 78 on what must be mended first: systemd and Kubernetes must tell that from a fall, which they restart.

    Raises:
        typer.Exit: 78, in the place of Misconfigured, whose text goes to standard error.
    """
    try:
        yield
    except Misconfigured as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EX_CONFIG) from None
