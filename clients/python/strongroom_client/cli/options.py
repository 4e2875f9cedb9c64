"""Options that commands share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from strongroom_client.cli.configuration import Configuration, choose_browser, default_state_folder, load_configuration
from strongroom_client.memory import Mode

BACKUPS: Final = "Backups"
KEYS: Final = "Passkeys and recovery"
VAULT: Final = "The vault"
WRONG: Final = "When something is wrong"
"""Where --help shows a command."""

State = Annotated[
    Path | None, typer.Option("--state", help="Folder with strongroom.toml and this device's memory.", file_okay=False)
]
KeyFile = Annotated[
    Path | None, typer.Option("--recovery-key-file", help="Read the recovery key from this file.", dir_okay=False)
]
KeyPrompt = Annotated[bool, typer.Option("--recovery-key-prompt", help="Type the recovery key, row by row.")]
KeyOut = Annotated[
    Path | None, typer.Option(help="Write the recovery key to this new file; else it is shown.", dir_okay=False)
]
Naming = Annotated[str, typer.Option("--name", help="What you call this passkey; only who opens the vault sees it.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
ChosenMode = Annotated[
    Mode | None, typer.Option(help="How the envelope is locked; needed for vault-held on a new device.")
]


Browser = Annotated[bool, typer.Option("--browser", help="Use a passkey of the browser's or a phone's.")]


def load(state: Path | None, *, browser: bool = False) -> Configuration:
    """Return the configuration in the chosen state folder, or in the usual one; with the browser's passkeys if asked.

    Raises:
        ConfigurationFault, UnpinnedVault: it is not fit; or it names no page for the browser.
    """
    configuration = load_configuration(default_state_folder() if state is None else state)
    if not browser:
        return configuration
    return replace(configuration, authenticator=choose_browser(configuration.browser_page))
