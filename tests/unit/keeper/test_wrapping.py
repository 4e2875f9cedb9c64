"""A wrapped envelope opens at its own place only: one put elsewhere would be released to another, or come back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom_service.domain.ceremonies import Mode
from strongroom_service.domain.errors import RecordRejected
from strongroom_service.domain.records import Archive
from strongroom_service.keeper.formats.wrapping import unwrap_envelope, wrap_envelope
from strongroom_service.keeper.token.port import KeyName, KeyPurpose
from tests.fakes.clock import START
from tests.fakes.token import FIRST_NAMES, FakeToken

RECORD_ID = b"a" * 32


@pytest.fixture
def token() -> FakeToken:
    """Two epochs with the same key, so that only what is bound tells them apart."""
    token = FakeToken(names=FIRST_NAMES)
    for epoch in (1, 2):
        token.import_key(KeyName(KeyPurpose.KEK, epoch), b"k" * 32)
    return token


@pytest.fixture
def archive(token: FakeToken) -> Archive:
    return Archive(
        archive_version=2,
        confirmed=True,
        mode=Mode.PRF,
        stored_at=START,
        envelope_sha256=bytes(32),
        wrapped=wrap_envelope(token, b"an envelope", record_id=RECORD_ID, archive_version=2, epoch=1),
    )


def test_envelope_opens_at_its_place(token: FakeToken, archive: Archive) -> None:
    assert unwrap_envelope(token, archive, record_id=RECORD_ID) == b"an envelope"


def test_envelope_of_another_record_does_not_open(token: FakeToken, archive: Archive) -> None:
    with pytest.raises(RecordRejected):
        unwrap_envelope(token, archive, record_id=b"b" * 32)


def test_envelope_of_another_archive_version_does_not_open(token: FakeToken, archive: Archive) -> None:
    with pytest.raises(RecordRejected):
        unwrap_envelope(token, replace(archive, archive_version=3), record_id=RECORD_ID)


def test_envelope_of_another_epoch_does_not_open(token: FakeToken, archive: Archive) -> None:
    moved = replace(archive, wrapped=replace(archive.wrapped, kek_epoch=2))
    with pytest.raises(RecordRejected):
        unwrap_envelope(token, moved, record_id=RECORD_ID)


def test_envelope_of_an_unknown_profile_does_not_open(token: FakeToken, archive: Archive) -> None:
    other = replace(archive, wrapped=replace(archive.wrapped, mechanism="aes-ccm"))
    with pytest.raises(RecordRejected):
        unwrap_envelope(token, other, record_id=RECORD_ID)
