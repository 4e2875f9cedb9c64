"""Which pages may call: the rule of the Fetch standard's CORS protocol, without wildcards and without credentials.

It guards no secret: the account token does. It keeps a stranger's page in a user's browser from using the service with
what that page has found, and from reaching a service on the user's own machine or network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from strongroom_service.front.caller import REQUEST_ID_KEY

Header = tuple[bytes, bytes]

METHOD: Final = b"POST"
_ALLOWED_HEADERS: Final = b", ".join(
    (
        b"authorization",
        b"connect-protocol-version",
        b"connect-timeout-ms",
        b"content-type",
        b"grpc-timeout",
        b"traceparent",
        b"x-grpc-web",
        b"x-request-id",
        b"x-user-agent",
    )
)
_EXPOSED_HEADERS: Final = b", ".join(
    (REQUEST_ID_KEY.encode(), b"grpc-message", b"grpc-status", b"grpc-status-details-bin")
)
# How long a browser remembers a preflight's answer. Short enough for an origin that is taken out of a tenant's file.
_MAX_AGE_SECONDS: Final = b"600"
VARY: Final = (b"vary", b"Origin")


class OriginRefused(Exception):
    """Another page's."""


class Cors:
    """Compares origins as they are written: each has one spelling."""

    def __init__(self, allow: Callable[[str], bool]) -> None:
        """`allow` is asked anew for each request: tenants may change while the service runs."""
        self._allow = allow

    def check(self, headers: Iterable[Header]) -> tuple[Header, ...]:
        """Return what goes with the answer to a request, whoever asks; nothing for who is no page.

        Raises:
            OriginRefused: it comes from a page of an origin that is not allowed, `null` among them, or of two.
        """
        origins = [value for name, value in headers if name == b"origin"]
        if not origins:
            return (VARY,)
        origin = origins[0]
        if len(origins) > 1 or not self._allow(origin.decode("latin-1")):
            raise OriginRefused(origin)
        return VARY, (b"access-control-allow-origin", origin), (b"access-control-expose-headers", _EXPOSED_HEADERS)


PREFLIGHT_HEADERS: Final[tuple[Header, ...]] = (
    (b"access-control-allow-methods", METHOD),
    (b"access-control-allow-headers", _ALLOWED_HEADERS),
    (b"access-control-max-age", _MAX_AGE_SECONDS),
)
