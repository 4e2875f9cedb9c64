"""`strongroomd config` and `strongroomd tenants`: what the files say, and whether it will do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from strongroom_service.cli.options import ConfigFile
from strongroom_service.cli.output import Output, OutputOption, print_document, print_table
from strongroom_service.config.effective import effective, tenant_told
from strongroom_service.config.tenant_file import load_tenants
from strongroom_service.config.vault_file import load_vault_config

if TYPE_CHECKING:
    from strongroom_service.config.vault_file import Owners

config_app = typer.Typer(help="The configuration files.", no_args_is_help=True)
tenants_app = typer.Typer(help="The tenants, from their files.", no_args_is_help=True)

_COLUMNS = ("name", "issuer", "rp_id", "on_exhaustion", "budget", "releases_per_day", "token_keys", "development")


@config_app.command()
def check(config: ConfigFile, output: OutputOption = Output.TABLE) -> None:
    """Read the vault's file, the tenants' files and what the owners signed, and tell every fault in them."""
    vault = load_vault_config(config)
    tenants = load_tenants(vault.tenants_dir)
    signed = 0 if vault.owners is None else _count_signed(vault.owners)
    if output is Output.JSON:
        marked = sorted(tenants.in_development())
        print_document(
            {
                "tenants": len(tenants),
                "development_tenants": marked,
                "single_user": vault.single_user,
                "owner_bundles": signed,
            },
            output=output,
        )
        return
    typer.echo(f"{config}: good, {len(tenants)} tenant{'' if len(tenants) == 1 else 's'}.")
    if vault.owners is not None:
        typer.echo(f"{vault.owners.bundles_dir}: good, {signed} bundle{'' if signed == 1 else 's'} of the owners.")
    for name in tenants.in_development():
        typer.echo(f"Tenant {name} is marked for development: never for real users.")
    if vault.single_user:
        typer.echo("single_user is set: front and keepers are not separated. Never for real users.")


def _count_signed(owners: Owners) -> int:
    from strongroom_service.bootstrap.owner_bundles import load_owner_bundles

    return len(load_owner_bundles(owners))


@config_app.command()
def show(config: ConfigFile, output: OutputOption = Output.TABLE) -> None:
    """Print the vault's file as it takes effect, defaults included, with what could be a secret masked."""
    print_document(effective(load_vault_config(config)), output=output)


@tenants_app.command(name="list")
def list_tenants(config: ConfigFile, output: OutputOption = Output.TABLE) -> None:
    """Print each tenant with its limits."""
    told = [tenant_told(tenant) for tenant in load_tenants(load_vault_config(config).tenants_dir)]
    rows = [[len(each[name]) if name == "token_keys" else each[name] for name in _COLUMNS] for each in told]
    print_table(_COLUMNS, rows, output=output)


@tenants_app.command(name="check")
def check_tenants(config: ConfigFile, output: OutputOption = Output.TABLE) -> None:
    """Read the tenants' files alone and tell every fault in them, before SIGHUP takes them into use."""
    tenants = load_tenants(load_vault_config(config).tenants_dir)
    rows = [(tenant.name, "for development: never for real users" if tenant.development else "") for tenant in tenants]
    print_table(("name", "remark"), rows, output=output)
