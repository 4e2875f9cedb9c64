"""A keeper process: the PIN, the token session and the judge, behind two Unix sockets: the front's and operators'."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from strongroom_service.bootstrap.host_clock import clock_check, inherited_anchor, read_discipline, steady_clock
from strongroom_service.bootstrap.reloading import Reloading, inherited_configuration
from strongroom_service.bootstrap.system import keeper_socket, keys_lock, operator_socket, random_bytes
from strongroom_service.domain.errors import ClockUntrusted
from strongroom_service.keeper.cases import CaseReader
from strongroom_service.keeper.condition import Condition
from strongroom_service.keeper.fulfilments import FulfilmentLog
from strongroom_service.keeper.handler import KeeperHandler
from strongroom_service.keeper.listener import listen
from strongroom_service.keeper.loop import Ending, KeeperLoop
from strongroom_service.keeper.operating import OperatorHandler
from strongroom_service.keeper.presented import PresentedRows
from strongroom_service.keeper.token.measured_token import MeasuredToken
from strongroom_service.keeper.token.offer import choose_profile
from strongroom_service.keeper.token.pin import read_pin
from strongroom_service.keeper.token.pkcs11_token import Pkcs11Token
from strongroom_service.keeper.visits import Door, operator_visit
from strongroom_service.link.hardening import harden_process
from strongroom_service.link.heartbeat import Heartbeat
from strongroom_service.link.memory_lock import lock_as_wished, lock_memory
from strongroom_service.link.peer import OperatorRule, PeerRule
from strongroom_service.telemetry.logs import configure_logging, get_logger
from strongroom_service.tokens.account_tokens import AccountTokenVerifier
from strongroom_service.tokens.tenant_tokens import TenantTokenVerifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from strongroom_service.config.tenant_file import Tenants
    from strongroom_service.config.vault_file import VaultConfig

# About 250 bytes each.
_PRESENTED_CAPACITY: Final = 65_536
# Who may connect is asked of the kernel (`PeerRule`), and the folder lets only the front's group pass.
_SOCKET_MODE: Final = 0o666
# Root and the keepers' own user: whoever is neither is stopped by the file system already.
_OPERATORS_SOCKET_MODE: Final = 0o600


def run_keeper(config_path: Path, index: int) -> int:
    """Be keeper number `index` until told to stop; return the exit code: 1 if the token session was lost.

    Raises:
        Misconfigured, TokenFault: it cannot start.
    """
    harden_process()
    configure_logging(f"keeper-{index}")
    heartbeat = Heartbeat.inherited(os.environ)
    configuration = inherited_configuration(config_path, os.environ)
    config, tenants = configuration.vault, configuration.tenants
    memory_locked = _lock_memory(config)  # before the PIN is read
    with contextlib.ExitStack() as held:
        with keys_lock(config.run_dir, exclusive=False):  # a token that is being written to is hard to open
            opened = held.enter_context(contextlib.closing(open_token(config)))
        token = MeasuredToken(opened)
        log = get_logger()
        _report_offer(opened, config)
        verifier = AccountTokenVerifier(tenants, config.audience)
        clock = steady_clock(inherited_anchor(os.environ), config.clock, log=log)
        check_clock = clock_check(config.clock, read=read_discipline)
        beat = heartbeat.beat if heartbeat is not None else lambda: None
        handler = KeeperHandler(
            token=token,
            cases=CaseReader(
                tenants=tenants,
                accounts=verifier,
                tenant_tokens=TenantTokenVerifier(tenants, config.audience),
                clock=clock,
            ),
            presented=PresentedRows(capacity=_PRESENTED_CAPACITY),
            fulfilments=FulfilmentLog(config.keepers.log_file),
            clock=clock,
            check_clock=check_clock,
            condition=lambda: Condition(
                memory_locked=memory_locked,
                clock_beyond=clock.beyond(),
                clock_trusted=_passes(check_clock),
                token_operations=token.take_counts(),
            ),
            random=random_bytes,
            log=log,
        )
        loop = KeeperLoop(
            listener=listen(keeper_socket(config, index), mode=_SOCKET_MODE),
            admit=_peer_rule(config).admit,
            handler=handler,
            reload=_reload_of(Reloading(config_path, configuration, log=log), tenants, verifier),
            beat=beat,
            log=log,
            operators=Door(
                listener=listen(operator_socket(config, index), mode=_OPERATORS_SOCKET_MODE),
                admit=OperatorRule(own_uid=os.geteuid()).admit,
                welcome=lambda: operator_visit(
                    OperatorHandler(
                        keeper=handler,
                        clock=clock,
                        random=random_bytes,
                        spread_ms=config.keepers.spread_ms,
                        log=log,
                    ).handle,
                    beat=beat,
                    log=log,
                ),
            ),
        )
        return 0 if loop.run() is Ending.ASKED else 1


def open_token(config: VaultConfig) -> Pkcs11Token:
    """Open the vault's token. Raises as `Pkcs11Token.open` and `read_pin`."""
    os.environ.update(config.pkcs11.environment)  # the library reads it when it is loaded
    return Pkcs11Token.open(
        module=config.pkcs11.module_file,
        token_label=config.pkcs11.token_label,
        pin=read_pin(config.pkcs11.pin_file),
    )


def _report_offer(token: Pkcs11Token, config: VaultConfig) -> None:
    """Log what the token offers.

    Raises:
        Misconfigured: it cannot wrap as the configuration says that new epochs will.
    """
    offer = token.offer()
    profile = choose_profile(offer, wanted=config.pkcs11.profile)
    get_logger().info(
        "token_offer",
        profile=profile.value,
        mechanisms=[f"{name} {low}-{high}" for name, (low, high) in offer.key_sizes.items()],
        unfit=[f"{unfit.value}: {why}" for unfit, why in offer.unfit.items()],
    )


def _reload_of(reloading: Reloading, tenants: Tenants, verifier: AccountTokenVerifier) -> Callable[[], None]:
    """Return what takes changed tenants into use, between two calls."""

    def reload() -> None:
        newest = reloading.read()
        if newest is not None:
            tenants.replace(newest.tenants)
            verifier.replace_tenants(tenants)
            reloading.note(newest)

    return reload


def _lock_memory(config: VaultConfig) -> bool:
    """Keep this process's memory out of swap, as the configuration says; return whether it is.

    Raises:
        Misconfigured: it is required, and not possible here.
    """
    why_not = lock_as_wished(config.keepers.lock_memory, lock=lock_memory)
    if why_not:
        get_logger().warning("memory_not_locked", why=why_not)
    else:
        get_logger().info("memory_locked")
    return not why_not


def _passes(check_clock: Callable[[], None]) -> bool:
    try:
        check_clock()
    except ClockUntrusted:
        return False
    return True


def _peer_rule(config: VaultConfig) -> PeerRule:
    return PeerRule(
        own_uid=os.geteuid(),
        allowed_uid=None if config.users is None else config.users.front_uid,
        single_user=config.single_user,
    )
