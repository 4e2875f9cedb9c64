"""The recovery key, also called the 64-digit key: a 32-byte seed that a person can write down.

Shown as 8 rows of 8 hex digits, each row followed by one check digit, itself a hex digit:

    1a2b 3c4d-e

**Check digit.** Digits are elements of GF(16) = GF(2)[x]/(x^4 + x + 1), `a` is its generator x. For the digits
d1..d8 of row r (1 to 8), the check digit is the c with

    a^1 d1 + a^2 d2 + ... + a^8 d8 + a^9 r + c = 0

The weights a^1..a^8 and, for c itself, a^0 are nonzero and distinct, from which all of these follow:

- One wrong digit changes the sum by (weight)(difference), a product of nonzero elements, so it is always caught.
- Two swapped digits, adjacent or not, the check digit included, change it by (difference of weights)(difference of
  digits): always caught.
- A row written in another row's place changes it by a^9 (r + r'): always caught, in both rows of a swapped pair.

Any other mistake within one row is caught with probability 15/16.

**Derivations**, HKDF-SHA256 (RFC 5869) of the seed, no salt, 32 bytes, info = encode_fields(label):

- `strongroom/v1/recovery-age`: the secret of an age X25519 identity; opens archives and envelopes.
- `strongroom/v1/recovery-credential`: an Ed25519 private key; signs encode_fields("strongroom/v1/recovery-assertion",
  challenge).

tests/vectors/recovery_key.json holds examples.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from strongroom_client.age_keys import ArchiveIdentity, identity_from_seed
from strongroom_client.fields import encode_fields

SEED_BYTES = 32
ROWS = 8
_ROW_DIGITS = 8
_SHOWN_ROW_DIGITS = _ROW_DIGITS + 1
_HEX_DIGITS = frozenset("0123456789abcdef")
_FIELD_SIZE = 16
_REDUCTION = 0b1_0011  # x^4 + x + 1
_AGE_LABEL = "strongroom/v1/recovery-age"
_CREDENTIAL_LABEL = "strongroom/v1/recovery-credential"
_ASSERTION_LABEL = "strongroom/v1/recovery-assertion"


class RecoveryKeyTypo(ValueError):
    """A typed recovery key holds a mistake. The message never repeats a digit.

    Attributes:
        rows: numbers (1 to 8) of the rows that are wrong, in order; empty when the rows cannot be told apart.
    """

    def __init__(self, problem: str, *, rows: tuple[int, ...] = ()) -> None:
        where = f"row {', '.join(map(str, rows))}: " if rows else ""
        super().__init__(where + problem)
        self.rows = rows


@dataclass(frozen=True, slots=True)
class RecoveryCredential:
    """The Ed25519 key that may reopen, release and add a credential when every passkey is lost.

    Attributes:
        public_key: 32 bytes, what the vault keeps.
    """

    public_key: bytes
    _private_key: Ed25519PrivateKey = field(repr=False)

    def sign(self, challenge: bytes) -> bytes:
        """Return the signature (64 bytes) over the label `strongroom/v1/recovery-assertion` and `challenge`."""
        return self._private_key.sign(encode_fields(_ASSERTION_LABEL, challenge))


@dataclass(frozen=True, slots=True)
class RecoveryKey:
    """The recovery key; hidden in repr.

    Attributes:
        seed: 32 bytes.
    """

    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a seed of the wrong length.

        Raises:
            ValueError: it is not 32 bytes.
        """
        if len(self.seed) != SEED_BYTES:
            message = f"a recovery key is {SEED_BYTES} bytes, not {len(self.seed)}"
            raise ValueError(message)

    def reveal(self) -> str:
        """Return the 8 rows to show once, parted by newlines, each `xxxx xxxx-c`."""
        digits = self.seed.hex()
        rows = [digits[start : start + _ROW_DIGITS] for start in range(0, len(digits), _ROW_DIGITS)]
        return "\n".join(
            f"{row[:4]} {row[4:]}-{check_digit(row, row_number=number)}" for number, row in enumerate(rows, start=1)
        )

    def age_identity(self) -> ArchiveIdentity:
        """Return the age identity that opens every archive and envelope encrypted to this key's recipient."""
        return identity_from_seed(self._derive(_AGE_LABEL))

    def credential(self) -> RecoveryCredential:
        """Return the recovery credential."""
        private_key = Ed25519PrivateKey.from_private_bytes(self._derive(_CREDENTIAL_LABEL))
        return RecoveryCredential(private_key.public_key().public_bytes_raw(), private_key)

    def _derive(self, label: str) -> bytes:
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=encode_fields(label)).derive(self.seed)


def generate_recovery_key() -> RecoveryKey:
    """Return a fresh recovery key from the system's random numbers."""
    return RecoveryKey(secrets.token_bytes(SEED_BYTES))


def parse_recovery_key(text: str) -> RecoveryKey:
    """Read a recovery key as a person types it: whitespace, dashes and case do not matter, everything else does.

    Nothing is guessed: an `O` for a zero is reported, not read.

    Raises:
        RecoveryKeyTypo: a row has a mistake or the number of digits is wrong.
    """
    rows = _split_rows(text)
    for problem, is_right in _ROW_RULES:
        _require(rows, problem, is_right)
    return RecoveryKey(bytes.fromhex("".join(row[:_ROW_DIGITS] for row in rows)))


def check_row(text: str, *, row_number: int) -> None:
    """Find out at once whether a row (1 to 8) was typed with a mistake, so that only this one need be typed again.

    Raises:
        RecoveryKeyTypo: it was; names the row.
    """
    row = _typed(text)
    for problem, is_right in _ROW_RULES:
        if not is_right(row_number, row):
            raise RecoveryKeyTypo(problem, rows=(row_number,))


def check_digit(row: str, *, row_number: int) -> str:
    """Return the check digit of the 8 hex digits `row` in place `row_number` (1 to 8); see the module's head."""
    # Horner's rule over (row number, d8, ..., d1), times a once more at the end: weights a^9, a^8, ..., a^1.
    elements = [row_number, *(int(digit, base=_FIELD_SIZE) for digit in reversed(row))]
    return f"{reduce(lambda total, element: _times_generator(total) ^ element, [*elements, 0], 0):x}"


def _times_generator(element: int) -> int:
    doubled = element << 1
    return doubled ^ _REDUCTION if doubled >= _FIELD_SIZE else doubled


def _typed(line: str) -> str:
    return "".join(line.replace("-", "").split()).lower()


def _split_rows(text: str) -> list[str]:
    lines = [line for line in map(_typed, text.splitlines()) if line]
    if len(lines) == ROWS:
        return lines
    digits = "".join(lines)
    expected = ROWS * _SHOWN_ROW_DIGITS
    if len(digits) != expected:
        message = f"{expected} digits in {ROWS} rows of {_SHOWN_ROW_DIGITS} are needed, these are {len(digits)}"
        raise RecoveryKeyTypo(message)
    return [digits[start : start + _SHOWN_ROW_DIGITS] for start in range(0, expected, _SHOWN_ROW_DIGITS)]


def _require(rows: list[str], problem: str, is_right: Callable[[int, str], bool]) -> None:
    wrong = tuple(number for number, row in enumerate(rows, start=1) if not is_right(number, row))
    if wrong:
        raise RecoveryKeyTypo(problem, rows=wrong)


_ROW_RULES: Final[tuple[tuple[str, Callable[[int, str], bool]], ...]] = (
    (f"does not have {_SHOWN_ROW_DIGITS} digits", lambda _, row: len(row) == _SHOWN_ROW_DIGITS),
    ("holds a character that is not 0-9 or a-f", lambda _, row: _HEX_DIGITS.issuperset(row)),
    (
        "the check digit does not match; look for a wrong or swapped digit, or a row out of place",
        lambda number, row: check_digit(row[:_ROW_DIGITS], row_number=number) == row[_ROW_DIGITS],
    ),
)
"""What each row must be, in the order in which it is looked at."""
