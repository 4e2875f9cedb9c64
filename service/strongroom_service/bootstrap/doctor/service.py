"""What only a running service shows, and whether its checkpoints go with the database."""

from __future__ import annotations

import contextlib
import urllib.request
from typing import TYPE_CHECKING, Final

from strongroom_service.application.succession import check_standing, check_vault_row
from strongroom_service.bootstrap.doctor.findings import attempt, fail, ok, skip
from strongroom_service.bootstrap.operators import pinned_fingerprints
from strongroom_service.bootstrap.system import SystemClock, checkpoint_folder, operator_socket
from strongroom_service.bootstrap.times import age_text
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Fault, KeeperUnavailable, Misconfigured
from strongroom_service.keeper.formats.checkpoint import check_signature
from strongroom_service.link.operator_connection import connect_operator
from strongroom_service.link.operator_keeper import OperatorKeeper
from strongroom_service.store.checkpoint_files import CheckpointFile
from strongroom_service.store.checkpoint_folder import CheckpointFolder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom_service.application.evidence import VaultStanding
    from strongroom_service.application.rows import VaultRow
    from strongroom_service.bootstrap.doctor.findings import Finding
    from strongroom_service.config.vault_file import Metrics, VaultConfig

_HOUR_MS: Final = 3_600_000
_METRICS_SECONDS: Final = 5.0
_METRICS_BYTES: Final = 4_194_304
# One run of the housekeeper may fail without anybody being told.
_MISSED: Final = 2
_MAKE: Final = "run `strongroomd checkpoint make`, and look in the log for checkpoint_not_made"


async def ask_keepers(config: VaultConfig, row: VaultRow | None) -> tuple[Finding, VaultStanding | None]:
    """Have every keeper open the vault's row; as root, or as their own user."""
    answering, vault, why = 0, None, "there is no row of the vault"
    for index in range(config.keepers.count):
        try:
            connection = await connect_operator([operator_socket(config, index)])
            with contextlib.closing(connection):
                if row is not None:
                    vault = await OperatorKeeper(connection).open_vault(row)
                    answering += 1
        except Fault as fault:
            why = str(fault)
    if answering == config.keepers.count:
        return ok("keepers", f"all {answering} have the vault open"), vault
    remedy = "start the service, or look in its log for why keepers end; run doctor as root"
    return fail("keepers", f"{answering} of {config.keepers.count} have the vault open: {why}", remedy), vault


def check_metrics(page: Metrics) -> Finding:
    """Look whether Prometheus would find something."""
    url = f"http://{page.host}:{page.port}/metrics"

    def look() -> str:
        try:
            with urllib.request.urlopen(url, timeout=_METRICS_SECONDS) as answer:
                served = answer.read(_METRICS_BYTES)
        except (OSError, ValueError) as error:
            raise KeeperUnavailable(f"{url}: {getattr(error, 'reason', error)}") from error
        if b"strongroom_" not in served:
            raise Misconfigured(f"{url} is another program's")
        return url

    return attempt("metrics", look, "start the service, or give [metrics] a port of its own")


def check_checkpoints(config: VaultConfig, row: VaultRow | None, vault: VaultStanding | None) -> Iterator[Finding]:
    """As the front's user, look at the newest checkpoint: how old it is, and whether the database is not older."""
    folder = CheckpointFolder(checkpoint_folder(config))
    try:
        files = folder.files()
    except Misconfigured as error:
        yield fail("checkpoint_age", str(error), "make the folder readable for the front's user")
        yield skip("checkpoint_head", "the folder cannot be read")
        return
    now = SystemClock().now() if vault is None else vault.now
    made_at = Millis(round(folder.newest_at() * 1_000)) if vault is None else vault.made_at
    yield _age(made_at, now=now, every_hours=config.checkpoints.every_hours)
    if not files:
        yield skip("checkpoint_head", f"there is no checkpoint in {folder.path}")
        return

    def look() -> str:
        with CheckpointFile(files[-1]) as file:
            check_signature(file.signed, pins=pinned_fingerprints(config, ()))
            head = file.signed.head
        findings = [] if row is None else list(check_vault_row(head, version=row.version))
        findings += [] if vault is None else list(check_standing(head, vault))
        for finding in findings:
            raise Misconfigured(finding.why)
        return f"{files[-1]} is signed, and the vault's row goes on from it"

    yield attempt(
        "checkpoint_head",
        look,
        "where the identity key was rotated: `checkpoint make`; else take the newest database, and if there is none"
        " read docs/operations.md, on a database that is lost or was put back",
    )


def _age(made_at: Millis, *, now: Millis, every_hours: float) -> Finding:
    if not made_at:
        return fail("checkpoint_age", "there is no checkpoint yet", _MAKE)
    age = age_text(made_at, now=now)
    if now - made_at > _MISSED * every_hours * _HOUR_MS:
        return fail("checkpoint_age", f"the last one is {age} old, one is due every {every_hours:g} h", _MAKE)
    return ok("checkpoint_age", f"the last one is {age} old")
