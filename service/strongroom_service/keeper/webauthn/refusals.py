"""The one way in which malformed WebAuthn input is refused, and the edge where the parsers' exceptions end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from strongroom_service.domain.errors import Reason, Refusal, StrongroomError


def not_verified(detail: str) -> Refusal:
    """Return the refusal for input that is not judged; `detail` names the rule and never repeats the input."""
    return Refusal(Reason.NOT_VERIFIED, detail=detail)


@contextmanager
def refusing_malformed(part: str) -> Iterator[None]:
    """Turn whatever a parser raises over `part` into a refusal.

    On hostile bytes python-fido2 has been seen to raise ValueError, KeyError, IndexError, AttributeError, TypeError,
    struct.error, UnicodeEncodeError, AssertionError and RecursionError, so nothing narrower than Exception is safe
    here.

    Raises:
        Refusal: NOT_VERIFIED, with `part` and the exception's type (its text may hold input).
    """
    try:
        yield
    except StrongroomError:
        raise
    except Exception as error:  # noqa: BLE001  the edge: what a parser raises over hostile bytes means "malformed"
        message = f"{part}: {type(error).__name__}"
        raise not_verified(message) from None


def require_size(part: str, content: bytes, *, minimum: int, maximum: int) -> None:
    """Refuse `content` outside of `minimum` to `maximum` bytes, before anything parses it.

    Raises:
        Refusal: NOT_VERIFIED.
    """
    if not minimum <= len(content) <= maximum:
        message = f"{part}: {len(content)} bytes, not {minimum} to {maximum}"
        raise not_verified(message)
