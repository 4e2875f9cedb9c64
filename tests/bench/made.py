"""Accounts that are made instead of enrolled: what bulk-made records and load generators must agree on, from a seed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from tests.bench.account import ENVELOPE_BYTES, Account
from tests.fakes.passkey import SoftwarePasskey

ARCHIVE_VERSION: Final = 2
"""As after registering and storing once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeAccounts:
    """Accounts by their numbers; each has a passkey, a synced one."""

    seed: bytes = field(repr=False)
    rp_id: str
    origin: str

    @staticmethod
    def name(number: int) -> str:
        """Return the account's name."""
        return f"made-{number}"

    def passkey(self, number: int) -> SoftwarePasskey:
        """Return the account's passkey; the same each time."""
        scalar = int.from_bytes(self._drawn("key", number, 31), "big") + 1  # below the order of the curve
        passkey = SoftwarePasskey(
            rp_id=self.rp_id,
            origin=self.origin,
            user_handle=self._drawn("user", number, 32),
            counts=False,  # so that it can be made anew after it was used
            private_key=ec.derive_private_key(scalar, ec.SECP256R1()),
        )
        passkey.credential_id = self._drawn("credential", number, 32)
        return passkey

    def envelope(self, number: int) -> bytes:
        """Return what the account has stored."""
        return self._drawn("envelope", number, ENVELOPE_BYTES)

    def account(self, number: int, *, token: str) -> Account:
        """Return the account as a client."""
        return Account(
            token=token,
            passkey=self.passkey(number),
            envelope=self.envelope(number),
            archive_version=ARCHIVE_VERSION,
        )

    def _drawn(self, what: str, number: int, length: int) -> bytes:
        return hashlib.shake_256(b"%b/%b/%d" % (self.seed, what.encode(), number)).digest(length)
