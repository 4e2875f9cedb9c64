"""The keeper's view of a token: which keys it holds and the few things that may be done with them.

Keys are named by purpose and epoch and never leave the token. Two implementations pass the same contract suite:
`Pkcs11Token` and the tests' `FakeToken`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, unique
from typing import Final, NamedTuple, Protocol

from strongroom_service.domain.errors import RecordRejected

NO_EPOCH: Final = 0
"""The epoch that goes with INDEX, which is never rotated."""
AES_GCM: Final = "aes-gcm"
"""Mechanism of profile `gcm`: AES-256-GCM in the token, IV of 96 bits, tag of 128 bits appended (NIST SP 800-38D)."""
DERIVED_GCM: Final = "derived-aes-gcm"
"""Mechanism of profile `derived`: AES-256-GCM in the keeper under a one-time key that the token derives from a salt."""
IV_BYTES: Final = 12
SALT_BYTES: Final = 32
TAG_BYTES: Final = 16
DERIVED_BYTES: Final = 32
DIGEST_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
POINT_BYTES: Final = 65
CHECK_VALUE_BYTES: Final = 16


@unique
class KeyPurpose(Enum):
    """What a token key is for; the value is the stem of its label: one use each."""

    KEK = "strongroom-kek"
    SEAL = "strongroom-seal"
    TRANSPORT = "strongroom-transport"
    IDENTITY = "strongroom-identity"
    INDEX = "strongroom-index"

    def label(self, epoch: int) -> str:
        """Return the object label, such as `strongroom-kek-1`; INDEX takes NO_EPOCH and has none in its label.

        Raises:
            ValueError: the epoch does not fit the purpose. A programming error, not a caller's affair.
        """
        stem: str = self.value
        if self is KeyPurpose.INDEX:
            if epoch != NO_EPOCH:
                raise ValueError("the index key has no epochs")
            return stem
        if epoch <= NO_EPOCH:
            raise ValueError(f"epochs of {stem} begin at 1, got {epoch}")
        return f"{stem}-{epoch}"


@unique
class Profile(Enum):
    """How a KEK epoch wraps; the value is what the configuration calls it. The type of the epoch's key tells which."""

    GCM = "gcm"
    DERIVED = "derived"

    @property
    def mechanism(self) -> str:
        """The name that is kept beside each wrap, and bound into its AAD."""
        return AES_GCM if self is Profile.GCM else DERIVED_GCM


_IV_BYTES_OF: Final = {AES_GCM: IV_BYTES, DERIVED_GCM: SALT_BYTES}
DERIVING: Final = frozenset({KeyPurpose.SEAL, KeyPurpose.TRANSPORT, KeyPurpose.INDEX})
"""Purposes whose key is an HMAC key and only derives."""


class KeyName(NamedTuple):
    """One key of the token."""

    purpose: KeyPurpose
    epoch: int

    @property
    def label(self) -> str:
        """The object label in the token."""
        return self.purpose.label(self.epoch)


@dataclass(frozen=True, kw_only=True)
class Wrapped:
    """A secret wrapped under a KEK.

    Attributes:
        mechanism: `aes-gcm` or `derived-aes-gcm`; kept beside the bytes, so that they open after a change of profile.
        iv: drawn anew for each wrap: the IV (12 bytes) of `aes-gcm`, the salt (32 bytes) of `derived-aes-gcm`.
        ciphertext: as long as the plaintext, then the 16-byte tag.
    """

    mechanism: str
    iv: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)


def require_bound(*, plaintext: bytes, aad: bytes) -> None:
    """Refuse to wrap nothing, or to bind to nothing.

    Raises:
        ValueError: the plaintext or the AAD is empty. An empty plaintext is the key check's alone.
    """
    if not plaintext or not aad:
        raise ValueError("a wrap needs a plaintext and an AAD")


def require_digest(digest: bytes) -> None:
    """Refuse to sign anything but a SHA-256 digest.

    Raises:
        ValueError: the length is not 32 bytes; raw ECDSA would cut or pad it silently.
    """
    if len(digest) != DIGEST_BYTES:
        raise ValueError(f"a digest to sign has {DIGEST_BYTES} bytes")


def require_shape(wrapped: Wrapped) -> None:
    """Refuse what no wrap of ours can be, before it reaches the token: tokens take other IV lengths gladly.

    Raises:
        RecordRejected: unknown mechanism, an IV that is not as long as its, or a ciphertext not longer than a tag.
    """
    if _IV_BYTES_OF.get(wrapped.mechanism) != len(wrapped.iv) or len(wrapped.ciphertext) <= TAG_BYTES:
        raise RecordRejected("not a wrap of a profile known here")


class Token(Protocol):
    """What the keeper asks of a token. One thread only.

    Every method may raise:
        TokenFault: the token failed or is gone; the keeper must be replaced.
        Misconfigured: the key is missing, twice there, or not what it must be; names label and attribute.
        ValueError: an argument breaks the method's own terms, such as a KEK asked to derive.
    """

    def derive(self, *, purpose: KeyPurpose, epoch: int, label: str, context: bytes) -> bytes:
        """Return 32 bytes by SP 800-108r1 section 4.1 (counter mode, HMAC-SHA256) for `label` (ASCII) and `context`."""
        ...

    def profile(self, *, epoch: int) -> Profile:
        """Return how the KEK of `epoch` wraps, by the type of the key."""
        ...

    def wrap(self, *, epoch: int, plaintext: bytes, aad: bytes) -> Wrapped:
        """Encrypt `plaintext` (1 byte or more) under the KEK with a fresh IV, bound to `aad` (1 byte or more)."""
        ...

    def unwrap(self, *, epoch: int, wrapped: Wrapped, aad: bytes) -> bytes:
        """Return the plaintext.

        Raises:
            RecordRejected: the token works, but these bytes are not what was wrapped under this KEK and `aad`, or name
                another mechanism than this KEK's.
        """
        ...

    def sign(self, *, epoch: int, digest: bytes) -> bytes:
        """Return the identity key's ECDSA P-256 signature of a 32-byte digest, as r || s, 64 bytes."""
        ...

    def identity_public_key(self, *, epoch: int) -> bytes:
        """Return the identity key's public point, uncompressed (0x04 || x || y, 65 bytes)."""
        ...

    def check_value(self, *, purpose: KeyPurpose, epoch: int) -> bytes:
        """Return the 16 bytes by which this very key is recognised again; no secret can be worked out from them."""
        ...

    def probe(self) -> None:
        """Ask for a known answer.

        Raises:
            TokenFault: no answer, or not the one given when the token was opened.
        """
        ...
