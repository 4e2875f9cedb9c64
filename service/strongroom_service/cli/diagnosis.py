"""`strongroomd status`, `doctor` and `support-bundle`: how the vault stands and what is wrong."""

from __future__ import annotations

import typer

from strongroom_service.cli.exit_codes import ExitCode
from strongroom_service.cli.options import ConfigFile
from strongroom_service.cli.output import Output, OutputOption, print_document


def status(config: ConfigFile, output: OutputOption = Output.TABLE) -> None:
    """Tell how the vault stands, also while its service is down. Ends with 2 when it is sealed or degraded."""
    from strongroom_service.bootstrap.standing import State, run_status

    standing = run_status(config)
    print_document(standing.told(), output=output)
    raise typer.Exit(ExitCode.OK if standing.state is State.SERVING else ExitCode.SEALED_OR_DEGRADED)
