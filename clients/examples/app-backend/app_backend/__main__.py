"""The command line.

python -m app_backend new-key KEY_FILE           makes the private key of account tokens
python -m app_backend jwks KEY_FILE              prints the JWK set for the tenant's folder at the vault
python -m app_backend add-user USERS_FILE NAME   adds a demo user; the password is read from standard input
python -m app_backend serve APP_TOML             serves, on 127.0.0.1
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from app_backend.account_tokens import KeyFault, TokenIssuer, jwk_set, load_key, make_key
from app_backend.application import Backend
from app_backend.demo_users import DemoUsers, UnfitUser, user_table
from app_backend.sessions import Sessions
from app_backend.settings import SettingsFault, load_settings


def main(arguments: Sequence[str]) -> int:
    """Run a command; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="app_backend", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("new-key").add_argument("key_file", type=Path)
    commands.add_parser("jwks").add_argument("key_file", type=Path)
    add_user = commands.add_parser("add-user")
    add_user.add_argument("users_file", type=Path)
    add_user.add_argument("name")
    commands.add_parser("serve").add_argument("app_toml", type=Path)
    given = parser.parse_args(arguments)
    try:
        if given.command == "new-key":
            make_key(given.key_file)
        elif given.command == "jwks":
            print(json.dumps(jwk_set(load_key(given.key_file)), indent=2))
        elif given.command == "add-user":
            _add_user(given.users_file, given.name)
        else:
            _serve(given.app_toml)
    except (KeyFault, SettingsFault, UnfitUser, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _add_user(users_file: Path, name: str) -> None:
    password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    table = user_table(name, password)
    if users_file.exists() and name in DemoUsers.load(users_file).by_name:
        raise UnfitUser("there is a user of that name")
    with users_file.open("a", encoding="utf-8") as file:
        file.write(table)


def _serve(app_toml: Path) -> None:
    settings = load_settings(app_toml)
    vault = settings.vault
    backend = Backend(
        settings=settings,
        users=DemoUsers.load(settings.users_file),
        issuer=TokenIssuer.load(settings.signing_key_file, issuer=vault.issuer, audience=vault.audience),
        sessions=Sessions(),
    )
    print(f"INSECURE demo sign-in at {settings.origin}: never for real users.", file=sys.stderr)
    uvicorn.run(backend.application(), host="127.0.0.1", port=settings.port, server_header=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
