"""The largest record that the rules allow can be sealed, presented and listed: nobody locks himself out by growing."""

from __future__ import annotations

import os
from dataclasses import replace

from strongroom.keeper.v1 import frames_pb2
from strongroom_service.application.describe import MAX_EVENTS_BYTES
from strongroom_service.domain.ceremonies import Mode, Operation
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.policy import MAX_RUNGS, OnExhaustion, Policy
from strongroom_service.domain.preconditions import MAX_CREDENTIALS
from strongroom_service.domain.records import MAX_GRANTS, Archive, Grant, Record, SetAside, WrappedEnvelope
from strongroom_service.keeper.formats.record_codec import encode_record
from strongroom_service.keeper.formats.sealing import MAX_PLAINTEXT_BYTES, Kind, draw_one_time_key
from strongroom_service.keeper.formats.wrapping import MAX_ENVELOPE_BYTES
from strongroom_service.link.frames import MAX_FRAME_BYTES, encode_frame
from tests.fakes.account import Account, credential
from tests.fakes.token import FakeToken

LATE = Millis(2**63)
TAG_BYTES, LARGEST_ID, LARGEST_COSE_KEY = 16, 1023, 600
LARGEST_EVENT_BYTES = 64 * 1024


def largest_life(life: Record) -> Record:
    passkey = replace(
        credential(bytes(LARGEST_ID)),
        cose_key=bytes(LARGEST_COSE_KEY),
        user_handle=bytes(64),
        sign_count=2**32 - 1,
        transports=("t" * 32,) * 8,
        created_at=LATE,
        last_used_at=LATE,
        quarantined=True,
    )
    wrapped = WrappedEnvelope(
        mechanism="aes-gcm", kek_epoch=2**32 - 1, iv=bytes(12), ciphertext=bytes(MAX_ENVELOPE_BYTES + TAG_BYTES)
    )
    archive = Archive(
        archive_version=2**63,
        confirmed=True,
        mode=Mode.PRF,
        stored_at=LATE,
        envelope_sha256=bytes(32),
        wrapped=wrapped,
    )
    return replace(
        life,
        tenant="t" * 64,
        account="a" * 255,
        version=2**63,
        credentials=(passkey,) * MAX_CREDENTIALS,
        archives=(archive,) * 2,
        policy=Policy(on_exhaustion=OnExhaustion.LOCK, cool_down_seconds=(604_800,) * MAX_RUNGS),
    )


def largest_record() -> Record:
    account = Account()
    account.enroll()
    life = largest_life(account.held)
    grant = Grant(
        challenge=bytes(32),
        credential_id=bytes(LARGEST_ID),
        operation=Operation.RELEASE,
        recipient=bytes(32),
        version=2**63,
        chain_head=bytes(32),
        expires_at=LATE,
        archive_versions=(2**63, 2**63),
        effect_at=LATE,
    )
    aside = SetAside(record=replace(life, grants=()), set_aside_at=LATE, erase_at=LATE)
    return replace(life, grants=(grant,) * MAX_GRANTS, set_aside=aside, account_erase_at=LATE)


def test_largest_record_is_sealed_and_fits_a_frame_beside_a_page_of_events() -> None:
    plaintext = encode_record(largest_record())
    assert 128 * 1024 < len(plaintext) <= MAX_PLAINTEXT_BYTES
    key = draw_one_time_key(FakeToken(), epoch=1, random=os.urandom)
    sealed = key.seal(Kind.RECORD, record_id=bytes(32), version=2**63, plaintext=plaintext)
    call = frames_pb2.KeeperCall(
        list_events=frames_pb2.ListEventsCall(
            account_token="t" * 4096,
            nonce=bytes(32),
            row=frames_pb2.Row(record_id=bytes(32), version=2**63, sealed=sealed),
            events=[frames_pb2.EventRow(version=1, sealed=bytes(MAX_EVENTS_BYTES + LARGEST_EVENT_BYTES))],
        )
    )
    assert len(encode_frame(call.SerializeToString())) <= MAX_FRAME_BYTES
