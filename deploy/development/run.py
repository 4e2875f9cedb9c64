"""A vault for development on this machine, until Ctrl-C, and a client that is ready to use it.

    python -m deploy.development.run [--page] [FOLDER]

FOLDER (default build/development) keeps it; a second run starts the same vault again, with what it holds.
With --page the page of clients/web/page is built and served, too, where passkeys of this vault may be used.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shlex
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from deploy.development.environment import CONFIG_NAME, DevelopmentVault, VaultShape, find_files, make_files
from deploy.development.page_bundle import build_page
from deploy.development.page_server import PageServer, PageSettings
from deploy.development.stop_signals import StopSignals

_ROOT: Final = Path(__file__).resolve().parents[2]
_DEFAULT_FOLDER: Final = _ROOT / "build" / "development"
_FOLDER_HELP: Final = (
    "Where the vault, its token and a client are kept, made where nothing is; a second run serves the same vault again."
    " Default: build/development. Its path must be short: a Unix socket's address holds 107 bytes."
)
_ACCOUNT: Final = "alice"
_TOKEN_FILE: Final = "token.jwt"  # noqa: S105  a file's name
PAGE_ORIGIN: Final = "http://localhost:8737"
"""Where a page for development is served, which may call this vault and use passkeys with it."""
_RENEWAL_SECONDS: Final = 1_200  # a third of a token's life


def main(arguments: Sequence[str]) -> int:
    """Run the vault until a signal comes; return the exit code."""
    parser = argparse.ArgumentParser(prog="run", description="A vault for development on this machine, until Ctrl-C.")
    parser.add_argument("folder", metavar="FOLDER", nargs="?", type=Path, default=_DEFAULT_FOLDER, help=_FOLDER_HELP)
    parser.add_argument("--page", action="store_true", help="Serve the page, too.")
    given = parser.parse_args(arguments)
    folder: Path = given.folder.resolve()
    stop = StopSignals()
    vault = _vault_in(folder)
    vault.init()
    page = _page_of(vault, folder / "page") if given.page else nullcontext()
    try:
        vault.serve()
        client = _write_client(vault, folder / "client")
        _tell(vault, client)
        with page:
            if given.page:
                print(f"The page is at {PAGE_ORIGIN}", flush=True)
            while not _ends_within(vault.pid, seconds=_RENEWAL_SECONDS):
                _write_token(vault, client)
        print(f"The service has ended by itself; see {vault.log_file}", file=sys.stderr)
        return 1
    except SystemExit:
        return 0  # this is how it is meant to end
    finally:
        stop.ignore_further()
        vault.stop()


def _vault_in(folder: Path) -> DevelopmentVault:
    if (folder / CONFIG_NAME).exists():
        return DevelopmentVault(find_files(folder))
    if folder.exists() and any(folder.iterdir()):
        raise SystemExit(
            f"{folder} holds something else, or a vault that was left half made: remove it, or name another"
        )
    return DevelopmentVault(make_files(folder, VaultShape(origins=("http://localhost", PAGE_ORIGIN), browser=True)))


def _page_of(vault: DevelopmentVault, built: Path) -> PageServer:
    address = vault.files.browser_url
    if address is None:
        raise SystemExit("this vault was made before browsers were served: remove its folder, or name another")
    settings = PageSettings(
        folder=build_page(built),
        vault=address,
        tenant=vault.tenant.name,
        pins=vault.pins,
        issue_token=lambda account, scope: vault.issue_token(account, scope=scope),
    )
    try:
        server = PageServer(settings, port=int(PAGE_ORIGIN.rpartition(":")[2]))
    except OSError as error:
        raise SystemExit(f"the page cannot be served at {PAGE_ORIGIN}: {error.strerror}") from error
    return server


def _ends_within(pid: int, *, seconds: float) -> bool:
    """Wait, and tell whether the process has ended meanwhile; it is left to be reaped."""
    descriptor = os.pidfd_open(pid)
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def _write_client(vault: DevelopmentVault, client: Path) -> Path:
    """Write what `strongroom --state` needs into the folder `client`, and return it."""
    client.mkdir(mode=0o700, exist_ok=True)
    # A JSON string without control characters is a TOML string.
    (client / "strongroom.toml").write_text(
        f"vault = {json.dumps(vault.address)}\n"
        f"tenant = {json.dumps(vault.tenant.name)}\n"
        f"account = {json.dumps(_ACCOUNT)}\n"
        f"account_token_file = {json.dumps(_TOKEN_FILE)}\n"
        f"pins = {json.dumps(list(vault.pins))}\n"
        f"ca_file = {json.dumps(str(vault.ca_file))}\n"
        "\n[authenticator]\n"
        'kind = "software-insecure"\n'
        'file = "passkeys.json"\n',
        encoding="utf-8",
    )
    _write_token(vault, client)
    return client


def _write_token(vault: DevelopmentVault, client: Path) -> None:
    """Write a fresh account token; a reader finds the old one or the new one, whole."""
    fresh = client / f".{_TOKEN_FILE}"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(vault.issue_token(_ACCOUNT) + "\n")
    fresh.replace(client / _TOKEN_FILE)


def _tell(vault: DevelopmentVault, client: Path) -> None:
    command = shlex.join([_short(_ROOT / ".venv" / "bin" / "strongroom")])
    state = f"--state {shlex.quote(_short(client))}"
    print(
        f"""\
A vault for development is up, until Ctrl-C. It is kept in {_short(vault.files.folder)}
   gRPC      {vault.address}, TLS by {_short(vault.ca_file)}
   browsers  {vault.files.browser_url}, Connect and gRPC-Web in plain text, for pages of {PAGE_ORIGIN}
   metrics   {vault.files.metrics_url}
   log       {_short(vault.log_file)}
   pin       {vault.files.identity_fingerprint}
   token     {_short(client / _TOKEN_FILE)}, {_ACCOUNT}'s, renewed while this runs
To use it, in another terminal:
   {command} enroll {state} --user-name {_ACCOUNT}
   {command} backup {state} FOLDER backup.tar.zst.age
   {command} restore {state} backup.tar.zst.age RESTORED
   {command} restore --recovery-key-prompt backup.tar.zst.age RESTORED
   {command} status {state}
   {command} history {state}
For a new device, remove {_short(client / "memory")}; the passkey is in {_short(client / "passkeys.json")}.""",
        flush=True,
    )


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
