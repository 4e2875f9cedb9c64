"""What `Pkcs11Token` makes of modules that answer oddly. SoftHSM does not, so a session in memory stands in for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import pkcs11
import pytest
from pkcs11 import Attribute, ObjectClass

from strongroom_service.domain.errors import Misconfigured, RecordRejected, TokenFault
from strongroom_service.keeper.token.keys import required_attributes
from strongroom_service.keeper.token.pkcs11_token import Pkcs11Token
from strongroom_service.keeper.token.port import KeyPurpose, Wrapped

POINT = b"\x04" + bytes(64)
WRAPPED = Wrapped(mechanism="aes-gcm", iv=b"\x01" * 12, ciphertext=bytes(17))


class FakeObject:
    """A key that has every attribute it must have, and answers as the module it belongs to was told."""

    def __init__(self, module: FakeModule, purpose: KeyPurpose, object_class: ObjectClass) -> None:
        self._module = module
        self._attributes = {**required_attributes(purpose, object_class), Attribute.EC_POINT: module.point}

    def __getitem__(self, attribute: Attribute) -> object:
        return self._attributes[attribute]

    def get_attributes(self, attributes: list[Attribute]) -> dict[Attribute, object]:
        return {attribute: self._attributes[attribute] for attribute in attributes}

    def sign(self, data: bytes, **_: object) -> bytes:
        return self._module.sign(data)

    def encrypt(self, data: bytes, **_: object) -> bytes:
        return self._module.encrypt(data)

    def decrypt(self, data: bytes, **_: object) -> bytes:
        return self._module.decrypt(data)


class FakeModule:
    """A session whose every answer can be replaced."""

    def __init__(self) -> None:
        self.point = b"\x04\x41" + POINT
        self.sign: Callable[[bytes], bytes] = lambda _: bytes(32)
        self.encrypt: Callable[[bytes], bytes] = lambda data: data + bytes(16)
        self.decrypt: Callable[[bytes], bytes] = lambda data: data[:-16]
        self.random: Callable[[int], bytes] = lambda bits: b"\x07" * (bits // 8)

    def get_objects(self, sought: dict[Attribute, Any]) -> Iterator[FakeObject]:
        [purpose] = [purpose for purpose in KeyPurpose if sought[Attribute.LABEL].startswith(purpose.value)]
        yield FakeObject(self, purpose, sought[Attribute.CLASS])

    def generate_random(self, bits: int) -> bytes:
        return self.random(bits)


def opened(module: FakeModule) -> Pkcs11Token:
    return Pkcs11Token(session=cast("pkcs11.Session", module))


def answer(*, code: type[pkcs11.PKCS11Error]) -> Callable[[bytes], bytes]:
    def refuse(_: bytes) -> bytes:
        raise code

    return refuse


def refuse_record(*, code: type[pkcs11.PKCS11Error]) -> Callable[[bytes], bytes]:
    def open_the_known_answer_only(ciphertext: bytes) -> bytes:
        if ciphertext == WRAPPED.ciphertext:
            raise code
        return ciphertext[:-16]

    return open_the_known_answer_only


def unwrap(token: Pkcs11Token) -> bytes:
    return token.unwrap(epoch=1, wrapped=WRAPPED, aad=b"aad")


@pytest.mark.parametrize("code", [pkcs11.GeneralError, pkcs11.EncryptedDataInvalid, pkcs11.PKCS11Error])
def test_refused_ciphertext_is_the_records_fault_while_known_answers_come(code: type[pkcs11.PKCS11Error]) -> None:
    module = FakeModule()
    token = opened(module)
    assert unwrap(token) == b"\x00"
    module.decrypt = refuse_record(code=code)
    with pytest.raises(RecordRejected):
        unwrap(token)


@pytest.mark.parametrize("failing", ["sign", "encrypt"])
@pytest.mark.parametrize("code", [pkcs11.GeneralError, pkcs11.EncryptedDataInvalid, pkcs11.PKCS11Error])
def test_refused_ciphertext_is_the_tokens_fault_when_a_known_answer_fails(
    code: type[pkcs11.PKCS11Error], failing: str
) -> None:
    module = FakeModule()
    token = opened(module)
    unwrap(token)
    module.decrypt = refuse_record(code=code)
    setattr(module, failing, answer(code=pkcs11.GeneralError))
    with pytest.raises(TokenFault):
        unwrap(token)


@pytest.mark.parametrize("failing", ["sign", "encrypt"])
def test_refused_ciphertext_is_the_tokens_fault_when_a_known_answer_changes(failing: str) -> None:
    module = FakeModule()
    token = opened(module)
    unwrap(token)
    module.decrypt = refuse_record(code=pkcs11.GeneralError)
    setattr(module, failing, lambda _: b"\xff" * 32)
    with pytest.raises(TokenFault, match="known answer any more"):
        unwrap(token)


def test_refused_ciphertext_is_the_tokens_fault_when_the_kek_opens_nothing_any_more() -> None:
    module = FakeModule()
    token = opened(module)
    unwrap(token)
    module.decrypt = answer(code=pkcs11.GeneralError)
    with pytest.raises(TokenFault, match="does not open its known answer"):
        unwrap(token)
    module.decrypt = lambda ciphertext: refuse_record(code=pkcs11.GeneralError)(ciphertext) + b"\x00"
    with pytest.raises(TokenFault, match="something else than its known answer"):
        unwrap(token)


def test_ciphertext_that_was_refused_and_opens_now_is_the_tokens_fault() -> None:
    module = FakeModule()
    token = opened(module)
    unwrap(token)
    well = module.decrypt

    def refuse_once(_: bytes) -> bytes:
        module.decrypt = well
        raise pkcs11.GeneralError

    module.decrypt = refuse_once
    with pytest.raises(TokenFault, match="opens now"):
        unwrap(token)
    assert unwrap(token) == b"\x00"


def test_probe_notices_a_changed_answer() -> None:
    module = FakeModule()
    token = opened(module)
    token.probe()
    module.sign = lambda _: b"\xff" * 32
    with pytest.raises(TokenFault, match="known answer any more"):
        token.probe()


def test_answers_of_wrong_length_are_faults() -> None:
    module = FakeModule()
    token = opened(module)
    with pytest.raises(TokenFault, match="signature of the wrong length"):
        token.sign(epoch=1, digest=bytes(32))
    module.sign = lambda _: bytes(31)
    with pytest.raises(TokenFault, match="HMAC of the wrong length"):
        token.probe()
    token.wrap(epoch=1, plaintext=b"x", aad=b"aad")
    module.encrypt = lambda data: data + bytes(12)
    with pytest.raises(TokenFault, match="ciphertext of the wrong length"):
        token.wrap(epoch=1, plaintext=b"x", aad=b"aad")
    module.random = lambda _: b""
    with pytest.raises(TokenFault, match="wrong number of bytes"):
        token.wrap(epoch=1, plaintext=b"x", aad=b"aad")


@pytest.mark.parametrize("encoded", [POINT, b"\x04\x41" + POINT])
def test_point_is_read_with_and_without_its_der_header(encoded: bytes) -> None:
    module = FakeModule()
    module.point = encoded
    assert opened(module).identity_public_key(epoch=1) == POINT


@pytest.mark.parametrize(
    "encoded", [b"", b"\x02" + bytes(32), b"\x05" + bytes(64), POINT + b"\x00", b"\x04\x40" + POINT]
)
def test_odd_point_is_refused(encoded: bytes) -> None:
    module = FakeModule()
    module.point = encoded
    with pytest.raises(Misconfigured, match="strongroom-identity-1: EC_POINT"):
        opened(module).identity_public_key(epoch=1)
