"""What a front counts requests in: its own memory, or a Redis that several fronts share."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from strongroom_service.domain.rates import RateScope
from strongroom_service.front.guard import RPC_METHODS
from strongroom_service.front.limits_rates import BoundedMemoryStorage, LimitsRateStore
from strongroom_service.front.patient_rates import PatientRateStore
from strongroom_service.front.rates import Rates
from strongroom_service.telemetry.metrics import Component

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AsyncExitStack

    from strongroom_service.config.redis import RedisCounts
    from strongroom_service.config.vault_file import VaultConfig
    from strongroom_service.front.guard import Log
    from strongroom_service.front.rates import RateStore
    from strongroom_service.telemetry.metrics import Metrics


def make_rates(config: VaultConfig, *, metrics: Metrics, log: Log, resources: AsyncExitStack) -> Rates:
    """Return the front's rates; what they hold open ends with `resources`.

    Raises:
        Misconfigured: an RPC without a rate class, or a password file that is not fit.
    """
    redis = config.rates.redis
    stores = (
        _in_memory(config.rates.max_keys)
        if redis is None
        else dict.fromkeys(RateScope, _in_redis(config, redis, metrics=metrics, log=log, resources=resources))
    )
    metrics.set_ready(Component.RATES, ready=True)
    return Rates(
        methods=RPC_METHODS,
        windows=config.rates.by_scope(),
        stores=stores,
        clock=time.monotonic,
        metrics=metrics,
        log=log,
    )


def _in_memory(max_keys: int) -> Mapping[RateScope, RateStore]:
    # A store for each scope: however many addresses an attacker has, no account is forgotten for them. Counted by a
    # clock that nobody sets.
    return {
        scope: LimitsRateStore(BoundedMemoryStorage(max_keys=max_keys, clock=time.monotonic), clock=time.monotonic)
        for scope in RateScope
    }


def _in_redis(
    config: VaultConfig, redis: RedisCounts, *, metrics: Metrics, log: Log, resources: AsyncExitStack
) -> RateStore:
    # Only here: the client loads OpenTelemetry wherever that is installed.
    from strongroom_service.front.redis_rates import open_redis  # noqa: PLC0415

    storage, close = open_redis(redis, key_prefix=config.audience, log=log)
    resources.push_async_callback(close)
    return PatientRateStore(
        LimitsRateStore(storage, clock=time.time),  # the library's own for Redis: fronts must agree on it
        timeout_seconds=redis.timeout_seconds,
        clock=time.monotonic,
        metrics=metrics,
        log=log,
    )
