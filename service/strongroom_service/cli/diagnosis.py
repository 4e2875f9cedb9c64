"""`strongroomd status`, `doctor` and `support-bundle`: how the vault stands and what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from strongroom_service.cli.exit_codes import ExitCode
from strongroom_service.cli.options import ConfigFile
from strongroom_service.cli.output import Output, OutputOption, print_document, print_table


def status(config: ConfigFile, output: OutputOption = Output.TABLE) -> None:
    """Tell how the vault stands, also while its service is down. Ends with 2 when it is sealed or degraded."""
    from strongroom_service.bootstrap.standing import State, run_status

    standing = run_status(config)
    print_document(standing.told(), output=output)
    raise typer.Exit(ExitCode.OK if standing.state is State.SERVING else ExitCode.SEALED_OR_DEGRADED)


def doctor(
    config: ConfigFile,
    host: Annotated[
        str | None, typer.Option(help="Name that clients connect to: the certificate must be for it.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Look for what is wrong and say how to mend it; changes nothing. Ends with 2 when a check fails."""
    from strongroom_service.bootstrap.doctor.examination import run_doctor
    from strongroom_service.bootstrap.doctor.findings import Outcome

    findings = run_doctor(config, host=host)
    rows = [(finding.check, finding.outcome.value, finding.found, finding.remedy) for finding in findings]
    print_table(("check", "outcome", "found", "remedy"), rows, output=output)
    failed = any(finding.outcome is Outcome.FAIL for finding in findings)
    raise typer.Exit(ExitCode.SEALED_OR_DEGRADED if failed else ExitCode.OK)


def support_bundle(
    config: ConfigFile,
    file: Annotated[Path, typer.Option(help="A new tar.gz, for its owner alone.")],
    log: Annotated[
        list[Path] | None,
        typer.Option(help="A log of the service: which events it has and how often goes in, no line.", dir_okay=False),
    ] = None,
) -> None:
    """Pack version, configuration, status and doctor for who helps you; no secrets, no accounts. Read it first."""
    from strongroom_service.bootstrap.support_bundle import run_support_bundle

    for name in run_support_bundle(config, file=file, logs=tuple(log or ())):
        typer.echo(name)
