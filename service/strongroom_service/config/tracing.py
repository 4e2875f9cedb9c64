"""The vault file's `[tracing]`: where the front sends spans."""

from __future__ import annotations

import re
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from strongroom_service.config.faults import PathFromFile, Section

_URL: Final = re.compile(
    r"https?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[1-9][0-9]{0,4})?/[A-Za-z0-9._~/-]*", re.ASCII
)
_TLS: Final = "https://"


def _endpoint(url: str) -> str:
    if not _URL.fullmatch(url):
        message = "must be http://host:port/path or https://host:port/path, without user, password and query"
        raise ValueError(message)
    return url


class TracingTable(Section):
    """Spans of RPCs, calls to keepers and commits, by OTLP over HTTP. Needs the extra `tracing`."""

    endpoint: Annotated[str, AfterValidator(_endpoint)] = Field(
        description="The collector's whole URL for traces, such as http://127.0.0.1:4318/v1/traces."
    )
    sample_ratio: float = Field(
        default=0.01, gt=0, le=1, description="Share of RPCs that is traced, drawn by chance in the front."
    )
    ca_file: PathFromFile | None = Field(
        default=None,
        description="PEM of who signed the collector's certificate, for https; else the authorities that come with the"
        " extra.",
    )

    @model_validator(mode="after")
    def _states_nothing_in_vain(self) -> Self:
        if self.ca_file is not None and not self.endpoint.startswith(_TLS):
            message = "ca_file needs an endpoint of https://"
            raise ValueError(message)
        return self
