"""What every `Token` does, by either profile: the fake, SoftHSM and NSS through PKCS#11."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from strongroom_service.domain.errors import Misconfigured, RecordRejected
from strongroom_service.keeper.token.port import NO_EPOCH, KeyName, KeyPurpose, Profile, Token, Wrapped
from strongroom_service.keeper.token.self_test import check_keys
from tests.fakes.token import FIRST_NAMES, FakeToken
from tests.fixtures.token import ALL_KEYS

PLAINTEXT = b"sixteen KiB are the most that an envelope has"
AAD = b"record, version, epoch"
DIGEST = hashlib.sha256(b"receipt").digest()
ABSENT_EPOCH = 9


@pytest.fixture(params=["fake", "fake-derived", "softhsm_token", "softhsm_derived_token", "nss_token"])
def token(request: pytest.FixtureRequest) -> Token:
    match request.param:
        case "fake":
            return FakeToken(names=ALL_KEYS)
        case "fake-derived":
            return FakeToken(names=ALL_KEYS, profile=Profile.DERIVED)
    real: Token = request.getfixturevalue(request.param)
    return real


def check_values(token: Token, names: Iterable[KeyName] = ALL_KEYS) -> dict[KeyName, bytes]:
    return {name: token.check_value(purpose=name.purpose, epoch=name.epoch) for name in names}


def flipped(content: bytes, position: int) -> bytes:
    changed = bytearray(content)
    changed[position] ^= 1
    return bytes(changed)


def verify(point: bytes, signature: bytes, digest: bytes) -> None:
    encoded = utils.encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    public_key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    public_key.verify(encoded, digest, ec.ECDSA(utils.Prehashed(SHA256())))


def test_derivation_depends_on_every_input_and_on_nothing_else(token: Token) -> None:
    def derive(purpose: KeyPurpose, epoch: int, label: str, context: bytes) -> bytes:
        return token.derive(purpose=purpose, epoch=epoch, label=label, context=context)

    inputs = [
        (KeyPurpose.SEAL, 1, "label", b"context"),
        (KeyPurpose.SEAL, 2, "label", b"context"),
        (KeyPurpose.TRANSPORT, 1, "label", b"context"),
        (KeyPurpose.INDEX, NO_EPOCH, "label", b"context"),
        (KeyPurpose.SEAL, 1, "labe", b"context"),
        (KeyPurpose.SEAL, 1, "label", b"contex"),
        (KeyPurpose.SEAL, 1, "labe", b"lcontext"),
    ]
    outputs = [derive(*given) for given in inputs]
    assert [derive(*given) for given in inputs] == outputs
    assert len(set(outputs)) == len(inputs)
    assert {len(output) for output in outputs} == {32}


@pytest.mark.parametrize("purpose", [KeyPurpose.KEK, KeyPurpose.IDENTITY])
def test_only_derivation_keys_derive(token: Token, purpose: KeyPurpose) -> None:
    with pytest.raises(ValueError, match="does not derive"):
        token.derive(purpose=purpose, epoch=1, label="label", context=b"")


@pytest.mark.parametrize("label", ["", "a\x00b", "schlüssel"])
def test_a_label_that_could_run_into_the_context_is_refused(token: Token, label: str) -> None:
    with pytest.raises(ValueError, match=r"label|ascii"):
        token.derive(purpose=KeyPurpose.SEAL, epoch=1, label=label, context=b"")


@pytest.mark.parametrize("size", [1, 15, 16, 17, 8191, 8192, 8193, 16384, 20000])
def test_unwrap_gives_back_what_was_wrapped(token: Token, size: int) -> None:
    plaintext = b"\x5a" * size
    wrapped = token.wrap(epoch=1, plaintext=plaintext, aad=AAD)
    profile = token.profile(epoch=1)
    expected = ("aes-gcm", 12) if profile is Profile.GCM else ("derived-aes-gcm", 32)
    assert (wrapped.mechanism, len(wrapped.iv), len(wrapped.ciphertext)) == (*expected, size + 16)
    assert token.unwrap(epoch=1, wrapped=wrapped, aad=AAD) == plaintext


CHANGES: Mapping[str, Callable[[Wrapped], Wrapped]] = {
    "first bit": lambda wrapped: replace(wrapped, ciphertext=flipped(wrapped.ciphertext, 0)),
    "tag": lambda wrapped: replace(wrapped, ciphertext=flipped(wrapped.ciphertext, -1)),
    "cut": lambda wrapped: replace(wrapped, ciphertext=wrapped.ciphertext[:-1]),
    "tag only": lambda wrapped: replace(wrapped, ciphertext=wrapped.ciphertext[-16:]),
    "nothing": lambda wrapped: replace(wrapped, ciphertext=b""),
    "grown": lambda wrapped: replace(wrapped, ciphertext=wrapped.ciphertext + b"\x00"),
    "iv": lambda wrapped: replace(wrapped, iv=flipped(wrapped.iv, 0)),
    "iv cut": lambda wrapped: replace(wrapped, iv=wrapped.iv[:-1]),
    "iv grown": lambda wrapped: replace(wrapped, iv=wrapped.iv + b"\x00"),
    "no iv": lambda wrapped: replace(wrapped, iv=b""),
    "other profile": lambda wrapped: replace(
        wrapped,
        mechanism="aes-gcm" if wrapped.mechanism == "derived-aes-gcm" else "derived-aes-gcm",
        iv=bytes(44 - len(wrapped.iv)),
    ),
    "mechanism": lambda wrapped: replace(wrapped, mechanism="aes-cbc"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_wrap_is_rejected_as_the_records_fault(token: Token, change: str) -> None:
    wrapped = token.wrap(epoch=1, plaintext=PLAINTEXT, aad=AAD)
    with pytest.raises(RecordRejected):
        token.unwrap(epoch=1, wrapped=CHANGES[change](wrapped), aad=AAD)
    assert token.unwrap(epoch=1, wrapped=wrapped, aad=AAD) == PLAINTEXT


@pytest.mark.parametrize("aad", [b"another record", AAD + b"\x00", AAD[:-1], b""])
def test_wrap_under_another_aad_is_rejected(token: Token, aad: bytes) -> None:
    wrapped = token.wrap(epoch=1, plaintext=PLAINTEXT, aad=AAD)
    with pytest.raises(RecordRejected):
        token.unwrap(epoch=1, wrapped=wrapped, aad=aad)


def test_wrap_of_another_epoch_is_rejected(token: Token) -> None:
    wrapped = token.wrap(epoch=1, plaintext=PLAINTEXT, aad=AAD)
    with pytest.raises(RecordRejected):
        token.unwrap(epoch=2, wrapped=wrapped, aad=AAD)


@pytest.mark.parametrize(("plaintext", "aad"), [(b"", AAD), (PLAINTEXT, b"")])
def test_wrapping_nothing_or_binding_to_nothing_is_refused(token: Token, plaintext: bytes, aad: bytes) -> None:
    with pytest.raises(ValueError, match="needs a plaintext and an AAD"):
        token.wrap(epoch=1, plaintext=plaintext, aad=aad)


def test_no_two_wraps_share_an_iv(token: Token) -> None:
    wraps = [token.wrap(epoch=1, plaintext=PLAINTEXT, aad=AAD) for _ in range(64)]
    assert len({wrapped.iv for wrapped in wraps}) == 64
    assert len({wrapped.ciphertext for wrapped in wraps}) == 64


def test_signature_verifies_with_the_public_key_of_its_epoch_only(token: Token) -> None:
    signature = token.sign(epoch=1, digest=DIGEST)
    assert len(signature) == 64
    verify(token.identity_public_key(epoch=1), signature, DIGEST)
    with pytest.raises(InvalidSignature):
        verify(token.identity_public_key(epoch=2), signature, DIGEST)
    with pytest.raises(InvalidSignature):
        verify(token.identity_public_key(epoch=1), signature, hashlib.sha256(b"other").digest())


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_only_digests_are_signed(token: Token, size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        token.sign(epoch=1, digest=bytes(size))


def test_identity_public_key_is_an_uncompressed_point(token: Token) -> None:
    point = token.identity_public_key(epoch=1)
    assert (len(point), point[0]) == (65, 4)


def test_check_values_are_stable_and_tell_keys_apart(token: Token) -> None:
    values = check_values(token)
    assert check_values(token) == values
    assert len(set(values.values())) == len(ALL_KEYS)
    assert {len(value) for value in values.values()} == {16}


def test_check_value_of_a_kek_opens_as_no_wrap(token: Token) -> None:
    tag = token.check_value(purpose=KeyPurpose.KEK, epoch=1)
    with pytest.raises(RecordRejected):
        token.unwrap(epoch=1, wrapped=Wrapped(mechanism="aes-gcm", iv=bytes(12), ciphertext=tag), aad=AAD)


def test_self_test_passes_on_the_keys_that_the_vault_was_made_with(token: Token) -> None:
    check_keys(token, check_values(token))


@pytest.mark.parametrize("name", ALL_KEYS, ids=lambda name: name.label)
def test_self_test_names_the_key_whose_check_value_differs(token: Token, name: KeyName) -> None:
    expected = check_values(token)
    expected[name] = flipped(expected[name], 0)
    with pytest.raises(Misconfigured, match=f"key {name.label} is not the one"):
        check_keys(token, expected)


@pytest.mark.parametrize(
    "name",
    [KeyName(purpose, ABSENT_EPOCH) for purpose in KeyPurpose if purpose is not KeyPurpose.INDEX],
    ids=lambda name: name.label,
)
def test_self_test_names_the_key_that_is_missing(token: Token, name: KeyName) -> None:
    with pytest.raises(Misconfigured, match=f"key {name.label}.*missing"):
        check_keys(token, {**check_values(token), name: bytes(16)})


USES: Mapping[str, Callable[[Token], object]] = {
    "strongroom-kek-9": lambda token: token.wrap(epoch=ABSENT_EPOCH, plaintext=PLAINTEXT, aad=AAD),
    "strongroom-seal-9": lambda token: token.derive(
        purpose=KeyPurpose.SEAL, epoch=ABSENT_EPOCH, label="label", context=b""
    ),
    "strongroom-identity-9": lambda token: token.sign(epoch=ABSENT_EPOCH, digest=DIGEST),
}


@pytest.mark.parametrize("label", USES)
def test_use_of_a_missing_key_names_it(token: Token, label: str) -> None:
    with pytest.raises(Misconfigured, match=f"key {label}.*missing"):
        USES[label](token)


def test_probe_is_content_with_a_token_that_works(token: Token) -> None:
    token.probe()


def test_wrapped_bytes_do_not_show_in_repr(token: Token) -> None:
    wrapped = token.wrap(epoch=1, plaintext=PLAINTEXT, aad=AAD)
    assert repr(wrapped) == f"Wrapped(mechanism={wrapped.mechanism!r})"


def test_index_has_no_epoch_and_others_begin_at_one() -> None:
    assert [name.label for name in FIRST_NAMES] == [
        "strongroom-kek-1",
        "strongroom-seal-1",
        "strongroom-transport-1",
        "strongroom-identity-1",
        "strongroom-index",
    ]
    with pytest.raises(ValueError, match="no epochs"):
        KeyPurpose.INDEX.label(1)
    with pytest.raises(ValueError, match="begin at 1"):
        KeyPurpose.KEK.label(0)
