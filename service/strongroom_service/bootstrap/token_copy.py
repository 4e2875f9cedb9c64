"""An encrypted copy of a SoftHSM token's folder, proven before it is encrypted. Other tokens let no copy out."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tarfile
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import pyrage  # type: ignore[import-untyped]  # it has no types

from strongroom_service.bootstrap.token_reading import TokenReading, read_token
from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from strongroom_service.config.vault_file import Pkcs11
    from strongroom_service.keeper.token.port import KeyName

_CONF: Final = "SOFTHSM2_CONF"
_KEY: Final = "directories.tokendir"


def copy_token(
    pkcs11: Pkcs11, expected: Mapping[KeyName, bytes], *, target: IO[bytes], recipient: str
) -> tuple[TokenReading, str]:
    """Write the token's folder, as tar, to `target` for the age recipient; return the copy's reading and its SHA-256.

    What is encrypted is what was read: the same bytes, unpacked elsewhere, were opened as a token and gave the check
    values. Objects in it are under the user PIN too, which is not in it.

    Raises:
        Misconfigured: it is no SoftHSM, the recipient is none, the copy does not hold the keys, or is not written.
    """
    to = parse_recipient(recipient)
    packed = _packed(_token_folder(pkcs11))
    with tempfile.TemporaryDirectory(prefix="strongroom-copy-") as folder:  # mode 0700
        tokens = Path(folder, "tokens")
        _unpack(packed, tokens)
        conf = Path(folder, "softhsm2.conf")
        conf.write_text(f"{_KEY} = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n", encoding="utf-8")
        reading = read_token(pkcs11, expected, environment={_CONF: str(conf)})
    encrypted = pyrage.encrypt(packed, [to])
    try:
        target.write(encrypted)
        target.flush()
        os.fsync(target.fileno())
    except OSError as error:
        raise Misconfigured(f"the copy cannot be written: {error.strerror}") from error
    return reading, hashlib.sha256(encrypted).hexdigest()


def parse_recipient(recipient: str) -> pyrage.x25519.Recipient:
    """Return whom the copy is for.

    Raises:
        Misconfigured: that is no age recipient.
    """
    try:
        return pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError:
        raise Misconfigured(
            "--recipient must be an age recipient, age1...: `age-keygen -o KEY` makes one with its key"
        ) from None


@contextlib.contextmanager
def new_copy(target: Path | None) -> Iterator[IO[bytes] | None]:
    """Make the file for a copy, for its owner alone; gone again unless what is done inside succeeds. None: none.

    Raises:
        Misconfigured: it cannot be made, or is there.
    """
    if target is None:
        yield None
        return
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Misconfigured(f"--copy-to {target}: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _token_folder(pkcs11: Pkcs11) -> Path:
    conf = pkcs11.environment.get(_CONF)
    if conf is None:
        raise Misconfigured(f"pkcs11.environment names no {_CONF}: only SoftHSM can be copied; name a second token")
    try:
        lines = Path(conf).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{conf} cannot be read") from error
    for line in lines:
        name, _, value = line.partition("=")
        if name.strip() == _KEY:
            return Path(value.strip())
    raise Misconfigured(f"{conf} names no {_KEY}")


def _packed(folder: Path) -> bytes:
    buffer = io.BytesIO()
    try:
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            tar.add(folder, arcname=".")
    except OSError as error:
        raise Misconfigured(f"{folder} cannot be read: {error.strerror}") from error
    return buffer.getvalue()


def _unpack(packed: bytes, folder: Path) -> None:
    # By hand: Debian 12's Python (3.11.2) has no extraction filters, and without one tarfile would give owners away.
    folder.mkdir()
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        for member in tar:
            content = tar.extractfile(member)
            if member.isdir():
                Path(folder, member.name).mkdir(exist_ok=True)
            elif member.isfile() and content is not None:
                Path(folder, member.name).write_bytes(content.read())
            else:
                raise Misconfigured(f"the token's folder holds {member.name}, which is neither a file nor a folder")
