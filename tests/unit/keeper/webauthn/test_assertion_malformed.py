"""Assertions whose parts are no such parts are refused before anything is judged, although they are signed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from strongroom_service.domain.credentials import (
    Credential,
    Verified,
)
from strongroom_service.domain.errors import Reason, RecordRejected, Refusal
from tests.fakes.passkey import (
    EDDSA,
    EXTENSIONS,
    HONEST,
    ORIGIN,
    Forgery,
    SoftwarePasskey,
)
from tests.unit.keeper.webauthn.assertions import CHALLENGE, HMAC_SECRET_OUTPUT, check, client_data, register, spoil

MALFORMED_CLIENT_DATA = {
    "not UTF-8": client_data(extra="x").replace(b"extra", b"e\xfftra"),
    "byte order mark": b"\xef\xbb\xbf" + client_data(),
    "UTF-16": client_data().decode().encode("utf-16"),
    "not JSON": b"type=webauthn.get",
    "two documents": client_data() + b"{}",
    "not an object": b'["webauthn.get"]',
    "NaN": client_data(extra=float("nan")),
    "nested too deep": client_data()[:-1] + b', "a": ' + b"[" * 1500 + b"]" * 1500 + b"}",
    "too long": client_data(extra="x" * 4096),
    "empty": b"",
    "origin twice": client_data()[:-1] + b', "origin": "https://evil.example"}',
    "same origin twice": client_data()[:-1] + b', "origin": "' + ORIGIN.encode() + b'"}',
    "escaped key twice": client_data()[:-1] + b', "\\u006frigin": "https://evil.example"}',
    "nested key twice": client_data()[:-1] + b', "a": {"b": 1, "b": 2}}',
    "crossOrigin is text": client_data(crossOrigin="false"),
    "crossOrigin is a number": client_data(crossOrigin=0),
    "crossOrigin is null": client_data(crossOrigin=None),
    "topOrigin is null": client_data(topOrigin=None),
    "type is a list": client_data(type=["webauthn.get"]),
    "origin is an object": client_data(origin={ORIGIN: 1}),
    "challenge is a number": client_data(challenge=1),
    "challenge missing": b'{"type":"webauthn.get","origin":"https://vault.example"}',
}


@pytest.mark.parametrize("encoded", MALFORMED_CLIENT_DATA.values(), ids=MALFORMED_CLIENT_DATA.keys())
def test_malformed_client_data_is_refused_unjudged_although_signed(encoded: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        spoil(Forgery(client_data_json=encoded))
    assert refused.value.reason is Reason.NOT_VERIFIED
    assert refused.value.detail.startswith("client data")


def test_the_client_data_that_these_tests_spoil_is_good() -> None:
    assert isinstance(spoil(Forgery(client_data_json=client_data())), Verified)


ATTESTED_CREDENTIAL = bytes(16) + b"\x00\x20" + bytes(32) + SoftwarePasskey().cose_key
CLEAR_PRF = bytes.fromhex("a163707266a167726573756c7473a16566697273745820") + bytes(32)


@pytest.mark.parametrize(
    "forgery",
    [
        pytest.param(Forgery(trailing=b"\x00"), id="a byte no flag announces"),
        pytest.param(Forgery(set_flags=EXTENSIONS), id="ED without extensions"),
        pytest.param(Forgery(set_flags=0x40), id="AT without a credential"),
        pytest.param(Forgery(set_flags=0x40, trailing=ATTESTED_CREDENTIAL), id="an attested credential"),
        pytest.param(Forgery(extensions=HMAC_SECRET_OUTPUT + b"\xa0"), id="bytes after the extensions"),
        pytest.param(Forgery(extensions=HMAC_SECRET_OUTPUT[:-1]), id="extension cut short"),
        pytest.param(Forgery(extensions=b"\x80"), id="extensions are a list"),
        pytest.param(Forgery(extensions=b"\xa1\x01\xf5"), id="extension name is a number"),
        pytest.param(Forgery(extensions=b"\xa2\x61a\xf5\x61a\xf5"), id="extension twice"),
        pytest.param(Forgery(extensions=b"\xa2\x61b\xf5\x61a\xf5"), id="extensions unsorted"),
        pytest.param(Forgery(extensions=b"\xa1\x61a\x18\x01"), id="long integer form"),
        pytest.param(Forgery(extensions=b"\xbf\x61a\xf5\xff"), id="indefinite length"),
        pytest.param(Forgery(extensions=b"\xa1\x61a\xf6"), id="null"),
        pytest.param(Forgery(extensions=b"\xa1\x61a" + b"\x81" * 3000), id="nested too deep"),
        pytest.param(Forgery(extensions=b"\xa1\x61a\x59\x10\x00" + bytes(4096)), id="too long"),
        pytest.param(Forgery(extensions=b"\xbb" + b"\xff" * 8), id="a map of 2^64 - 1 entries"),
        pytest.param(Forgery(extensions=CLEAR_PRF), id="a PRF secret in clear"),
    ],
)
def test_malformed_authenticator_data_is_refused_unjudged_although_signed(forgery: Forgery) -> None:
    with pytest.raises(Refusal) as refused:
        spoil(forgery)
    assert refused.value.reason is Reason.NOT_VERIFIED
    assert refused.value.detail


@pytest.mark.parametrize("length", range(37))
def test_authenticator_data_cut_short_is_refused(length: int) -> None:
    passkey = SoftwarePasskey()
    credential, assertion = register(passkey), passkey.make_assertion(CHALLENGE)
    cut = replace(assertion, authenticator_data=assertion.authenticator_data[:length])
    with pytest.raises(Refusal):
        check(cut, credential)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"credential_id": bytes(32)}, id="another credential"),
        pytest.param({"signature": b""}, id="no signature"),
        pytest.param({"signature": bytes(1025)}, id="signature too long"),
        pytest.param({"user_handle": b""}, id="empty user handle"),
        pytest.param({"user_handle": bytes(65)}, id="user handle too long"),
    ],
)
def test_parts_outside_their_bounds_are_refused_unjudged(change: dict[str, bytes]) -> None:
    passkey = SoftwarePasskey()
    credential = register(passkey)
    with pytest.raises(Refusal):
        check(replace(passkey.make_assertion(CHALLENGE), **change), credential)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda c: replace(c, cose_key=b"\xa0"), id="no key"),
        pytest.param(lambda c: replace(c, algorithm=EDDSA), id="another algorithm beside the key"),
    ],
)
def test_stored_key_that_registration_would_not_take_is_a_fault(change: Callable[[Credential], Credential]) -> None:
    passkey = SoftwarePasskey()
    credential = change(register(passkey))
    with pytest.raises(RecordRejected, match="stored credential"):
        check(passkey.make_assertion(CHALLENGE, HONEST), credential)


def test_refusal_text_repeats_nothing_of_the_input() -> None:
    marker = "marker-that-must-not-appear"
    for forgery in (
        Forgery(client_data_json=marker.encode()),
        Forgery(client_data={"type": [marker]}),
        Forgery(extensions=b"\x78\x1b" + marker.encode()),
    ):
        with pytest.raises(Refusal) as refused:
            spoil(forgery)
        assert marker not in f"{refused.value} {refused.value.detail} {refused.value.__cause__}"
