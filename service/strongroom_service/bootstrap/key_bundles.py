"""`strongroomd bundle`: the served key bundle to a file, and owners' co-signatures of it, made and checked offline."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from strongroom_service.bootstrap.databases import reading_store
from strongroom_service.bootstrap.keeper import open_token
from strongroom_service.bootstrap.system import SystemClock, acting_as, keys_lock
from strongroom_service.config.owner_keys import owner_fingerprint, read_owner_key, read_owner_public_key
from strongroom_service.config.vault_file import load_vault_config
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.front.owner_signatures import BundleFile, check_owners, cosign, parse_bundle
from strongroom_service.keeper.vault_keys import open_vault
from strongroom_service.link.hardening import harden_process

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from strongroom_service.application.rows import VaultRow
    from strongroom_service.config.vault_file import VaultConfig


def run_bundle_show(config_path: Path) -> BundleFile:
    """Return the bundle that the vault serves, from its row; the token is asked to open it.

    Raises:
        Misconfigured, TokenFault, RecordRejected: there is none, or it does not open.
    """
    harden_process()
    config = load_vault_config(config_path)
    row = asyncio.run(_load(config))
    ids = (None, None) if config.users is None else (config.users.keeper_uid, config.users.keeper_gid)
    with acting_as(*ids), keys_lock(config.run_dir, exclusive=False), contextlib.closing(open_token(config)) as token:
        bundle = open_vault(token, version=row.version, sealed=row.sealed).contents.key_bundle
    return parse_bundle(bundle.SerializeToString(deterministic=True))


def run_bundle_sign(bundle: BundleFile, *, key_file: Path, previous: BundleFile | None, target: Path) -> bytes:
    """Write the bundle with one more owner's signature to the new file `target`; return the owner's fingerprint.

    Raises:
        Misconfigured: the key file is not fit, the serial does not rise, or `target` is there.
    """
    harden_process()
    key = read_owner_key(key_file)
    write_new(target, cosign(bundle, key, previous=previous))
    return owner_fingerprint(key.public_key())


def run_bundle_verify(bundle: BundleFile, *, owner_keys: Sequence[Path], previous: BundleFile | None) -> None:
    """Check that two of the owners have signed. Raises Misconfigured."""
    owners = [read_owner_public_key(path) for path in owner_keys]
    check_owners(bundle, owners, previous=previous, now=SystemClock().now())


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet. Raises Misconfigured."""
    try:
        with path.open("xb") as file:
            file.write(content)
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}") from error


async def _load(config: VaultConfig) -> VaultRow:
    async with reading_store(config) as store:
        row = await store.load_vault()
    if row is None:
        raise Misconfigured("the vault has no keys yet: run `strongroomd init`")
    return row
