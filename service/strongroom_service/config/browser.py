"""The vault file's `[browser]`: the second listener, which web pages reach without a proxy."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Self

from pydantic import Field, model_validator

from strongroom_service.config.faults import PathFromFile, Section

Text = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]
Port = Annotated[int, Field(ge=1, le=65_535)]


class Browser(Section):
    """Where the front serves Connect, gRPC-Web and JSON; pages may call from the web origins of the tenants' files."""

    host: Text = Field(description="Address to listen on, an IP address or a host name; 0.0.0.0 or :: for all.")
    port: Port = Field(description="TCP port.")
    tls_certificate_file: PathFromFile | None = Field(
        default=None, description="PEM certificate chain, the server's own first; without it that of [listen]."
    )
    tls_key_file: PathFromFile | None = Field(default=None, description="PEM private key of that certificate.")
    plaintext: bool = Field(
        default=False,
        description="No TLS, for development: host must then be a loopback address such as 127.0.0.1.",
    )

    @model_validator(mode="after")
    def _guards_what_it_carries(self) -> Self:
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            message = "tls_certificate_file and tls_key_file go together"
            raise ValueError(message)
        if self.plaintext and self.tls_certificate_file is not None:
            message = "plaintext and tls_certificate_file exclude each other"
            raise ValueError(message)
        if self.plaintext and not _is_loopback(self.host):
            message = "plaintext needs a loopback address as host: account tokens would be open to the network"
            raise ValueError(message)
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name may come to mean another address
