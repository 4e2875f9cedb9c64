"""Puts records of made accounts into a vault's database, many at once, while its service is stopped.

Those that are to be used are sealed and wrapped as the keeper does it, after an enrolled account's example. The others
only fill: chance bytes, as long as a sealed form, under ids that are nobody's. Each comes with its newest event. They
come in no order, as accounts do, so indexes grow as they would.
"""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
import os
import random
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from strongroom.keeper.v1 import frames_pb2, record_pb2
from strongroom_service.bootstrap.keeper import open_token
from strongroom_service.config.vault_file import load_vault_config
from strongroom_service.domain.identifiers import RecordId, record_id_of
from strongroom_service.domain.records import Record, next_head
from strongroom_service.keeper.formats.record_codec import encode_record
from strongroom_service.keeper.formats.sealing import Kind, draw_one_time_key
from strongroom_service.keeper.formats.wrapping import wrap_envelope
from strongroom_service.keeper.unsealing import event_key, unseal_record
from strongroom_service.keeper.vault_keys import VaultKeys, open_vault
from tests.bench.databases import Database, MadeRow, database_of
from tests.bench.made import ARCHIVE_VERSION, MadeAccounts

_BATCH: Final = 5_000
_CHANCE_BYTES: Final = 1 << 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """What to put where.

    Attributes:
        database: path or URL, see `database_of`.
        example: name of an enrolled account that has stored once and never released.
        first, last: numbers of the accounts to be used, the last one not included.
        fillers: how many more records there are to be.
    """

    config_file: Path
    database: str
    tenant: str
    example: str
    made: MadeAccounts
    first: int
    last: int
    fillers: int


def fill(filling: Filling) -> None:
    """Do it, in a process of its own: a token's library reads its settings once, when it is loaded.

    Raises:
        RuntimeError: it failed; that process has said why.
    """
    process = multiprocessing.get_context("spawn").Process(target=_fill, args=(filling,))
    process.start()
    process.join()
    if process.exitcode != 0:
        raise RuntimeError(f"the records were not made: {process.exitcode}")


def _fill(filling: Filling) -> None:
    with database_of(filling.database) as database:
        version, sealed = database.vault_row()
        keys = open_vault(open_token(load_vault_config(filling.config_file)), version=version, sealed=sealed)
        maker = _Maker.after(filling, keys, database)
        # Used and others mixed, as they would be.
        total = filling.last - filling.first + filling.fillers
        used = set(random.sample(range(total), filling.last - filling.first))
        numbers = iter(range(filling.first, filling.last))
        rows = (maker.real(next(numbers)) if place in used else maker.filler() for place in range(total))
        while batch := list(itertools.islice(rows, _BATCH)):
            database.add(batch)
        database.settle()


class _Maker:
    def __init__(
        self, keys: VaultKeys, *, example: Record, event: record_pb2.SealedEventContent, made: MadeAccounts
    ) -> None:
        self._keys = keys
        self._example = example
        self._event = event
        self._made = made
        self._at = time.time_ns() // 1_000_000
        self._chance = os.urandom(_CHANCE_BYTES)
        first = self.real(0)
        self._lengths = len(first.sealed), len(first.sealed_event)

    @classmethod
    def after(cls, filling: Filling, keys: VaultKeys, database: Database) -> _Maker:
        record_id = record_id_of(id_key=keys.id_key, tenant=filling.tenant, account=filling.example)
        row = database.row(record_id)
        if row.version != ARCHIVE_VERSION:
            raise ValueError(f"the example is at version {row.version}")
        example = unseal_record(keys, frames_pb2.Row(record_id=record_id, version=row.version, sealed=row.sealed))
        opened = event_key(keys, row.sealed_event).open(
            Kind.EVENT, record_id=record_id, version=row.version, sealed=row.sealed_event
        )
        return cls(keys, example=example, event=record_pb2.SealedEventContent.FromString(opened), made=filling.made)

    def real(self, number: int) -> MadeRow:
        """Return the rows of an account that can release."""
        name, passkey, envelope = self._made.name(number), self._made.passkey(number), self._made.envelope(number)
        token, version = self._keys.token, self._example.version
        record_id = record_id_of(id_key=self._keys.id_key, tenant=self._example.tenant, account=name)
        wrapped = wrap_envelope(
            token, envelope, record_id=record_id, archive_version=ARCHIVE_VERSION, epoch=self._keys.kek_epoch
        )
        credential = replace(
            self._example.credentials[0],
            credential_id=passkey.credential_id,
            cose_key=passkey.cose_key,
            user_handle=passkey.user_handle,
            sign_count=0,
        )
        archive = replace(self._example.archives[0], envelope_sha256=hashlib.sha256(envelope).digest(), wrapped=wrapped)
        key = draw_one_time_key(token, epoch=self._keys.seal_epoch, random=os.urandom)
        self._event.account = name
        sealed_event = key.seal(
            Kind.EVENT, record_id=record_id, version=version, plaintext=self._event.SerializeToString()
        )
        record = replace(self._example, account=name, credentials=(credential,), archives=(archive,), grants=())
        stamped = record.stamped(next_head(self._event.previous_head, sealed_event))
        sealed = key.seal(Kind.RECORD, record_id=record_id, version=version, plaintext=encode_record(stamped))
        return MadeRow(record_id=record_id, version=version, sealed=sealed, at=self._at, sealed_event=sealed_event)

    def filler(self) -> MadeRow:
        """Return rows that nobody asks for."""
        record_bytes, event_bytes = self._lengths
        return MadeRow(
            record_id=RecordId(os.urandom(32)),
            version=ARCHIVE_VERSION,
            sealed=self._draw(record_bytes),
            at=self._at,
            sealed_event=self._draw(event_bytes),
        )

    def _draw(self, length: int) -> bytes:
        start = random.randrange(_CHANCE_BYTES - length)
        return self._chance[start : start + length]
