from __future__ import annotations

import hmac
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom_client.age_keys import AgeKeyError, generate_identity, identity_from_seed, recipient_of
from strongroom_client.envelope import (
    MAX_ENVELOPE_BYTES,
    PRF_INPUT,
    EnvelopeTooLarge,
    WrongEnvelopeMode,
    WrongPrf,
    decode_vault_held_envelope,
    encode_vault_held_envelope,
    open_envelope,
    passkey_identity,
    seal_envelope,
)
from strongroom_client.envelope_content import (
    EnvelopeContent,
    EnvelopeCorrupt,
    PasskeyName,
    PasskeyRecipient,
    decode_content,
    encode_content,
)
from strongroom_client.fields import decode_fields, encode_fields

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "envelope.json").read_text(encoding="utf-8"))
PRF_OUTPUT = bytes(range(32))
PASSKEY = passkey_identity(prf_output=PRF_OUTPUT, credential_id=b"one")
RECOVERY = identity_from_seed(bytes([9]) * 32)
IDENTITIES = st.binary(min_size=32, max_size=32).map(identity_from_seed)
CONTENTS = st.builds(
    EnvelopeContent,
    archive_identities=st.lists(IDENTITIES, min_size=1, max_size=4, unique=True).map(tuple),
    passkey_recipients=st.lists(
        st.builds(
            PasskeyRecipient,
            credential_id=st.binary(min_size=1, max_size=40),
            recipient=IDENTITIES.map(recipient_of),
        ),
        max_size=3,
        unique_by=lambda passkey: passkey.credential_id,
    ).map(tuple),
    recovery_recipient=IDENTITIES.map(recipient_of),
    passkey_names=st.lists(
        st.builds(
            PasskeyName,
            credential_id=st.binary(min_size=1, max_size=40),
            name=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20),
        ),
        max_size=3,
        unique_by=lambda named: named.credential_id,
    ).map(tuple),
)


def content(*, identities: int = 2, passkeys: tuple[bytes, ...] = (b"one",)) -> EnvelopeContent:
    return EnvelopeContent(
        archive_identities=tuple(identity_from_seed(bytes([number, 1]) * 16) for number in range(identities)),
        passkey_recipients=tuple(
            PasskeyRecipient(
                credential_id=credential_id,
                recipient=recipient_of(passkey_identity(prf_output=PRF_OUTPUT, credential_id=credential_id)),
            )
            for credential_id in passkeys
        ),
        recovery_recipient=recipient_of(RECOVERY),
    )


@pytest.mark.parametrize("vector", VECTORS["contents"])
def test_content_vectors(vector: dict[str, object]) -> None:
    encoded = bytes.fromhex(str(vector["content"]))
    decoded = decode_content(encoded)
    assert [identity.reveal() for identity in decoded.archive_identities] == vector["archive_identities"]
    assert [
        {"credential_id": passkey.credential_id.hex(), "recipient": passkey.recipient}
        for passkey in decoded.passkey_recipients
    ] == vector["passkey_recipients"]
    assert decoded.recovery_recipient == vector["recovery_recipient"]
    assert encode_content(decoded) == encoded


@pytest.mark.parametrize("vector", VECTORS["passkey_identities"])
def test_passkey_identity_vectors(vector: dict[str, str]) -> None:
    identity = passkey_identity(
        prf_output=bytes.fromhex(vector["prf_output"]), credential_id=bytes.fromhex(vector["credential_id"])
    )
    assert identity.reveal() == vector["identity"]
    assert recipient_of(identity) == vector["recipient"]


@pytest.mark.parametrize("vector", VECTORS["envelopes"])
def test_sealed_vectors_open(vector: dict[str, str]) -> None:
    identity = passkey_identity(
        prf_output=bytes.fromhex(vector["prf_output"]), credential_id=bytes.fromhex(vector["credential_id"])
    )
    opened = open_envelope(bytes.fromhex(vector["envelope"]), identity=identity)
    assert encode_content(opened).hex() == vector["content"]


def test_prf_input_is_the_published_constant() -> None:
    assert PRF_INPUT.hex() == VECTORS["prf_input"]


def test_passkey_identity_is_hkdf_of_the_prf_output_under_its_label() -> None:
    label = b"strongroom/v1/passkey-wrap"
    info = len(label).to_bytes(4, "big") + label + (3).to_bytes(4, "big") + b"one"
    extracted = hmac.digest(bytes(32), PRF_OUTPUT, "sha256")
    assert PASSKEY.secret == hmac.digest(extracted, info + b"\x01", "sha256")


@given(content=CONTENTS)
def test_content_can_be_read_back(content: EnvelopeContent) -> None:
    assert decode_content(encode_content(content)) == content


@given(content=CONTENTS, data=st.data())
def test_no_other_bytes_give_a_content(content: EnvelopeContent, data: st.DataObject) -> None:
    """Whatever decodes encodes to the same bytes: no second spelling, nothing ignored."""
    encoded = bytearray(encode_content(content))
    position = data.draw(st.integers(min_value=0, max_value=len(encoded) - 1))
    encoded[position] ^= data.draw(st.integers(min_value=1, max_value=255))
    try:
        decoded = decode_content(bytes(encoded))
    except EnvelopeCorrupt:
        return
    assert decoded != content
    assert encode_content(decoded) == bytes(encoded)


def test_malformed_content_is_refused() -> None:
    encoded = encode_content(content())
    label, *fields = decode_fields(encoded)
    name = label.decode()
    for wrong in (
        b"",
        encoded[:-1],
        encoded + b"\0",
        encoded + bytes(4),
        encode_fields("strongroom/v2/envelope-content", *fields),
        encode_fields(name),
        encode_fields(name, 2**64 - 1, *fields[1:]),
        encode_fields(name, fields[0][1:], *fields[1:]),
        encode_fields(name, 0, 0, bytes(32)),
        encode_fields(name, 2, fields[1], fields[1], *fields[3:]),
        encode_fields(name, *fields[:3], 2, *fields[4:6], *fields[4:6], fields[6]),
        encode_fields(name, *fields[:4], b"", *fields[5:]),
        encode_fields(name, *fields[:4], bytes(1024), *fields[5:]),
    ):
        with pytest.raises(EnvelopeCorrupt):
            decode_content(wrong)


def test_passkeys_out_of_order_are_refused_when_read() -> None:
    label, *fields = decode_fields(encode_content(content(passkeys=(b"one", b"two"))))
    swapped = [*fields[:4], *fields[6:8], *fields[4:6], fields[8]]
    with pytest.raises(EnvelopeCorrupt, match="canonical"):
        decode_content(encode_fields(label.decode(), *swapped))


def test_the_order_in_which_passkeys_are_given_does_not_matter() -> None:
    assert content(passkeys=(b"two", b"one")) == content(passkeys=(b"one", b"two"))


def test_every_passkey_and_the_recovery_key_open_the_envelope() -> None:
    sealed_content = content(passkeys=(b"one", b"two"))
    envelope = seal_envelope(sealed_content)
    for credential_id in (b"one", b"two"):
        identity = passkey_identity(prf_output=PRF_OUTPUT, credential_id=credential_id)
        assert open_envelope(envelope, identity=identity) == sealed_content
    assert open_envelope(envelope, identity=RECOVERY) == sealed_content


def test_without_passkeys_the_recovery_key_alone_opens_it() -> None:
    sealed_content = content(passkeys=())
    envelope = seal_envelope(sealed_content)
    assert open_envelope(envelope, identity=RECOVERY) == sealed_content
    with pytest.raises(WrongPrf):
        open_envelope(envelope, identity=PASSKEY)


def test_a_wrong_prf_value_is_told_apart_from_corruption() -> None:
    envelope = seal_envelope(content())
    with pytest.raises(WrongPrf):
        open_envelope(envelope, identity=passkey_identity(prf_output=bytes(32), credential_id=b"one"))
    for corrupt in (envelope[:-1], envelope[:-1] + bytes([envelope[-1] ^ 1]), envelope + b"x", envelope[:40]):
        with pytest.raises(EnvelopeCorrupt):
            open_envelope(corrupt, identity=PASSKEY)


def test_no_altered_byte_goes_unnoticed() -> None:
    envelope = seal_envelope(content())
    for position in range(len(envelope)):
        altered = bytearray(envelope)
        altered[position] ^= 1
        with pytest.raises((EnvelopeCorrupt, WrongPrf, WrongEnvelopeMode)):
            open_envelope(bytes(altered), identity=PASSKEY)


def test_archive_identity_does_not_open_the_envelope_that_holds_it() -> None:
    envelope = seal_envelope(content())
    with pytest.raises(WrongPrf):
        open_envelope(envelope, identity=content().archive_identities[0])


def test_modes_are_never_taken_for_each_other() -> None:
    locked, held = seal_envelope(content()), encode_vault_held_envelope(content())
    assert decode_vault_held_envelope(held) == content()
    assert locked[0] != held[0]
    with pytest.raises(WrongEnvelopeMode):
        decode_vault_held_envelope(locked)
    with pytest.raises(WrongEnvelopeMode):
        open_envelope(held, identity=PASSKEY)
    with pytest.raises(WrongEnvelopeMode):
        open_envelope(b"", identity=PASSKEY)


def test_more_than_the_vault_keeps_is_refused_before_it_is_sent() -> None:
    large = content(identities=255).archive_identities
    passkeys = tuple(
        PasskeyRecipient(credential_id=bytes([number]) * 1023, recipient=recipient_of(PASSKEY)) for number in range(16)
    )
    too_large = EnvelopeContent(
        archive_identities=large, passkey_recipients=passkeys, recovery_recipient=recipient_of(RECOVERY)
    )
    with pytest.raises(EnvelopeTooLarge):
        seal_envelope(too_large)
    with pytest.raises(EnvelopeTooLarge):
        encode_vault_held_envelope(too_large)
    with pytest.raises(EnvelopeTooLarge):
        open_envelope(b"a" * (MAX_ENVELOPE_BYTES + 1), identity=PASSKEY)
    assert len(seal_envelope(content(identities=255))) <= MAX_ENVELOPE_BYTES


def test_contents_without_an_encoding_are_refused_when_made() -> None:
    identity, recovery = generate_identity(), recipient_of(RECOVERY)
    passkey = PasskeyRecipient(credential_id=b"one", recipient=recipient_of(PASSKEY))
    for identities, passkeys in (
        ((), (passkey,)),
        ((identity, identity), (passkey,)),
        ((identity,), (passkey, passkey)),
        ((identity,), (PasskeyRecipient(credential_id=b"", recipient=passkey.recipient),)),
    ):
        with pytest.raises(ValueError, match=r"envelope|credential id"):
            EnvelopeContent(archive_identities=identities, passkey_recipients=passkeys, recovery_recipient=recovery)
    with pytest.raises(AgeKeyError):
        EnvelopeContent(archive_identities=(identity,), passkey_recipients=(passkey,), recovery_recipient="age1")


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_prf_output_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        passkey_identity(prf_output=bytes(size), credential_id=b"one")


def test_identities_are_not_in_the_repr() -> None:
    made = content()
    for identity in made.archive_identities:
        assert identity.reveal() not in repr(made)
        assert repr(identity.secret) not in repr(made)
