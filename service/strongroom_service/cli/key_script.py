"""`strongroomd keys script`: a key ceremony before witnesses, and the checking of its transcript."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from strongroom_service.domain.errors import Misconfigured


def script(
    *,
    config: Annotated[Path | None, typer.Option("--config", help="The vault's file.", dir_okay=False)] = None,
    witness: Annotated[list[str] | None, typer.Option("--witness", help="A witness's name; two or more.")] = None,
    second_config: Annotated[
        Path | None,
        typer.Option("--second-config", help="File like --config, whose table pkcs11 is the second token."),
    ] = None,
    copy_to: Annotated[
        Path | None,
        typer.Option("--copy-to", help="New file for an encrypted copy of a SoftHSM token."),
    ] = None,
    recipient: Annotated[str | None, typer.Option("--recipient", help="Age recipient, age1..., of that copy.")] = None,
    print_only: Annotated[bool, typer.Option("--print", help="Print the steps, to sign on paper; do nothing.")] = False,
    verify: Annotated[Path | None, typer.Option("--verify", help="Check a transcript; do nothing else.")] = None,
) -> None:
    """Make the keys before witnesses, and prove a second token. The service must be stopped.

    Missing keys are made; keys that are there stay. It leaves a signed transcript and token-proof.json.
    """
    if verify is not None:
        _verify(verify)
    elif print_only:
        _print(witness or [])
    elif config is None:
        raise typer.BadParameter("needed, unless --print or --verify", param_hint="--config")
    else:
        from strongroom_service.bootstrap.key_script import Second, run_key_script

        second = Second(config_path=second_config, copy_to=copy_to, recipient=recipient)
        for path in run_key_script(config, witnesses=witness or (), second=second, say=typer.echo, ask=typer.prompt):
            typer.echo(f"Written to {path}")


def _print(witnesses: list[str]) -> None:
    from strongroom_service.bootstrap.key_script import STEPS

    for number, title in enumerate(STEPS, 1):
        typer.echo(f"{number}. {title}")
        for name in witnesses:
            typer.echo(f"     {name}: ____________________  time: __________")


def _verify(path: Path) -> None:
    from strongroom_service.bootstrap.key_script import fingerprint_of
    from strongroom_service.config.key_transcript import read_transcript

    document = read_transcript(path)
    witnesses, steps = document.body["witnesses"], document.body["steps"]
    if not isinstance(witnesses, list):
        raise Misconfigured(f"{path}: witnesses must be a list")
    typer.echo(f"Whole: {len(steps)} steps before {', '.join(map(str, witnesses))}; hash {document.body['head']}")
    typer.echo(f"Signed by {fingerprint_of(document.signer)}: compare it with `keys list`, or an owner's fingerprint.")
