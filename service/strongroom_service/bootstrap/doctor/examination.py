"""All checks in order. One that cannot look is skipped: what keeps it from looking is another one's finding."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from strongroom_service.bootstrap.doctor.browser import check_browser
from strongroom_service.bootstrap.doctor.database import RowFound, check_database
from strongroom_service.bootstrap.doctor.files import check_files
from strongroom_service.bootstrap.doctor.findings import fail, ok, warn
from strongroom_service.bootstrap.doctor.host import check_host
from strongroom_service.bootstrap.doctor.owner_bundles import check_owner_bundles
from strongroom_service.bootstrap.doctor.service import ask_keepers, check_checkpoints, check_metrics
from strongroom_service.bootstrap.doctor.tls import check_tls
from strongroom_service.bootstrap.doctor.token import KeysFound
from strongroom_service.bootstrap.doctor.token_process import examine_token
from strongroom_service.bootstrap.doctor.token_proof import check_second_token
from strongroom_service.bootstrap.operators import as_front, as_keeper
from strongroom_service.bootstrap.system import SystemClock
from strongroom_service.config.tenant_file import Tenants, load_tenants
from strongroom_service.config.vault_file import load_vault_config
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.link.hardening import harden_process
from strongroom_service.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from strongroom_service.bootstrap.doctor.findings import Finding
    from strongroom_service.config.vault_file import VaultConfig


def run_doctor(config_path: Path, *, host: str | None) -> list[Finding]:
    """Look at everything; changes nothing. `host` is the name by which clients reach the service."""
    harden_process()
    configure_logging("doctor")
    try:
        config = load_vault_config(config_path)
    except Misconfigured as error:
        return [fail("config", str(error), "mend the keys that are named; nothing else could be looked at")]
    return [ok("config", f"{config_path} is good"), *_examine(config, config_path, host)]


def _examine(config: VaultConfig, config_path: Path, host: str | None) -> Iterator[Finding]:
    development, listen, tenants = config.single_user, config.listen, Tenants(())
    try:
        tenants = load_tenants(config.tenants_dir)
    except Misconfigured as error:
        yield fail("tenants", str(error), "mend the keys that are named")
    else:
        yield ok("tenants", f"{len(tenants)} good")
        yield _check_marks(tenants)
        # One tenant marked beside real ones makes no vault for development.
        development = development or len(tenants.in_development()) == len(tenants)
    yield from check_files(config, config_path)
    yield from check_host(config, config_path)
    with as_front(config):
        yield from list(check_tls(listen.tls_certificate_file, listen.tls_key_file, listened_at=listen.host, host=host))
    found, keys = RowFound(), KeysFound()
    with as_front(config):
        yield from list(check_database(config, found))
    with as_keeper(config):
        yield from list(examine_token(config, found.row, keys))
    yield check_second_token(
        config, config_path, now=SystemClock().now(), keys=keys.check_values, development=development
    )
    with as_front(config):
        yield check_owner_bundles(config, now=SystemClock().now())
    keepers, vault = asyncio.run(ask_keepers(config, found.row))
    yield keepers
    yield check_metrics(config.metrics)
    with as_front(config):
        yield from list(check_browser(config.browser, tenants, host=host))
    with as_front(config):
        yield from list(check_checkpoints(config, found.row, vault))


def _check_marks(tenants: Tenants) -> Finding:
    marked = ", ".join(sorted(tenants.in_development()))
    if marked:
        return warn("development", f"marked for development: {marked}", "remove `development` before there are users")
    return ok("development", "no tenant is marked for development")
