"""`strongroomd init`: keys in the token, the database, and the vault's row over them. A second run changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strongroom_service.application.rows import VaultRow
from strongroom_service.bootstrap.databases import make_schema, serving_store
from strongroom_service.bootstrap.keeper import open_token
from strongroom_service.bootstrap.operators import as_front, as_keeper
from strongroom_service.bootstrap.serve import separated_children
from strongroom_service.bootstrap.system import (
    FINGERPRINT_NAME,
    SystemClock,
    keys_lock,
    make_run_dir,
    random_bytes,
)
from strongroom_service.config.databases import SqliteDatabase
from strongroom_service.config.tenant_file import load_tenants
from strongroom_service.config.vault_file import load_vault_config
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.keeper.token.offer import choose_profile, probe_offer
from strongroom_service.keeper.token.pin import read_pin
from strongroom_service.keeper.token.provision import FIRST_KEYS, make_missing_keys
from strongroom_service.keeper.token.session import writable_session
from strongroom_service.keeper.vault_keys import make_vault, open_vault
from strongroom_service.link.hardening import harden_process
from strongroom_service.telemetry.logs import configure_logging, get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from strongroom_service.config.vault_file import VaultConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialised:
    """What `init` found or made.

    Attributes:
        made_keys: labels of the keys made now; empty where the vault was there already.
        already: whether it was.
        identity_fingerprint: what clients pin, 64 hex digits.
        fingerprint_file: where that is written too.
    """

    made_keys: Sequence[str]
    already: bool
    identity_fingerprint: str
    fingerprint_file: Path


def run_init(config_path: Path, *, one_user: bool = False) -> Initialised:
    """Make the vault that the configuration describes, unless it is there.

    Args:
        config_path: the vault's file.
        one_user: do all of it as the keeper's user, who is then given the PIN and the database's password for this run.

    Raises:
        Misconfigured: the service is running, a key that the vault's row names is missing (it is not remade), or
            configuration or user ids are not fit to serve.
        TokenFault, StoreUnavailable: the token or the database failed; run it again.
    """
    harden_process()
    configure_logging("init")
    config = load_vault_config(config_path)
    load_tenants(config.tenants_dir)
    if one_user:
        _check_one_user(config)
    else:
        separated_children(config, config_path)  # made under other ids than it will be served, it could not be read
    make_run_dir(config)
    with contextlib.ExitStack() as held:
        with as_keeper(config):
            held.enter_context(keys_lock(config.run_dir, exclusive=True))
        with as_front(config):
            make_schema(config)
            row = asyncio.run(_load(config))
        with as_keeper(config):
            made = [] if row is not None else _make_keys(config)
            new_row, fingerprint = _open_or_make_row(config, row)
        with as_front(config):
            if row is None:
                asyncio.run(_commit(config, new_row))
            fingerprint_file = config.folder / FINGERPRINT_NAME
            fingerprint_file.write_text(f"{fingerprint}\n", encoding="ascii")
    return Initialised(
        made_keys=made,
        already=row is not None,
        identity_fingerprint=fingerprint,
        fingerprint_file=fingerprint_file,
    )


def _check_one_user(config: VaultConfig) -> None:
    if isinstance(config.database, SqliteDatabase):
        raise Misconfigured(
            "--one-user: database must be postgresql://: a file made by the keeper's user would not be the front's"
        )
    if config.users is None or os.geteuid() != config.users.keeper_uid:
        whom = "whom [users] must name" if config.users is None else str(config.users.keeper_uid)
        raise Misconfigured(f"--one-user: must be run as keeper_uid, {whom}, not as user id {os.geteuid()}")


def _make_keys(config: VaultConfig) -> list[str]:
    os.environ.update(config.pkcs11.environment)
    pkcs11 = config.pkcs11
    with writable_session(
        module=pkcs11.module_file, token_label=pkcs11.token_label, pin=read_pin(pkcs11.pin_file)
    ) as session:
        # No vault row, so no record either: keys of a run that was cut short are taken up.
        profile = choose_profile(probe_offer(session), wanted=pkcs11.profile)
        get_logger().info("wrap_profile_chosen", profile=profile.value)
        return make_missing_keys(session, known=(), profile=profile)


def _open_or_make_row(config: VaultConfig, row: VaultRow | None) -> tuple[VaultRow, str]:
    """Return the row, made where there is none, and the identity fingerprint; opening it checks every key it names."""
    with contextlib.closing(open_token(config)) as token:
        if row is None:
            version, sealed = make_vault(token, FIRST_KEYS, now=SystemClock().now(), random=random_bytes)
            row = VaultRow(version=version, sealed=sealed)
        keys = open_vault(token, version=row.version, sealed=row.sealed)
        return row, keys.identity_fingerprint.hex()


async def _load(config: VaultConfig) -> VaultRow | None:
    async with serving_store(config) as store:
        return await store.load_vault()


async def _commit(config: VaultConfig, row: VaultRow) -> None:
    async with serving_store(config) as store:
        await store.commit_vault(row)
