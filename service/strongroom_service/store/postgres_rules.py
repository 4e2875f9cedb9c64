"""What the service asks of a PostgreSQL database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from strongroom_service.domain.errors import Misconfigured

# "on" waits until the standbys have the commit on their disks, "remote_apply" until they show it as well.
_DURABLE: Final = ("on", "remote_apply")


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
