"""What binds a wrapped envelope to its place.

    AAD = fields("strongroom/v1/wrap", record id, archive version, KEK epoch, mechanism)

The mechanism is the KEK epoch's: `aes-gcm` (CKM_AES_GCM in the token), or `derived-aes-gcm` for tokens without GCM
(`token/derived_wrap.py`). It is stored with each envelope, so that one opens after the vault has changed its profile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom_service.domain.fields import encode_fields
from strongroom_service.domain.records import WrappedEnvelope
from strongroom_service.keeper.token.port import Wrapped

if TYPE_CHECKING:
    from strongroom_service.domain.records import Archive
    from strongroom_service.keeper.token.port import Token

MAX_ENVELOPE_BYTES = 16 * 1024
_LABEL = "strongroom/v1/wrap"


def wrap_envelope(
    token: Token, envelope: bytes, *, record_id: bytes, archive_version: int, epoch: int
) -> WrappedEnvelope:
    """Encrypt `envelope` under the KEK of `epoch`, for this record and archive version only."""
    mechanism = token.profile(epoch=epoch).mechanism
    aad = _aad(record_id=record_id, archive_version=archive_version, epoch=epoch, mechanism=mechanism)
    wrapped = token.wrap(epoch=epoch, plaintext=envelope, aad=aad)
    return WrappedEnvelope(mechanism=wrapped.mechanism, kek_epoch=epoch, iv=wrapped.iv, ciphertext=wrapped.ciphertext)


def unwrap_envelope(token: Token, archive: Archive, *, record_id: bytes) -> bytes:
    """Decrypt the envelope of `archive`.

    Raises:
        RecordRejected: the bytes are not what was wrapped for this record and archive version.
        TokenFault: the token failed.
    """
    stored = archive.wrapped
    aad = _aad(
        record_id=record_id,
        archive_version=archive.archive_version,
        epoch=stored.kek_epoch,
        mechanism=stored.mechanism,
    )
    wrapped = Wrapped(mechanism=stored.mechanism, iv=stored.iv, ciphertext=stored.ciphertext)
    return token.unwrap(epoch=stored.kek_epoch, wrapped=wrapped, aad=aad)


def _aad(*, record_id: bytes, archive_version: int, epoch: int, mechanism: str) -> bytes:
    return encode_fields(_LABEL, record_id, archive_version, epoch, mechanism.encode("ascii"))
