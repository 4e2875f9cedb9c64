"""Known bytes of profile `derived`: by the service, and again by a plain reading of the protocol."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom_service.domain.ceremonies import Mode
from strongroom_service.domain.errors import RecordRejected
from strongroom_service.domain.records import Archive, WrappedEnvelope
from strongroom_service.keeper.formats.wrapping import unwrap_envelope, wrap_envelope
from strongroom_service.keeper.token.derived_wrap import encrypt_once, wrap_key_context
from strongroom_service.keeper.token.port import KeyName, KeyPurpose, Profile
from tests.fakes import plain_protocol
from tests.fakes.clock import START
from tests.fakes.token import FIRST_NAMES, FakeToken

FILE = Path(__file__).parents[2] / "vectors" / "derived_wrap.json"
CASES: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["cases"]
BYTES = ("kek", "record_id", "salt", "context", "key", "aad", "plaintext", "ciphertext")

vectors = pytest.mark.parametrize(
    "vector",
    [{**case, **{name: bytes.fromhex(case[name]) for name in BYTES}} for case in CASES],
    ids=range(len(CASES)),
)


def archive_of(wrapped: WrappedEnvelope, *, version: int) -> Archive:
    return Archive(
        archive_version=version,
        confirmed=True,
        mode=Mode.PRF,
        stored_at=START,
        envelope_sha256=bytes(32),
        wrapped=wrapped,
    )


@vectors
def test_derived_wrap_by_a_plain_reading(vector: dict[str, Any]) -> None:
    label = "strongroom/v1/wrap-key"
    context = plain_protocol.fields(label, vector["salt"])
    key = plain_protocol.derive(vector["kek"], label, context)
    aad = plain_protocol.fields(
        "strongroom/v1/wrap",
        vector["record_id"],
        vector["archive_version"],
        vector["kek_epoch"],
        vector["mechanism"].encode(),
    )
    assert (context, key, aad) == (vector["context"], vector["key"], vector["aad"])
    assert AESGCM(key).encrypt(bytes(12), vector["plaintext"], aad) == vector["ciphertext"]
    assert wrap_key_context(vector["salt"]) == context
    assert encrypt_once(key, plaintext=vector["plaintext"], aad=aad) == vector["ciphertext"]


@vectors
@pytest.mark.parametrize("changed", ["nothing", "record_id", "archive_version", "salt", "mechanism"])
def test_derived_wrap_opens_only_in_its_place(vector: dict[str, Any], changed: str) -> None:
    token = FakeToken(names=(), profile=Profile.DERIVED)
    token.import_key(KeyName(KeyPurpose.KEK, vector["kek_epoch"]), vector["kek"])
    wrapped = WrappedEnvelope(
        mechanism="aes-gcm" if changed == "mechanism" else vector["mechanism"],
        kek_epoch=vector["kek_epoch"],
        iv=bytes(32) if changed == "salt" else vector["salt"],
        ciphertext=vector["ciphertext"],
    )
    version = vector["archive_version"] + (changed == "archive_version")
    record_id = bytes(32) if changed == "record_id" else vector["record_id"]
    archive = archive_of(wrapped, version=version)
    if changed == "nothing":
        assert unwrap_envelope(token, archive, record_id=record_id) == vector["plaintext"]
        return
    with pytest.raises(RecordRejected):
        unwrap_envelope(token, archive, record_id=record_id)


@pytest.mark.parametrize("profile", Profile)
def test_profile_is_kept_with_each_envelope(profile: Profile) -> None:
    token = FakeToken(profile=profile)
    wrapped = wrap_envelope(token, b"an envelope", record_id=b"a" * 32, archive_version=2, epoch=1)
    assert wrapped.mechanism == profile.mechanism
    assert unwrap_envelope(token, archive_of(wrapped, version=2), record_id=b"a" * 32) == b"an envelope"


def test_envelope_of_an_old_profile_opens_beside_a_new_one() -> None:
    token = FakeToken(names=(*FIRST_NAMES, KeyName(KeyPurpose.KEK, 2)))
    token.profiles[2] = Profile.DERIVED
    for epoch in (1, 2):
        wrapped = wrap_envelope(token, b"an envelope", record_id=b"a" * 32, archive_version=2, epoch=epoch)
        archive = archive_of(wrapped, version=2)
        assert unwrap_envelope(token, archive, record_id=b"a" * 32) == b"an envelope"
        moved = replace(archive, wrapped=replace(wrapped, kek_epoch=3 - epoch))
        with pytest.raises(RecordRejected):
            unwrap_envelope(token, moved, record_id=b"a" * 32)
