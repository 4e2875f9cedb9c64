"""`strongroomd status`: how a vault stands, told by its files, its database and its keepers; also while it is down."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING, Any, Final

from strongroom_service.bootstrap.certificates import days_left, read_chain
from strongroom_service.bootstrap.databases import known_schema, reading_store
from strongroom_service.bootstrap.operators import become_front
from strongroom_service.bootstrap.system import DISTRIBUTION, SystemClock, checkpoint_folder, operator_socket
from strongroom_service.bootstrap.times import age_text, utc_text
from strongroom_service.config.databases import SqliteDatabase
from strongroom_service.config.tenant_file import Tenants, load_tenants
from strongroom_service.config.vault_file import load_vault_config
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.epochs import EpochState
from strongroom_service.domain.errors import Fault, KeeperUnavailable, Misconfigured
from strongroom_service.link.hardening import harden_process
from strongroom_service.link.operator_connection import connect_operator
from strongroom_service.link.operator_keeper import OperatorKeeper
from strongroom_service.store.checkpoint_folder import CheckpointFolder
from strongroom_service.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from pathlib import Path

    from strongroom_service.application.evidence import VaultStanding
    from strongroom_service.application.keys import KeyRing
    from strongroom_service.application.rows import VaultRow
    from strongroom_service.config.vault_file import VaultConfig

# Time enough to renew it by hand, and what the alert goes by too.
_CERTIFICATE_DAYS: Final = 14
_HOUR_MS: Final = 3_600_000
# One run of the housekeeper may fail without anybody being told.
_MISSED_CHECKPOINTS: Final = 2


class State(StrEnum):
    """How the vault stands as a whole."""

    SERVING = "serving"
    DEGRADED = "degraded"
    SEALED = "sealed"


@dataclass(slots=True)
class Standing:
    """What was found: `document` by subject, and `problems` as sentences.

    Attributes:
        closed: no keeper has the vault open, so that nothing can be stored or released.
    """

    document: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    closed: bool = True

    @property
    def state(self) -> State:
        """Sealed, else degraded where there is any problem."""
        if self.closed:
            return State.SEALED
        return State.DEGRADED if self.problems else State.SERVING

    def told(self) -> dict[str, Any]:
        """Return all of it, the verdict first."""
        return {"state": self.state.value, **self.document, "problems": self.problems}


def run_status(config_path: Path) -> Standing:
    """Look at everything that can be looked at; what cannot is among the problems.

    Raises:
        Misconfigured: the vault's file is faulty.
    """
    harden_process()
    configure_logging("status")
    config = load_vault_config(config_path)
    standing = Standing()
    try:
        tenants = load_tenants(config.tenants_dir)
    except Misconfigured as error:  # a service that runs goes on by the files of before
        tenants = Tenants(())
        standing.problems.extend(f"a tenant's file is faulty: {line}" for line in str(error).splitlines())
    postgres = not isinstance(config.database, SqliteDatabase)
    standing.document.update(
        version=version_of(DISTRIBUTION),
        tenants=sorted(tenant.name for tenant in tenants),
        development_tenants=sorted(tenants.in_development()),
        single_user=config.single_user,
        single_node=config.postgresql.single_node if postgres else True,
        token={"label": config.pkcs11.token_label, "module": str(config.pkcs11.module_file)},
    )
    _look_at_certificate(config.listen.tls_certificate_file, standing, key="certificate", name="the TLS certificate")
    if config.browser is not None and config.browser.tls_certificate_file is not None:
        file, name = config.browser.tls_certificate_file, "the TLS certificate for browsers"
        _look_at_certificate(file, standing, key="browser_certificate", name=name)
    asyncio.run(_look_at_service(config, standing))
    return standing


def _look_at_certificate(file: Path, standing: Standing, *, key: str, name: str) -> None:
    try:
        chain = read_chain(file)
    except Fault as fault:
        standing.problems.append(str(fault))
        return
    left = days_left(chain.not_after, now=SystemClock().now())
    standing.document[key] = {"not_after": utc_text(chain.not_after), "days_left": left}
    if left < 0:
        standing.problems.append(f"{name} has expired")
    elif left < _CERTIFICATE_DAYS:
        standing.problems.append(f"{name} ends in {left} days")


async def _look_at_service(config: VaultConfig, standing: Standing) -> None:
    keepers = standing.document["keepers"] = {"configured": config.keepers.count, "answering": 0}
    async with contextlib.AsyncExitStack() as held:
        connected = await _connect(config, held)
        become_front(config)
        row = await _look_at_database(config, standing)
        vault = None
        if row is not None:
            vault, keepers["answering"] = await _look_at_keepers(connected, row, standing)
    standing.closed = vault is None
    if keepers["answering"] < config.keepers.count:
        standing.problems.append(f"{keepers['answering']} of {config.keepers.count} keepers answer")
    _tell_checkpoint(config, standing, vault)


async def _connect(config: VaultConfig, held: contextlib.AsyncExitStack) -> list[OperatorKeeper]:
    """Connect to every keeper that runs, as who we are: they admit root and their own user."""
    keepers = []
    for index in range(config.keepers.count):
        with contextlib.suppress(KeeperUnavailable):
            connection = await connect_operator([operator_socket(config, index)])
            held.callback(connection.close)
            keepers.append(OperatorKeeper(connection))
    return keepers


async def _look_at_database(config: VaultConfig, standing: Standing) -> VaultRow | None:
    schema = standing.document["database"] = {
        "kind": "sqlite" if isinstance(config.database, SqliteDatabase) else "postgresql",
        "readable": False,
    }
    try:
        async with reading_store(config) as reader:
            row = await reader.load_vault()
    except Fault as fault:
        standing.problems.append(f"database: {fault}")
        return None
    schema.update(readable=True, schema=known_schema(config))
    if row is None:
        standing.problems.append("the vault has no keys yet: run `strongroomd init`")
    else:
        standing.document["vault_row"] = row.version
    return row


async def _look_at_keepers(
    keepers: list[OperatorKeeper], row: VaultRow, standing: Standing
) -> tuple[VaultStanding | None, int]:
    """Have each open the vault's row; return what it says, and how many do."""
    answering = 0
    vault = None
    for keeper in keepers:
        try:
            vault = await keeper.open_vault(row)
            if answering == 0:
                _tell_keys(await keeper.list_keys(), standing, now=vault.now)
        except Fault as fault:
            standing.problems.append(f"a keeper does not open the vault: {fault}")
        else:
            answering += 1
    return vault, answering


def _tell_keys(ring: KeyRing, standing: Standing, *, now: Millis) -> None:
    """Tell of the keys in use: one of each kind, since when, and the bundle that clients are shown."""
    standing.document["keys"] = [
        {"label": key.label, "since": utc_text(key.state_at), "age": age_text(key.state_at, now=now)}
        for key in ring.keys
        if key.state is EpochState.ACTIVE
    ]
    standing.document["key_bundle"] = {"serial": ring.bundle_serial, "not_after": utc_text(ring.bundle_not_after)}


def _tell_checkpoint(config: VaultConfig, standing: Standing, vault: VaultStanding | None) -> None:
    """Tell of the last checkpoint: of what the vault's row says where it is open, else of the newest file."""
    now = SystemClock().now()
    if vault is None:
        made_at = Millis(round(CheckpointFolder(checkpoint_folder(config)).newest_at() * 1_000))
        told: dict[str, Any] = {}
    else:
        made_at, now = vault.made_at, vault.now
        told = {"serial": vault.serial, "head": vault.digest.hex() if vault.serial else None}
    told.update(made_at=utc_text(made_at), age=age_text(made_at, now=now))
    standing.document["checkpoint"] = told
    if not made_at:
        standing.problems.append("there is no checkpoint yet: `strongroomd checkpoint make`")
    elif now - made_at > _MISSED_CHECKPOINTS * config.checkpoints.every_hours * _HOUR_MS:
        standing.problems.append(f"the last checkpoint is {told['age']} old: `strongroomd checkpoint make`")
