"""Words of rate limits: whose requests are counted, of what class, and in which windows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique


@unique
class RateScope(Enum):
    """Whose requests are counted together."""

    PEER = "peer"
    TENANT = "tenant"
    ACCOUNT = "account"


@unique
class RpcClass(Enum):
    """What is counted apart: reading, beginning a ceremony, completing one."""

    READ = "read"
    BEGIN = "begin"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """At most `count` requests in any `seconds` seconds."""

    count: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.count} in {self.seconds} s"
