"""Names of passkeys: which there may be, how the envelope holds them, and models by AAGUID."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest

from strongroom_client.age_keys import generate_identity, recipient_of
from strongroom_client.cli.showing import passkey_lines
from strongroom_client.clock import Millis
from strongroom_client.descriptions import Passkey
from strongroom_client.envelope_content import EnvelopeContent, EnvelopeCorrupt, decode_content, encode_content
from strongroom_client.fields import decode_fields, encode_fields
from strongroom_client.passkey_names import BadPasskeyName, called, model_of

NAMES = json.loads((Path(__file__).parents[2] / "vectors" / "envelope_names.json").read_text(encoding="utf-8"))
PLAIN = EnvelopeContent(
    archive_identities=(generate_identity(),),
    passkey_recipients=(),
    recovery_recipient=recipient_of(generate_identity()),
)


@pytest.mark.parametrize("vector", NAMES["contents"])
def test_content_vectors_with_names(vector: dict[str, object]) -> None:
    encoded = bytes.fromhex(str(vector["content"]))
    decoded = decode_content(encoded)
    assert [
        {"credential_id": named.credential_id.hex(), "name": named.name} for named in decoded.passkey_names
    ] == vector["passkey_names"]
    assert [identity.reveal() for identity in decoded.archive_identities] == vector["archive_identities"]
    assert decoded.recovery_recipient == vector["recovery_recipient"]
    assert encode_content(decoded) == encoded


@pytest.mark.parametrize("name", NAMES["good_names"])
def test_names_that_a_person_may_give(name: str) -> None:
    named = PLAIN.naming(b"one", name)
    assert decode_content(encode_content(named)).names() == {b"one": name}


@pytest.mark.parametrize("name", [*filter(None, NAMES["bad_names"]), "\ud800"])
def test_names_that_would_mislead_are_refused_written_and_read(name: str) -> None:
    with pytest.raises(BadPasskeyName, match="passkey's name must"):
        PLAIN.naming(b"one", name)
    label, *fields = decode_fields(encode_content(PLAIN.naming(b"one", "name")))
    spoilt = [*fields[:-1], name.encode("utf-8", "surrogatepass")]
    with pytest.raises(EnvelopeCorrupt):
        decode_content(encode_fields(label.decode(), *spoilt))


def test_empty_name_takes_the_name_away() -> None:
    named = PLAIN.naming(b"one", "One").naming(b"two", "Two").naming(b"one", "Uno")
    assert named.names() == {b"one": "Uno", b"two": "Two"}
    assert named.naming(b"one", "").naming(b"two", "") == PLAIN


def test_content_without_names_is_what_clients_before_names_read() -> None:
    assert decode_fields(encode_content(PLAIN))[0] == b"strongroom/v1/envelope-content"
    named = [*decode_fields(encode_content(PLAIN))[1:], bytes(8)]
    with pytest.raises(EnvelopeCorrupt, match="canonical"):
        decode_content(encode_fields("strongroom/v1/envelope-content-named", *named))


def test_passkey_is_called_by_its_name_and_always_by_its_id() -> None:
    assert called(b"0123456789", {b"0123456789": "Phone"}) == '"Phone" (3031323334353637...)'
    assert called(b"0123456789", {}) == "3031323334353637..."


@pytest.mark.parametrize(
    ("aaguid", "model"),
    [
        (UUID("ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4").bytes, "Google Password Manager"),
        (UUID("bada5566-a7aa-401f-bd96-45619a55120d").bytes, "1Password"),
        (bytes(16), None),
        (b"unknown to lists", None),
        (b"", None),
    ],
)
def test_model_is_what_the_list_says_of_the_aaguid(aaguid: bytes, model: str | None) -> None:
    assert model_of(aaguid) == model


def test_model_is_shown_as_the_passkeys_own_claim() -> None:
    passkey = Passkey(
        credential_id=b"0123456789",
        created_at=Millis(1_800_000_000_000),
        last_used_at=None,
        aaguid=UUID("ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4").bytes,
        backup_eligible=True,
        backup_state=True,
        quarantined=False,
    )
    (line,) = passkey_lines([passkey], {passkey.credential_id: "Phone"})
    assert line == (
        '"Phone" (3031323334353637...)  says it is Google Password Manager, synced  made 2027-01-15 08:00:00 UTC,'
        " never used"
    )
