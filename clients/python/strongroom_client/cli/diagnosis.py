"""`strongroom doctor`: what is wrong on this device's side, and how to mend it."""

from __future__ import annotations

import typer
from fido2.hid import CtapHidDevice

from strongroom_client.cli.configuration import default_state_folder
from strongroom_client.cli.doctor.examination import examine_client
from strongroom_client.cli.doctor.findings import Finding, Outcome
from strongroom_client.cli.exit_codes import ExitCode
from strongroom_client.cli.options import State
from strongroom_client.cli.output import Output, Shown, tell
from strongroom_client.clock import system_clock


def doctor(*, state: State = None, output: Shown = Output.TEXT) -> None:
    """Look for what is wrong on this device and say how to mend it; changes nothing. Ends with 9 when a check fails."""
    folder = default_state_folder() if state is None else state
    findings = tuple(
        examine_client(folder, clock=system_clock, list_devices=lambda: tuple(CtapHidDevice.list_devices()))
    )
    tell(output, "\n".join(map(_line, findings)), findings=findings)
    if any(finding.outcome is Outcome.FAIL for finding in findings):
        raise typer.Exit(ExitCode.FOUND_WRONG)


def _line(finding: Finding) -> str:
    remedy = f"\n{'':26}{finding.remedy}" if finding.remedy else ""
    return f"{finding.outcome.value.upper():<5} {finding.check:<19} {finding.found}{remedy}"
