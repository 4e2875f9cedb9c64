"""`strongroom receipts`: what the vault has signed for, shown and checked."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated

import typer

from strongroom_client.cli.configuration import Configuration
from strongroom_client.cli.exit_codes import ExitCode
from strongroom_client.cli.opening import opened_client
from strongroom_client.cli.options import State, load
from strongroom_client.cli.output import Output, Shown
from strongroom_client.cli.showing import as_json, shown_time
from strongroom_client.memory_folder import MemoryFolder
from strongroom_client.receipts.format import Accepted, CutShort, Dropped, KeptLine, KeptReceipt
from strongroom_client.verification.kept_receipts import Examination, Finding, examine_receipts
from strongroom_client.verification.owner_bundles import receipt_pins

app = typer.Typer(help="The vault's receipts, kept on this device.", no_args_is_help=True)

Compare = Annotated[bool, typer.Option("--history", help="Ask the vault for its history, and compare.")]


@app.command("list")
def list_receipts(*, state: State = None, output: Shown = Output.TEXT) -> None:
    """Show the kept receipts, oldest first, without checking them. Needs no network."""
    configuration = load(state)
    if configuration.settings.trust.unpinned:
        typer.secho("Warning: no identity key is pinned, so that receipts prove nothing.", err=True)
    with MemoryFolder(configuration.memory_root, owner=configuration.settings.owner) as folder:
        lines = folder.receipts()
    if output is Output.JSON:
        typer.echo(as_json(lines))
        return
    for line in lines:
        typer.echo(_in_words(line))


@app.command()
def verify(*, state: State = None, output: Shown = Output.TEXT, history: Compare = False) -> None:
    """Check all kept receipts: by the pinned identity keys, and one with another. Needs no network but for --history.

    Exit code 9 names at least one that is wrong, or that the vault has forgotten or changed.
    """
    configuration = load(state)
    examination = _examine(configuration)
    compared: tuple[Finding, ...] | None = None
    if history:
        with opened_client(configuration) as client:
            compared = client.compare_receipts()
    if output is Output.JSON:
        typer.echo(as_json({"examination": examination, "history": compared}))
    else:
        for said in _said(examination, compared):
            typer.echo(said)
    if compared or not examination.is_sound:
        sys.exit(ExitCode.FOUND_WRONG)


def _examine(configuration: Configuration) -> Examination:
    """Examine the log.

    Raises:
        UnpinnedVault: nothing is pinned, so that receipts prove nothing.
    """
    settings = configuration.settings
    with MemoryFolder(configuration.memory_root, owner=settings.owner) as folder:
        memory = folder.load()
        pins = receipt_pins(settings.trust, memory.owner_bundle)
        return examine_receipts(folder.receipts(), pins=pins, remembered=memory.position)


def _said(examination: Examination, compared: tuple[Finding, ...] | None) -> Iterable[str]:
    for finding in (*examination.findings, *(compared or ())):
        accepted = "  (accepted by you)" if finding.accepted else ""
        place = f"{finding.place}: " if finding.place else ""
        yield f"{place}{finding.flaw.value}: {finding.said}{accepted}"
    if examination.dropped:
        yield f"{examination.dropped} older lines were dropped for want of room."
    if examination.cut_short:
        yield f"{examination.cut_short} lines were cut short by a crash; nothing was remembered from them."
    sound = "all sound" if examination.is_sound else "NOT SOUND"
    yield f"{examination.receipts} receipts, {sound}."
    if compared is not None:
        yield "NOT what the vault's history says." if compared else "The vault's history has all of them."


def _in_words(line: KeptLine) -> str:
    match line.entry:
        case KeptReceipt() as receipt:
            what, position = receipt.receipt_for.value.rpartition("/")[2], receipt.position
            head = f"{position.chain_head.hex()[:16]}..."
            return f"{shown_time(receipt.verified_at)}  {what:<16} version {position.version}  {head}"
        case Accepted() as accepted:
            return f"{shown_time(accepted.at)}  you accepted that the vault is at version {accepted.position.version}"
        case CutShort():
            return "a receipt was cut short by a crash"
        case Dropped() as dropped:
            return f"{dropped.lines} older lines were dropped for want of room"
    return f"{line.place} cannot be read"
