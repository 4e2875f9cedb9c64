"""Counts in a Redis that several fronts share, through the storage of the `limits` library.

Redis sees keys of scope, class and who: an address, a tenant's name, a record id, which is a keyed hash. No account.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, cast

from limits.aio.storage import RedisStorage
from redis.asyncio.connection import BlockingConnectionPool, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import ConnectionError as RedisConnectionError

from strongroom_service.config.redis import UnixAddress
from strongroom_service.config.secret_file import read_secret
from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

    from strongroom_service.config.redis import RedisCounts
    from strongroom_service.front.guard import Log

_NO_RETRIES: Final = 0
# So that `limits` takes our pool: an address in a URL could hold a password, and its text ends up in errors.
_NO_ADDRESS: Final = "redis://"


def open_redis(
    settings: RedisCounts, *, key_prefix: str, log: Log
) -> tuple[RedisStorage, Callable[[], Awaitable[None]]]:
    """Return a storage for `LimitsRateStore`, and what closes it. Connections are made when there are calls.

    Raises:
        Misconfigured: the password file is not fit.
    """
    if settings.password_file is not None:
        _read_password(settings.password_file)
    pool = BlockingConnectionPool(
        max_connections=settings.connections,
        timeout=settings.timeout_seconds,
        socket_timeout=settings.timeout_seconds,
        socket_connect_timeout=settings.timeout_seconds,
        # A call that waits longer than its caller counted on helps nobody, and one sent twice would count twice.
        retry=Retry(NoBackoff(), _NO_RETRIES),
        **_address_of(settings, log=log),
    )
    storage = RedisStorage(
        _NO_ADDRESS,
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix=key_prefix,
        connection_pool=cast("Any", pool),
    )
    return storage, pool.aclose


def _address_of(settings: RedisCounts, *, log: Log) -> dict[str, Any]:
    address: dict[str, Any] = {"db": settings.database}
    if settings.password_file is not None:
        address["credential_provider"] = _PasswordFile(settings.user, settings.password_file, log=log)
    if isinstance(settings.url, UnixAddress):
        return {**address, "connection_class": UnixDomainSocketConnection, "path": str(settings.url.path)}
    address |= {"connection_class": Connection, "host": settings.url.host, "port": settings.url.port}
    if settings.url.tls:
        authority = settings.tls_ca_file
        address |= {"connection_class": SSLConnection, "ssl_ca_certs": None if authority is None else str(authority)}
    return address


class _PasswordFile(CredentialProvider):
    """Reads the password when a connection is made, so that a new one needs no restart and none stays in memory."""

    def __init__(self, user: str | None, path: Path, *, log: Log) -> None:
        self._user = user
        self._path = path
        self._log = log

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        try:
            password = _read_password(self._path)
        except Misconfigured as error:
            self._log.error("rates_password_unfit", why=str(error))
            raise RedisConnectionError("no password") from None
        return (password,) if self._user is None else (self._user, password)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        return self.get_credentials()


def _read_password(path: Path) -> str:
    return read_secret(path, name="Redis password file", reader="the front's user")
