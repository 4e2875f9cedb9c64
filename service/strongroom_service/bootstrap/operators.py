"""What operators' commands beside the service have in common: the database's user, and the pinned identity keys."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from strongroom_service.bootstrap.system import FINGERPRINT_NAME, acting_as, operator_socket
from strongroom_service.domain.errors import KeeperUnavailable, Misconfigured
from strongroom_service.link.hardening import harden_process
from strongroom_service.link.operator_connection import connect_operator
from strongroom_service.link.operator_keeper import OperatorKeeper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractContextManager

    from strongroom_service.application.evidence import VaultStanding
    from strongroom_service.bootstrap.databases import ReadingStore
    from strongroom_service.config.vault_file import VaultConfig

_FINGERPRINT_BYTES = 32


@contextlib.asynccontextmanager
async def operators_keeper(config: VaultConfig) -> AsyncIterator[OperatorKeeper]:
    """Connect to a keeper, as who we are now: to be done before `become_front`, as it admits no front.

    Raises:
        KeeperUnavailable: none takes the connection.
    """
    paths = [operator_socket(config, index) for index in range(config.keepers.count)]
    connection = await connect_operator(paths)
    try:
        yield OperatorKeeper(connection)
    finally:
        connection.close()


def as_keeper(config: VaultConfig) -> AbstractContextManager[None]:
    """Act as the user who may use the token, where we are root and users are configured."""
    users = config.users
    return acting_as(None, None) if users is None else acting_as(users.keeper_uid, users.keeper_gid)


def as_front(config: VaultConfig) -> AbstractContextManager[None]:
    """Act as the user who owns the database, for a moment; `become_front` is for more than the vault's own row."""
    users = config.users
    return acting_as(None, None) if users is None else acting_as(users.front_uid, users.front_gid)


@contextlib.asynccontextmanager
async def all_keepers(config: VaultConfig) -> AsyncIterator[list[OperatorKeeper]]:
    """Connect to every keeper that runs, as `operators_keeper`.

    Raises:
        KeeperUnavailable: there is none.
    """
    async with contextlib.AsyncExitStack() as held:
        keepers = [await held.enter_async_context(operators_keeper(config))]
        for index in range(config.keepers.count):
            with contextlib.suppress(KeeperUnavailable):
                connection = await connect_operator([operator_socket(config, index)])
                held.callback(connection.close)
                keepers.append(OperatorKeeper(connection))
        yield keepers


async def open_vault(keeper: OperatorKeeper, reader: ReadingStore) -> VaultStanding:
    """Have the keeper open the vault's row as it stands in the database.

    Raises:
        Misconfigured: there is none, or it is not of this token.
        RecordRejected: the keeper has opened a newer one: the database was put back, or is not the service's.
    """
    row = await reader.load_vault()
    if row is None:
        raise Misconfigured("the vault has no keys yet: run `strongroomd init`")
    return await keeper.open_vault(row)


def become_front(config: VaultConfig) -> None:
    """Become the user who owns the database, for good, where we are root and users are configured.

    The bytes in the database may be an attacker's: root must not be the one who parses them, and a log or index that
    SQLite makes must be the front's.
    """
    if config.users is None or os.geteuid() != 0:
        return
    os.setgroups([])
    os.setresgid(config.users.front_gid, config.users.front_gid, config.users.front_gid)
    os.setresuid(config.users.front_uid, config.users.front_uid, config.users.front_uid)
    harden_process()  # a change of user id has made us dumpable again


def pinned_fingerprints(config: VaultConfig, given: Sequence[str]) -> frozenset[bytes]:
    """Return the fingerprints in `given`, hex; if none, what `init` has written beside the database.

    Who can put back a database can write that file too: give the fingerprint from elsewhere when that is the question.

    Raises:
        Misconfigured: one is no fingerprint, or there is none.
    """
    texts = list(given)
    if not texts:
        path = config.folder / FINGERPRINT_NAME
        try:
            texts = [path.read_text(encoding="ascii").strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise Misconfigured(f"no identity fingerprint in {path}: give it by --pin") from error
    try:
        pins = frozenset(bytes.fromhex(text) for text in texts)
    except ValueError:
        pins = frozenset()
    if not pins or any(len(pin) != _FINGERPRINT_BYTES for pin in pins):
        raise Misconfigured(f"an identity fingerprint is {2 * _FINGERPRINT_BYTES} hex digits")
    return pins
