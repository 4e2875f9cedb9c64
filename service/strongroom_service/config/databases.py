"""The vault file's `database`: one file on this host, or a PostgreSQL that many replicas share."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, ValidationInfo

from strongroom_service.config.faults import Section, folder_of
from strongroom_service.domain.errors import Misconfigured

_SQLITE: Final = "sqlite:///"
_POSTGRESQL: Final = ("postgresql://", "postgres://")
# What would be a secret in a file that is anybody's to read; `passfile` and `sslkey` name files of their own.
_SECRETS: Final = ("password", "sslpassword")
_MAX_URL: Final = 2_048


@dataclass(frozen=True, slots=True)
class SqliteDatabase:
    """A database in one file on a local disk."""

    path: Path


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    """A database behind PostgreSQL's wire: libpq's URL, and whether every host in it is this one or proves its name."""

    url: str
    trusted_transport: bool


def parse_database(url: str, *, folder: Path) -> SqliteDatabase | PostgresDatabase:
    """Return what `url` names; a relative path starts at `folder`.

    Raises:
        Misconfigured: it breaks a rule of the vault file's `database`.
    """
    try:
        return _parse(url, folder)
    except ValueError as error:
        raise Misconfigured(f"the database's URL {error}") from None


def _database(value: Any, info: ValidationInfo) -> SqliteDatabase | PostgresDatabase:  # noqa: ANN401  checked here
    return _parse(value, folder_of(info))


def _parse(value: object, folder: Path) -> SqliteDatabase | PostgresDatabase:
    if isinstance(value, str) and value.startswith(_SQLITE):
        return _sqlite(value.removeprefix(_SQLITE), folder)
    if isinstance(value, str) and value.startswith(_POSTGRESQL):
        return _postgres(value)
    message = "must be sqlite:///relative/path, sqlite:////absolute/path or postgresql://user@host:port/database"
    raise ValueError(message)


def _sqlite(name: str, folder: Path) -> SqliteDatabase:
    if not name or "\0" in name or name.endswith("/") or any(sign in name for sign in "?#%") or name == ":memory:":
        message = "must name a file after sqlite:///, without ?, # and %"
        raise ValueError(message)
    return SqliteDatabase(folder / name)


def _postgres(url: str) -> PostgresDatabase:
    import psycopg  # noqa: PLC0415  a large library that a vault in one file has no use for
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415  as above

    message = "must be a URL that libpq understands: postgresql://user@host:port/database?option=value"
    if len(url) > _MAX_URL or "\0" in url:
        raise ValueError(message)
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:  # its text repeats the value
        raise ValueError(message) from None
    if any(given.get(secret) for secret in _SECRETS):
        message = "must not hold a password: name a file by passfile=, or use a client certificate"
        raise ValueError(message)
    if given.get("service"):
        message = "must not name a service: what that says stands elsewhere, and is not checked"
        raise ValueError(message)
    for required in ("user", "dbname"):
        if not given.get(required):
            message = f"must name {required}"
            raise ValueError(message)
    # Where none is named libpq asks the environment.
    if not (given.get("hostaddr") or given.get("host")):
        message = "must name host; a socket's folder by ?host=/run/postgresql"
        raise ValueError(message)
    hosts = str(given.get("hostaddr") or given.get("host")).split(",")
    if not all(hosts):
        message = "must name each host"
        raise ValueError(message)
    local = all(_is_this_host(host) for host in hosts)
    return PostgresDatabase(url=url, trusted_transport=local or given.get("sslmode") == "verify-full")


def _is_this_host(host: str) -> bool:
    if host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


Database = Annotated[
    SqliteDatabase | PostgresDatabase,
    BeforeValidator(_database),
    Field(
        description="sqlite:///relative/path or sqlite:////absolute/path, on a local disk; or"
        " postgresql://user@host1:port,host2:port/database, without a password (passfile= names a file)."
    ),
]


class Postgresql(Section):
    """What the service asks of a PostgreSQL database, at every connection."""

    synchronous_commit: Literal["on", "remote_apply"] = Field(
        default="on", description="The weakest setting to serve with: weaker ones lose acknowledged attempts."
    )
    single_node: bool = Field(
        default=False,
        description="Serve without a synchronous standby: what was acknowledged is lost with this one server.",
    )
    unverified_transport: bool = Field(
        default=False,
        description="Take a server on another host without sslmode=verify-full: who sits between could acknowledge"
        " attempts that were never written.",
    )
    deadline_seconds: float = Field(
        default=10.0,
        gt=0,
        le=60,
        description="How long a commit may take until its outcome is unknown; the connection is then given up.",
    )
