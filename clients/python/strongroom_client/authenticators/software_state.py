"""The file in which the software authenticator keeps its credentials, private keys in clear."""

from __future__ import annotations

import base64
import json
import os
import secrets
import stat
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TypeVar

from strongroom_client.authenticators.port import AuthenticatorError

_Member = TypeVar("_Member")
_VERSION = 1
_NOTICE = "INSECURE: private keys in clear, for tests and demonstrations only"


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftwareCredential:
    """One credential with its secrets.

    Attributes:
        credential_id: 32 random bytes.
        rp_id: the relying party it belongs to.
        user_handle: `user.id` of its creation.
        algorithm: COSE algorithm, ES256 (-7) or EdDSA (-8).
        private_key: 32 bytes: the P-256 scalar, big-endian, or the Ed25519 seed.
        prf_secret: 32 bytes; the key of hmac-secret (CTAP 2.1 section 12.5).
        sign_count: of the newest signature made.
    """

    credential_id: bytes
    rp_id: str
    user_handle: bytes
    algorithm: int
    private_key: bytes = field(repr=False)
    prf_secret: bytes = field(repr=False)
    sign_count: int


class SoftwareState:
    """Reads and replaces one file of mode 0600, for one process at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> tuple[SoftwareCredential, ...]:
        """Return the credentials, oldest first; none where there is no file yet.

        Raises:
            AuthenticatorError: the file is damaged, of another version, or readable by others.
        """
        try:
            with self._path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                content = file.read()
        except FileNotFoundError:
            return ()
        if mode & 0o077:
            message = f"{self._path} can be read by others; its mode must be 0600"
            raise AuthenticatorError(message)
        try:
            document = json.loads(content)
            if document["version"] != _VERSION:
                raise ValueError
            return tuple(_decode(entry) for entry in document["credentials"])
        except (ValueError, KeyError, TypeError):
            message = f"{self._path} is not a software authenticator's file of version {_VERSION}"
            raise AuthenticatorError(message) from None

    def save(self, credentials: Iterable[SoftwareCredential]) -> None:
        """Replace the file in one step, durably: a counter must not go back after its signature has left."""
        document = {
            "notice": _NOTICE,
            "version": _VERSION,
            "credentials": [_encode(credential) for credential in credentials],
        }
        temporary = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(json.dumps(document, indent=1).encode())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _encode(credential: SoftwareCredential) -> dict[str, str | int]:
    return {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for name, value in asdict(credential).items()
    }


def _decode(entry: dict[str, object]) -> SoftwareCredential:
    """Decode one credential; exactly the known members, each of its type."""
    if set(entry) != {member.name for member in fields(SoftwareCredential)}:
        raise ValueError
    return SoftwareCredential(
        credential_id=_octets(entry["credential_id"]),
        rp_id=_typed(entry["rp_id"], str),
        user_handle=_octets(entry["user_handle"]),
        algorithm=_typed(entry["algorithm"], int),
        private_key=_octets(entry["private_key"]),
        prf_secret=_octets(entry["prf_secret"]),
        sign_count=_typed(entry["sign_count"], int),
    )


def _typed(value: object, kind: type[_Member]) -> _Member:
    if not isinstance(value, kind):
        raise TypeError
    return value


def _octets(value: object) -> bytes:
    return base64.b64decode(_typed(value, str), validate=True)
