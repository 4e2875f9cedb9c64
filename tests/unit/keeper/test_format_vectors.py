"""Known bytes of every format: by the service's code, and again by a plain reading of the protocol's description."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.v1 import resources_pb2
from strongroom_service.config.owner_keys import check_digest, owner_fingerprint, parse_public_key
from strongroom_service.domain.ceremonies import Mode, Statement
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import RecordRejected, Refusal
from strongroom_service.domain.identifiers import record_id_of
from strongroom_service.domain.records import Record, credential_set_digest, next_head
from strongroom_service.front.owner_signatures import owners_digest, parse_bundle
from strongroom_service.keeper.formats.bundle import bundle_digest, transport_key_id
from strongroom_service.keeper.formats.enums import MODES
from strongroom_service.keeper.formats.hpke import open_from_client, seal_to_client
from strongroom_service.keeper.formats.page_token import PageStart, make_page_token, read_page_token
from strongroom_service.keeper.formats.receipt import ReceiptFor, identity_fingerprint, receipt_digest
from strongroom_service.keeper.formats.request import parse_request
from strongroom_service.keeper.formats.sealing import Kind, OneTimeKey, draw_one_time_key
from strongroom_service.keeper.formats.statement import challenge_of, make_ceremony, read_ceremony
from strongroom_service.keeper.formats.wrapping import wrap_envelope
from strongroom_service.keeper.token.port import NO_EPOCH, KeyName, KeyPurpose, Profile, Wrapped
from strongroom_service.keeper.vault_keys import make_vault, open_vault
from tests.fakes import plain_protocol
from tests.fakes.account import Account, credential
from tests.fakes.person import SUITE
from tests.fakes.token import FIRST_NAMES, FakeToken

FILE = Path(__file__).parents[2] / "vectors" / "protocol.json"
VECTORS: dict[str, list[dict[str, Any]]] = json.loads(FILE.read_text(encoding="utf-8"))
TEXT = {"tenant", "account", "rp_id", "origins", "kind", "direction", "mechanism", "credentials"}


def vectors(name: str) -> pytest.MarkDecorator:
    """Each vector of that name, its hex as bytes."""
    read = [{key: _parsed(key, value) for key, value in each.items()} for each in VECTORS[name]]
    return pytest.mark.parametrize("vector", read, ids=range(len(read)))


def _parsed(key: str, value: object) -> object:
    return bytes.fromhex(value) if isinstance(value, str) and key not in TEXT else value


def without(vector: Mapping[str, Any], *outputs: str) -> dict[str, Any]:
    return {name: value for name, value in vector.items() if name not in outputs}


@vectors("record_id")
def test_record_id(vector: dict[str, Any]) -> None:
    given = without(vector, "record_id")
    assert record_id_of(**given) == plain_protocol.record_id(**given) == vector["record_id"]


@vectors("credential_set")
def test_credential_set(vector: dict[str, Any]) -> None:
    pairs = [(bytes.fromhex(each["credential_id"]), bytes.fromhex(each["cose_key"])) for each in vector["credentials"]]
    recovery = vector["recovery_public_key"]
    expected = plain_protocol.credential_set(credentials=pairs, recovery_public_key=recovery)
    assert credential_set_digest(_record(pairs, recovery)) == expected == vector["digest"]


def test_credential_set_of_no_record_is_the_first_vector() -> None:
    assert credential_set_digest(None).hex() == VECTORS["credential_set"][0]["digest"]


@vectors("ceremony")
def test_ceremony_and_challenge(vector: dict[str, Any]) -> None:
    given = without(vector, "ceremony_key", "statement", "ceremony", "challenge")
    plain = plain_protocol.statement(**given)
    tagged = plain_protocol.ceremony(statement=plain, ceremony_key=vector["ceremony_key"])
    assert (plain, tagged) == (vector["statement"], vector["ceremony"])
    ours = _statement(given)
    assert make_ceremony(ours, ceremony_key=vector["ceremony_key"]) == vector["ceremony"]
    keys = {1: bytes(32), 2: vector["ceremony_key"]}
    assert read_ceremony(vector["ceremony"], field="ceremony", ceremony_keys=keys) == ours
    assert challenge_of(tagged) == plain_protocol.challenge(ceremony=tagged) == vector["challenge"]


@vectors("ceremony")
def test_ceremony_under_another_key_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(Refusal):
        read_ceremony(vector["ceremony"], field="ceremony", ceremony_keys={1: bytes(32)})


@vectors("receipt")
def test_receipt(vector: dict[str, Any]) -> None:
    given = without(vector, "digest")
    expected = plain_protocol.receipt(**given)
    kind = ReceiptFor("strongroom/v1/receipt/" + given.pop("kind"))
    assert receipt_digest(kind, **given) == expected == vector["digest"]


@vectors("page_token")
def test_page_token(vector: dict[str, Any]) -> None:
    expected = plain_protocol.page_token(**without(vector, "token"))
    start = PageStart(version=vector["version"], chain_head=vector["chain_head"])
    key, record_id = vector["key"], vector["record_id"]
    assert make_page_token(start, record_id=record_id, key=key) == expected == vector["token"]
    assert read_page_token(vector["token"], record_id=record_id, keys={1: key}) == start


@vectors("chain")
def test_chain_head(vector: dict[str, Any]) -> None:
    previous, sealed = vector["previous_head"], vector["sealed_event"]
    expected = plain_protocol.digest("strongroom/v1/chain", previous, sealed)
    assert next_head(previous, sealed) == expected == vector["head"]


@vectors("wrap")
def test_what_a_wrapped_envelope_is_bound_to(vector: dict[str, Any]) -> None:
    record_id, version, epoch = vector["record_id"], vector["archive_version"], vector["kek_epoch"]
    token = _WrapWitness()
    wrap_envelope(token, b"an envelope", record_id=record_id, archive_version=version, epoch=epoch)
    mechanism = vector["mechanism"].encode()
    expected = plain_protocol.fields("strongroom/v1/wrap", record_id, version, epoch, mechanism)
    assert token.aad == expected == vector["aad"]


@vectors("bundle")
def test_bundle(vector: dict[str, Any]) -> None:
    expected = plain_protocol.digest("strongroom/v1/key-bundle", vector["bundle"])
    assert bundle_digest(vector["bundle"]) == expected == vector["digest"]


@vectors("owner_fingerprint")
def test_owner_fingerprint(vector: dict[str, Any]) -> None:
    expected = plain_protocol.owner_fingerprint(**without(vector, "fingerprint"))
    assert owner_fingerprint(parse_public_key(vector["public_key"])) == expected == vector["fingerprint"]


@vectors("owners_bundle")
def test_owners_bundle(vector: dict[str, Any]) -> None:
    given = {"bundle": vector["bundle"], "previous": vector["previous"]}
    this, before = (
        parse_bundle(resources_pb2.SignedKeyBundle(bundle=each).SerializeToString()) if each else None
        for each in given.values()
    )
    assert this is not None
    expected = plain_protocol.owners_digest(**given)
    assert owners_digest(this, previous=before) == expected == vector["digest"]
    for each in vector["signatures"]:
        key = parse_public_key(bytes.fromhex(each["public_key"]))
        check_digest(key, expected, bytes.fromhex(each["signature"]))


@vectors("transport_key_id")
def test_transport_key_id(vector: dict[str, Any]) -> None:
    expected = plain_protocol.digest("strongroom/v1/transport-key-id", vector["public_key"])[:16]
    assert transport_key_id(vector["public_key"]) == expected == vector["key_id"]


@vectors("identity_fingerprint")
def test_identity_fingerprint(vector: dict[str, Any]) -> None:
    expected = plain_protocol.digest("strongroom/v1/identity-key", vector["public_key"])
    assert identity_fingerprint(vector["public_key"]) == expected == vector["fingerprint"]


@vectors("derived_keys")
def test_keys_derived_when_a_vault_opens(vector: dict[str, Any]) -> None:
    token = FakeToken()
    for purpose, epoch in ((KeyPurpose.SEAL, 1), (KeyPurpose.TRANSPORT, 1), (KeyPurpose.INDEX, NO_EPOCH)):
        token.import_key(KeyName(purpose, epoch), vector[f"{purpose.name.lower()}_secret"])
    version, sealed = make_vault(token, FIRST_NAMES, now=Millis(1), random=bytes)
    keys = open_vault(token, version=version, sealed=sealed)
    (transport,) = keys.transport_keys.values()
    assert keys.ceremony_keys == {1: vector["ceremony_key"]}
    assert transport.private_bytes_raw() == vector["transport_private_key"]
    assert keys.id_key == vector["id_key"]
    label = "strongroom/v1/ceremony-key"
    plain = plain_protocol.derive(vector["seal_secret"], label, plain_protocol.fields(label, 1))
    assert plain == vector["ceremony_key"]


@vectors("seal")
def test_sealed_form(vector: dict[str, Any]) -> None:
    kind, place = Kind[vector["kind"].upper()], {"record_id": vector["record_id"], "version": vector["version"]}
    key = _one_time_key(vector)
    sealed = key.seal(kind, plaintext=vector["plaintext"], **place)
    assert (key.key, sealed) == (vector["key"], vector["sealed"])
    assert key.open(kind, sealed=sealed, **place) == vector["plaintext"]
    assert (len(sealed) - 37 - 16) % 1_024 == 0


@vectors("seal")
def test_sealed_form_by_a_plain_reading(vector: dict[str, Any]) -> None:
    salt, epoch = vector["salt"], vector["epoch"]
    context = plain_protocol.fields("strongroom/v1/seal-key", salt)
    key = plain_protocol.derive(vector["seal_secret"], "strongroom/v1/seal-key", context)
    aad = plain_protocol.seal_aad(**{name: vector[name] for name in ("kind", "epoch", "salt", "record_id", "version")})
    assert (context, key, aad) == (vector["context"], vector["key"], vector["aad"])
    nonce = bytes(11) + (b"\1" if vector["kind"] == "event" else b"\0")
    ciphertext = AESGCM(key).encrypt(nonce, plain_protocol.padded(vector["plaintext"]), aad)
    assert b"\1" + struct.pack(">I", epoch) + salt + ciphertext == vector["sealed"]


@vectors("seal")
@pytest.mark.parametrize("changed", ["kind", "record_id", "version", "salt", "epoch"])
def test_sealed_form_opens_only_in_its_place(vector: dict[str, Any], changed: str) -> None:
    key, kind, record_id, version = _one_time_key(vector), vector["kind"], vector["record_id"], vector["version"]
    sealed = key.seal(Kind[kind.upper()], record_id=record_id, version=version, plaintext=vector["plaintext"])
    assert key.open(Kind[kind.upper()], record_id=record_id, version=version, sealed=sealed) == vector["plaintext"]
    match changed:
        case "kind":
            kind = "event" if kind == "record" else "record"
        case "record_id":
            record_id = bytes(32)
        case "version":
            version += 1
        case "salt":
            key = replace(key, salt=bytes(32))
        case _:
            key = replace(key, epoch=2)
    with pytest.raises(RecordRejected):
        key.open(Kind[kind.upper()], record_id=record_id, version=version, sealed=sealed)


@vectors("hpke")
def test_hpke(vector: dict[str, Any]) -> None:
    key, challenge = X25519PrivateKey.from_private_bytes(vector["private_key"]), vector["challenge"]
    info = plain_protocol.hpke_info(direction=vector["direction"], challenge=challenge)
    assert info == vector["info"]
    assert SUITE.decrypt(vector["sealed"], key, info=info) == vector["plaintext"]
    if vector["direction"] == "to-keeper":
        assert open_from_client(vector["sealed"], private_key=key, challenge=challenge) == vector["plaintext"]
        return
    recipient = key.public_key().public_bytes_raw()
    sealed = seal_to_client(vector["plaintext"], recipient=recipient, challenge=challenge)
    assert SUITE.decrypt(sealed, key, info=info) == vector["plaintext"]
    with pytest.raises(InvalidTag):
        SUITE.decrypt(sealed, key, info=info + b"\0")


def _one_time_key(vector: Mapping[str, Any]) -> OneTimeKey:
    token = FakeToken()
    token.import_key(KeyName(KeyPurpose.SEAL, 1), vector["seal_secret"])
    salt: bytes = vector["salt"]
    return draw_one_time_key(token, epoch=vector["epoch"], random=lambda size: salt[:size])


def _record(pairs: list[tuple[bytes, bytes]], recovery: bytes) -> Record:
    account = Account()
    account.enroll()
    credentials = tuple(replace(credential(identifier), cose_key=key) for identifier, key in pairs)
    return replace(account.held, credentials=credentials, recovery_public_key=recovery)


def _statement(given: Mapping[str, Any]) -> Statement:
    rest = without(given, "request", "mode", "origins", "expires_at")
    mode: Mode = MODES.inverse(given["mode"])
    return Statement(
        request=parse_request(given["request"]),
        request_bytes=given["request"],
        mode=mode,
        origins=tuple(given["origins"]),
        expires_at=Millis(given["expires_at"]),
        **rest,
    )


class _WrapWitness(FakeToken):
    """Remembers what a wrap was bound to; holds no KEK of the epochs asked for."""

    aad = b""

    def profile(self, *, epoch: int) -> Profile:
        return super().profile(epoch=1)

    def wrap(self, *, epoch: int, plaintext: bytes, aad: bytes) -> Wrapped:
        self.aad = aad
        return super().wrap(epoch=1, plaintext=plaintext, aad=aad)
