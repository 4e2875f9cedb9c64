"""`strongroomd migrate copy`: a vault from its file to a database that replicas share."""

from __future__ import annotations

import asyncio
from pathlib import Path

from strongroom_service.application.copy_store import Copied, Say, copy_store
from strongroom_service.config.databases import PostgresDatabase, SqliteDatabase, parse_database
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.link.hardening import harden_process
from strongroom_service.store.sqlite_copy import SqliteCopySource
from strongroom_service.telemetry.logs import configure_logging


def run_copy(
    source_url: str, destination_url: str, *, single_node: bool, unverified_transport: bool, say: Say
) -> Copied:
    """Copy the vault, compare, and hand over.

    Raises:
        Misconfigured: a service runs on the source, or source or destination is not fit.
        RecordRejected: what was copied is not what is there.
        StoreUnavailable, OutcomeUnknown: run it again.
    """
    harden_process()
    configure_logging("copy")
    source = parse_database(source_url, folder=Path.cwd())
    destination = parse_database(destination_url, folder=Path.cwd())
    if not isinstance(source, SqliteDatabase) or not isinstance(destination, PostgresDatabase):
        raise Misconfigured("a vault is copied from sqlite:/// to postgresql://, and in no other way")
    if not destination.trusted_transport and not unverified_transport:
        raise Misconfigured("a server on another host needs sslmode=verify-full")
    return asyncio.run(_copy(source, destination, single_node=single_node, say=say))


async def _copy(source: SqliteDatabase, destination: PostgresDatabase, *, single_node: bool, say: Say) -> Copied:
    # A large library that a vault in one file has no use for.
    from strongroom_service.store.postgres_copy import PostgresCopyDestination  # noqa: PLC0415
    from strongroom_service.store.postgres_rules import PostgresRules  # noqa: PLC0415

    rules = PostgresRules(conninfo=destination.url, single_node=single_node, deadline_seconds=60)
    with SqliteCopySource.open(source.path) as held:
        async with PostgresCopyDestination.open(rules) as there:
            return await copy_store(held, there, say=say)
