"""Times in messages of a vault: protobuf takes any number off the wire, and only a few of them are times."""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from strongroom_client.clock import Millis
from strongroom_client.errors import NotProven


def millis_of(timestamp: Timestamp, *, otherwise: Callable[[str], NotProven]) -> Millis:
    """Return `timestamp`, of the years 1 to 9999, in unix milliseconds.

    Raises:
        NotProven: what `otherwise` makes of the problem; seconds or nanoseconds are out of range.
    """
    try:
        return Millis(timestamp.ToMilliseconds())
    except ValueError:
        raise otherwise("a time in the vault's answer is not one") from None


def optional_millis(message: Message, name: str, *, otherwise: Callable[[str], NotProven]) -> Millis | None:
    """Return the time in the field `name` of a message, or None where it is absent; times before 1970 are 1970.

    Raises:
        NotProven: as `millis_of`.
    """
    if not message.HasField(name):
        return None
    return Millis(max(0, millis_of(getattr(message, name), otherwise=otherwise)))
