"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path, typer.Option("--config", help="The vault's file, strongroom.toml.", dir_okay=False)]

Pins = Annotated[
    list[str] | None,
    typer.Option(
        "--pin", help="Fingerprint of an identity key that may have signed; default: identity.fingerprint of `init`."
    ),
]

AskKeeper = Annotated[
    bool, typer.Option("--keeper", help="Have a running keeper open every row and event: as root, or as its own user.")
]
