"""What the service asks of a PostgreSQL database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from strongroom_service.domain.errors import Misconfigured

# "on" waits until the standbys have the commit on their disks, "remote_apply" until they show it as well.
_DURABLE: Final = ("on", "remote_apply")
_CONNECT_SECONDS: Final = 3


@dataclass(frozen=True, slots=True)
class PostgresRules:
    """What the service asks of its database.

    Attributes:
        conninfo: libpq's connection string, without a password in it.
        synchronous_commit: the weakest setting to serve with, "on" or "remote_apply".
        single_node: serve without a synchronous standby; a lost disk is then a lost vault.
        deadline_seconds: how long a statement may take, its commit included, before its outcome is unknown.
    """

    conninfo: str
    synchronous_commit: str = "on"
    single_node: bool = False
    deadline_seconds: float = 10.0

    @property
    def complete_conninfo(self) -> str:
        """`conninfo` with how long one host may take to answer, unless that is said in it.

        libpq's default is to wait for ever, and psycopg's for two minutes: a primary that was cut off would keep the
        service from the next host for so long.
        """
        if conninfo_to_dict(self.conninfo).get("connect_timeout"):
            return self.conninfo
        return make_conninfo(self.conninfo, connect_timeout=_CONNECT_SECONDS)

    def check_standbys(self, *, names: str, synchronous: str) -> None:
        """Check `synchronous_standby_names` and `synchronous_commit` as the server has them.

        Raises:
            Misconfigured: commits do not wait as the rules ask.
        """
        weakest = _DURABLE.index(self.synchronous_commit)
        if synchronous not in _DURABLE[weakest:]:
            raise Misconfigured(f"synchronous_commit is {synchronous}, needed is {self.synchronous_commit}")
        if not names and not self.single_node:
            raise Misconfigured(
                "synchronous_standby_names is empty: a failover would lose acknowledged attempts; name standbys, or"
                " accept it with postgresql.single_node"
            )
