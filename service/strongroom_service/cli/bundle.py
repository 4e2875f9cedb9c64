"""`strongroomd bundle`: the vault's public keys, and the owners' signatures of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strongroom_service.cli.options import ConfigFile
from strongroom_service.cli.output import Output, OutputOption, print_document

if TYPE_CHECKING:
    from strongroom_service.front.owner_signatures import BundleFile

bundle_app = typer.Typer(help="The vault's public keys, and the owners' signatures of them.", no_args_is_help=True)

_File = Annotated[Path, typer.Argument(help="A bundle, as `bundle show --file` writes it.", dir_okay=False)]
_Previous = Annotated[
    Path | None, typer.Option("--previous", help="The bundle that the owners signed last.", dir_okay=False)
]
_First = Annotated[bool, typer.Option("--first", help="The owners have signed none before.")]


@bundle_app.command()
def show(
    config: ConfigFile,
    *,
    previous: _Previous = None,
    file: Annotated[Path | None, typer.Option("--file", help="Write it to this new file too.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the bundle that the vault serves, and what changed since an earlier one."""
    from strongroom_service.bootstrap.key_bundles import run_bundle_show, write_new
    from strongroom_service.bootstrap.owner_bundles import read_bundle

    before = None if previous is None else read_bundle(previous)
    bundle = run_bundle_show(config)
    if file is not None:
        write_new(file, bundle.signed.SerializeToString(deterministic=True))
    _print(bundle, before, output)


@bundle_app.command()
def sign(
    bundle: _File,
    *,
    key_file: Annotated[Path, typer.Option("--key-file", help="Owner's key: Ed25519 or P-256, PEM, mode 0600.")],
    file: Annotated[Path, typer.Option("--file", help="New file for the bundle with this signature.")],
    previous: _Previous = None,
    first: _First = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Sign a bundle as an owner, on a machine that has nothing but the key; say what is signed."""
    from strongroom_service.bootstrap.key_bundles import run_bundle_sign
    from strongroom_service.bootstrap.owner_bundles import read_bundle

    before, this = _before(previous, first=first), read_bundle(bundle)
    _print(this, before, output)
    fingerprint = run_bundle_sign(this, key_file=key_file, previous=before, target=file)
    typer.echo(f"Signed by owner {fingerprint.hex()}, written to {file}", err=True)


@bundle_app.command()
def verify(
    bundle: _File,
    *,
    owner_key: Annotated[list[Path], typer.Option("--owner-key", help="Public key of an owner, PEM; two or more.")],
    previous: _Previous = None,
    first: _First = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check that two owners have signed a bundle which is valid now. 1 if they have not."""
    from strongroom_service.bootstrap.key_bundles import run_bundle_verify
    from strongroom_service.bootstrap.owner_bundles import read_bundle

    before, this = _before(previous, first=first), read_bundle(bundle)
    run_bundle_verify(this, owner_keys=owner_key, previous=before)
    _print(this, before, output)


def _before(previous: Path | None, *, first: bool) -> BundleFile | None:
    from strongroom_service.bootstrap.owner_bundles import read_bundle

    if (previous is None) != first:
        raise typer.BadParameter("give either --previous or --first", param_hint="--previous")
    return None if previous is None else read_bundle(previous)


def _print(bundle: BundleFile, before: BundleFile | None, output: Output) -> None:
    from strongroom_service.front.owner_signatures import changes

    says = bundle.says
    print_document(
        {
            "serial": says.serial,
            "not_before": says.not_before_time.ToJsonString(),
            "not_after": says.not_after_time.ToJsonString(),
            "identity_keys": [key.fingerprint.hex() for key in says.identity_keys],
            "transport_keys": [key.key_id.hex() for key in says.transport_keys],
            "previous_bundle_sha256": says.previous_bundle_sha256.hex(),
            "signed_by": [given.fingerprint.hex() for given in bundle.signed.signatures],
            "changes": changes(bundle, before),
        },
        output=output,
    )
