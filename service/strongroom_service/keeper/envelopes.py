"""Envelopes that a completion brings: opened from the client's seal, checked against what was asked, wrapped."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from strongroom_service.domain.ceremonies import AddCredential, RemoveCredential, SetRecovery, Store
from strongroom_service.domain.errors import InvalidField, Reason, RecordRejected, Refusal
from strongroom_service.domain.fields import hash_fields
from strongroom_service.domain.records import Archive
from strongroom_service.keeper.formats.hpke import open_from_client
from strongroom_service.keeper.formats.wrapping import MAX_ENVELOPE_BYTES, unwrap_envelope, wrap_envelope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom_service.domain.ceremonies import Statement
    from strongroom_service.domain.records import Record
    from strongroom_service.keeper.case import Case
    from strongroom_service.keeper.vault_keys import VaultKeys

SECRET_BYTES = 32
_SECRET_LABEL = "strongroom/v1/store-secret"  # noqa: S105  a label, not a secret


@dataclass(frozen=True, slots=True)
class SealedEnvelope:
    """What the client sealed to a transport key of the bundle: see `Envelopes.open`."""

    sealed: bytes
    transport_key_id: bytes


@dataclass(frozen=True, slots=True)
class Envelopes:
    """Opens and wraps envelopes with the vault's keys."""

    keys: VaultKeys

    def open(self, brought: SealedEnvelope, statement: Statement, *, challenge: bytes) -> bytes | None:
        """Return the envelope (1 byte to 16 KiB), or None for an operation that stores none.

        A store names the hash of a secret that is sealed in front of the envelope: only who began the ceremony can
        fill it, and the envelope may depend on the very prompt that signs for it. Everything else names the
        envelope's hash.

        Raises:
            InvalidField: no such transport key, or an envelope of no such size.
            Refusal: NOT_VERIFIED, unjudged: it does not open, or is not what the request named.
        """
        parameters = statement.request.parameters
        if not isinstance(parameters, Store | AddCredential | RemoveCredential | SetRecovery):
            return None
        private_key = self.keys.transport_keys.get(brought.transport_key_id)
        if private_key is None:
            raise InvalidField(field="transport_key_id", rule="must be the id of a transport key in the key bundle")
        envelope = open_from_client(brought.sealed, private_key=private_key, challenge=challenge)
        if isinstance(parameters, Store):
            secret, envelope = envelope[:SECRET_BYTES], envelope[SECRET_BYTES:]
            named, found = parameters.secret_sha256, hash_fields(_SECRET_LABEL, secret)
        else:
            named, found = parameters.envelope_sha256, hashlib.sha256(envelope).digest()
        if not hmac.compare_digest(named, found):
            raise Refusal(Reason.NOT_VERIFIED, detail="the sealed envelope is not the one that the request named")
        if not 0 < len(envelope) <= MAX_ENVELOPE_BYTES:
            raise InvalidField(
                field="sealed_envelope", rule=f"must hold an envelope of 1 to {MAX_ENVELOPE_BYTES} bytes"
            )
        return envelope

    def wrap(self, envelope: bytes, *, case: Case, statement: Statement) -> Archive:
        """Return the envelope, wrapped in the token, as the archive version that the next change makes."""
        archive_version, parameters = statement.version + 1, statement.request.parameters
        wrapped = wrap_envelope(
            self.keys.token,
            envelope,
            record_id=case.record_id,
            archive_version=archive_version,
            epoch=self.keys.kek_epoch,
        )
        return Archive(
            archive_version=archive_version,
            confirmed=False,
            mode=parameters.mode if isinstance(parameters, Store) else statement.mode,
            stored_at=case.now,
            envelope_sha256=hashlib.sha256(envelope).digest(),
            wrapped=wrapped,
        )

    def unwrap(self, archive: Archive, *, record_id: bytes) -> bytes:
        """Return the envelope of `archive`.

        Raises:
            RecordRejected: it is not what was wrapped, or was wrapped under a KEK that no record needs any more.
            TokenFault: the token failed.
        """
        if not self.keys.may_unwrap(archive.wrapped.kek_epoch):
            message = f"an envelope is wrapped under KEK epoch {archive.wrapped.kek_epoch}, which is not in use"
            raise RecordRejected(message)
        return unwrap_envelope(self.keys.token, archive, record_id=record_id)

    def rewrapped(self, record: Record, *, record_id: bytes) -> Record:
        """Return `record` with every envelope, those set aside too, wrapped under the KEK in use.

        What is unwrapped for it leaves this function only wrapped. Raises as `unwrap`.
        """
        archives = tuple(self._rewrapped(archive, record_id=record_id) for archive in record.archives)
        aside = record.set_aside
        if aside is not None:
            aside = replace(aside, record=self.rewrapped(aside.record, record_id=record_id))
        return replace(record, archives=archives, set_aside=aside)

    def _rewrapped(self, archive: Archive, *, record_id: bytes) -> Archive:
        if archive.wrapped.kek_epoch == self.keys.kek_epoch:
            return archive
        wrapped = wrap_envelope(
            self.keys.token,
            self.unwrap(archive, record_id=record_id),
            record_id=record_id,
            archive_version=archive.archive_version,
            epoch=self.keys.kek_epoch,
        )
        return replace(archive, wrapped=wrapped)


def kek_epochs_of(record: Record) -> Iterator[int]:
    """Yield the KEK epochs that a record's envelopes are wrapped under, those set aside too."""
    for archive in record.archives:
        yield archive.wrapped.kek_epoch
    if record.set_aside is not None:
        yield from kek_epochs_of(record.set_aside.record)
