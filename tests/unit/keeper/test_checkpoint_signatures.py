from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom_service.domain.checkpoints import BrokenCheckpoint, CheckpointHead, SignedCheckpoint
from strongroom_service.domain.clock import Millis
from strongroom_service.keeper.formats.checkpoint import check_signature, sign_checkpoint
from strongroom_service.keeper.formats.receipt import identity_fingerprint
from tests.fakes.token import FakeToken

HEAD = CheckpointHead(serial=1, made_at=Millis(2), vault_version=3, leaves=0, root=bytes(32), previous_sha256=bytes(32))


@pytest.fixture
def signed() -> SignedCheckpoint:
    return sign_checkpoint(FakeToken(), HEAD, epoch=1)


def test_signature_of_a_pinned_key_holds(signed: SignedCheckpoint) -> None:
    check_signature(signed, pins={identity_fingerprint(signed.identity_public_key), bytes(32)})


def test_key_that_is_not_pinned_proves_nothing(signed: SignedCheckpoint) -> None:
    other = sign_checkpoint(FakeToken(), HEAD, epoch=1)
    with pytest.raises(BrokenCheckpoint, match="not pinned"):
        check_signature(other, pins={identity_fingerprint(signed.identity_public_key)})


def test_signature_is_of_this_head_alone(signed: SignedCheckpoint) -> None:
    pins = {identity_fingerprint(signed.identity_public_key)}
    for spoilt in (
        replace(signed, head=replace(HEAD, serial=2)),
        replace(signed, signature=bytes(64)),
        replace(signed, signature=signed.signature[:-1] + bytes([signed.signature[-1] ^ 1])),
    ):
        with pytest.raises(BrokenCheckpoint, match="does not fit"):
            check_signature(spoilt, pins=pins)


def test_point_that_is_none_is_refused(signed: SignedCheckpoint) -> None:
    point = b"\4" + bytes(64)
    with pytest.raises(BrokenCheckpoint, match="does not fit"):
        check_signature(replace(signed, identity_public_key=point), pins={identity_fingerprint(point)})
