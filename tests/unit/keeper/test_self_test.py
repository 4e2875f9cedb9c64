"""The self-test at start notices tokens that answer, and wrongly."""

from __future__ import annotations

import os

import pytest

from strongroom_service.domain.errors import Misconfigured, RecordRejected
from strongroom_service.keeper.token.port import KeyPurpose, Wrapped
from strongroom_service.keeper.token.self_test import check_keys
from tests.fakes.token import FIRST_NAMES, FakeToken


class IgnoringAad(FakeToken):
    def wrap(self, *, epoch: int, plaintext: bytes, aad: bytes) -> Wrapped:
        return super().wrap(epoch=epoch, plaintext=plaintext, aad=b"constant")

    def unwrap(self, *, epoch: int, wrapped: Wrapped, aad: bytes) -> bytes:
        return super().unwrap(epoch=epoch, wrapped=wrapped, aad=b"constant")


class RefusingItsOwnWraps(FakeToken):
    def unwrap(self, *, epoch: int, wrapped: Wrapped, aad: bytes) -> bytes:
        raise RecordRejected("whatever")


class UnwrappingZeros(FakeToken):
    def unwrap(self, *, epoch: int, wrapped: Wrapped, aad: bytes) -> bytes:
        return bytes(len(super().unwrap(epoch=epoch, wrapped=wrapped, aad=aad)))


class SigningSomethingElse(FakeToken):
    def sign(self, *, epoch: int, digest: bytes) -> bytes:
        return super().sign(epoch=epoch, digest=bytes(32))


class ShowingNoPoint(FakeToken):
    def identity_public_key(self, *, epoch: int) -> bytes:
        return b"\x04" + bytes(64)


class DerivingAtRandom(FakeToken):
    def derive(self, *, purpose: KeyPurpose, epoch: int, label: str, context: bytes) -> bytes:
        honest = super().derive(purpose=purpose, epoch=epoch, label=label, context=context)
        return honest if label == "strongroom/v1/key-check" else os.urandom(32)


class IgnoringContext(FakeToken):
    def derive(self, *, purpose: KeyPurpose, epoch: int, label: str, context: bytes) -> bytes:
        return super().derive(purpose=purpose, epoch=epoch, label=label, context=b"")


DEFECTS = {
    IgnoringAad: "strongroom-kek-1 ignores the AAD",
    RefusingItsOwnWraps: "strongroom-kek-1 does not unwrap what it wrapped",
    UnwrappingZeros: "strongroom-kek-1 unwraps something else",
    SigningSomethingElse: "strongroom-identity-1 signs what its public half does not verify",
    ShowingNoPoint: "strongroom-identity-1 signs what its public half does not verify",
    DerivingAtRandom: "strongroom-seal-1 does not derive as it must",
    IgnoringContext: "strongroom-seal-1 does not derive as it must",
}


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_defective_token_is_noticed_by_name(defect: type[FakeToken]) -> None:
    token = defect()
    values = {name: token.check_value(purpose=name.purpose, epoch=name.epoch) for name in FIRST_NAMES}
    with pytest.raises(Misconfigured, match=DEFECTS[defect]):
        check_keys(token, values)


def test_honest_token_passes() -> None:
    token = FakeToken()
    check_keys(token, {name: token.check_value(purpose=name.purpose, epoch=name.epoch) for name in FIRST_NAMES})
