"""Keeps secrets out of log lines, should one be handed to the log by a slip.

A value is shown only if its key does not name a secret and it is of a plain type: text, number, path. Bytes show their
length, other objects their type, because nobody can say what their text would hold.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath

from structlog.typing import EventDict, WrappedLogger

MASK = "[redacted]"
_MAX_DEPTH = 4
_MAX_ITEMS = 64
_PLAIN = (str, int, float, type(None))

# Words of a key (split at _, -, . and capitals) that name what must not be shown.
_SECRET_WORDS = frozenset({
    "account", "assertion", "attestation", "authorization", "bearer", "ceremony", "challenge", "cookie", "credential",
    "credentials", "data", "envelope", "handle", "identity", "jwt", "key", "keys", "nonce", "passphrase", "password",
    "payload", "pin", "plaintext", "prf", "private", "proof", "recovery", "salt", "sealed", "secret", "secrets", "seed",
    "signature", "sub", "subject", "token", "tokens",
})  # fmt: skip
# A key that ends so speaks about the secret.
_HARMLESS_ENDINGS = frozenset({
    "age", "count", "epoch", "fault", "file", "label", "length", "operation", "purpose", "seconds", "size",
    "state", "status", "type", "version",
})  # fmt: skip
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")

# What secrets look like wherever they stand: JWTs, PEM private keys, age identities.
_SECRET_TEXT = re.compile(
    r"\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?i:AGE-SECRET-KEY-[0-9A-Z]+)",
    re.DOTALL,
)


def redact(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """Mask what must not be shown; a structlog processor, the last before the line is written."""
    return {key: MASK if _names_secret(key) else _shown(value, depth=0) for key, value in event_dict.items()}


@functools.lru_cache(maxsize=1_024)  # keys are few, and on every line
def _names_secret(key: object) -> bool:
    words = [word.lower() for word in _WORD.findall(key)] if isinstance(key, str) else []
    return not _SECRET_WORDS.isdisjoint(words) and words[-1] not in _HARMLESS_ENDINGS


def _shown(value: object, *, depth: int) -> object:
    if isinstance(value, _PLAIN) or depth == _MAX_DEPTH:  # nearly every value is plain, and `Mapping()` asks slowly
        return _shown_plain(value)
    match value:
        case Mapping():
            items = list(value.items())[:_MAX_ITEMS]
            return {
                _shown_key(key): MASK if _names_secret(key) else _shown(inner, depth=depth + 1) for key, inner in items
            }
        case list() | tuple() | set() | frozenset():
            return [_shown(inner, depth=depth + 1) for inner in list(value)[:_MAX_ITEMS]]
        case _:
            return _shown_plain(value)


def _shown_key(key: object) -> str:
    return str(_shown_plain(key))


def _shown_plain(value: object) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return _SECRET_TEXT.sub(MASK, value)
        case bytes() | bytearray() | memoryview():
            return f"<{len(value)} bytes>"
        case Enum():
            return value.name
        case PurePath():
            return str(value)
        case _:
            return f"<{type(value).__name__}>"
