"""The vault file's `[rates.redis]`: where several fronts count together.

A password is in a file of its own, never here: this file is anybody's to read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, model_validator

from strongroom_service.config.faults import PathFromFile, Section

_TCP: Final = re.compile(r"(rediss?)://(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::([1-9][0-9]{0,4}))?", re.ASCII)
_UNIX: Final = re.compile(r"unix://(/[^?#@\0]+)")
_DEFAULT_PORT: Final = 6_379
_MAX_PORT: Final = 65_535
# A Unix socket's address holds 107 bytes.
_MAX_SOCKET_PATH_BYTES: Final = 107


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpAddress:
    """A host, with or without TLS."""

    host: str
    port: int
    tls: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixAddress:
    """A socket on this host."""

    path: Path


def _address(value: Any) -> TcpAddress | UnixAddress:  # noqa: ANN401  not checked yet: that is its task
    if isinstance(value, str):
        if tcp := _TCP.fullmatch(value):
            scheme, ipv6, name, port_text = tcp.groups()
            port = int(port_text or _DEFAULT_PORT)
            if port <= _MAX_PORT:
                return TcpAddress(host=ipv6 or name, port=port, tls=scheme == "rediss")
        unix = _UNIX.fullmatch(value)
        if unix is not None and len(unix[1].encode()) <= _MAX_SOCKET_PATH_BYTES:
            return UnixAddress(path=Path(unix[1]))
    message = (
        "must be redis://host:port, rediss://host:port (TLS) or unix:///path/of/socket; user, password file and"
        " database have keys of their own"
    )
    raise ValueError(message)


class RedisCounts(Section):
    """A Redis that several fronts count in. It sees addresses, tenants' names and record ids, never an account."""

    url: Annotated[TcpAddress | UnixAddress, BeforeValidator(_address)] = Field(
        description="redis://host:port, rediss://host:port (TLS), or unix:///path/of/socket."
    )
    database: int = Field(default=0, ge=0, le=15, description="Number of the logical database.")
    user: str | None = Field(
        default=None, pattern=r"^[\x21-\x7e]{1,128}$", description="ACL user; without one the default user's password."
    )
    password_file: PathFromFile | None = Field(
        default=None,
        description="File with the password, readable by the front's user alone; read anew for each connection.",
    )
    tls_ca_file: PathFromFile | None = Field(
        default=None, description="PEM of who signed Redis's certificate, for rediss://; else the system's authorities."
    )
    timeout_seconds: float = Field(
        default=0.25, gt=0, le=2, description="Longest time that a call waits for its counts in each scope."
    )
    connections: int = Field(default=16, ge=1, le=1_000, description="Most connections of one front.")

    @model_validator(mode="after")
    def _states_nothing_in_vain(self) -> Self:
        if self.user is not None and self.password_file is None:
            message = "user needs password_file"
            raise ValueError(message)
        if self.tls_ca_file is not None and not (isinstance(self.url, TcpAddress) and self.url.tls):
            message = "tls_ca_file needs a url of rediss://"
            raise ValueError(message)
        return self
