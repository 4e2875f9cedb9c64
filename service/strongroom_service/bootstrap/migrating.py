"""`strongroomd migrate`: the database's schema, under a role of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from strongroom_service.config.databases import PostgresDatabase, parse_database
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.link.hardening import harden_process
from strongroom_service.store.migrations import KNOWN_VERSION, migrate
from strongroom_service.telemetry.logs import configure_logging


@dataclass(frozen=True, slots=True)
class Migrated:
    """Schema versions: before (0: there was none) and after."""

    before: int
    after: int


def run_migrate(url: str, *, service_role: str | None, dry_run: bool, unverified_transport: bool) -> Migrated:
    """Bring the database at `url` to this release's schema, and give the service's role its rights.

    Raises:
        Misconfigured: the URL, the role or the schema is not fit.
        StoreUnavailable: the database refused; nothing was changed.
    """
    harden_process()
    configure_logging("migrate")
    database = parse_database(url, folder=Path.cwd())
    if isinstance(database, PostgresDatabase):
        from strongroom_service.store.postgres_schema import migrate_postgres  # noqa: PLC0415  as in databases.py

        if not database.trusted_transport and not unverified_transport:
            raise Misconfigured("a server on another host needs sslmode=verify-full")
        if service_role is None:
            raise Misconfigured("name the role that the service connects as: --service-role")
        return Migrated(*migrate_postgres(database.url, service_role=service_role, dry_run=dry_run))
    if service_role is not None or dry_run:
        raise Misconfigured("a file has no roles, and its migrations no dry run: keep a copy")
    return Migrated(migrate(database.path), KNOWN_VERSION)
