"""What binds a wrapped envelope to its place.

    AAD = fields("strongroom/v1/wrap", record id, archive version, KEK epoch, mechanism)

The mechanism is a named profile of the token (`aes-gcm`: CKM_AES_GCM in the token, random 96-bit IV, 128-bit tag), so
that a token without GCM can use another one day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom_service.domain.fields import encode_fields
from strongroom_service.domain.records import WrappedEnvelope
from strongroom_service.keeper.token.port import AES_GCM, Wrapped

if TYPE_CHECKING:
    from strongroom_service.domain.records import Archive
    from strongroom_service.keeper.token.port import Token

MAX_ENVELOPE_BYTES = 16 * 1024
_LABEL = "strongroom/v1/wrap"


def wrap_envelope(
    token: Token, envelope: bytes, *, record_id: bytes, archive_version: int, epoch: int
) -> WrappedEnvelope:
    """Encrypt `envelope` in the token under the KEK of `epoch`, for this record and archive version only."""
    aad = _aad(record_id=record_id, archive_version=archive_version, epoch=epoch, mechanism=AES_GCM)
    wrapped = token.wrap(epoch=epoch, plaintext=envelope, aad=aad)
    return WrappedEnvelope(mechanism=wrapped.mechanism, kek_epoch=epoch, iv=wrapped.iv, ciphertext=wrapped.ciphertext)


def unwrap_envelope(token: Token, archive: Archive, *, record_id: bytes) -> bytes:
    """Decrypt the envelope of `archive` in the token.

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
