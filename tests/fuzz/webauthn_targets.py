"""WebAuthn at the keeper: client data, authenticator data, CBOR, COSE keys, attestations and assertions."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from strongroom.v1 import resources_pb2
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.credentials import (
    AssertionPolicy,
    Credential,
    PolicyViolated,
    Verified,
    WebAuthnAssertion,
    WebAuthnAttestation,
    WrongSignature,
)
from strongroom_service.domain.errors import Refusal
from strongroom_service.keeper.webauthn.assertion import check_assertion
from strongroom_service.keeper.webauthn.attestation import check_attestation
from strongroom_service.keeper.webauthn.authenticator_data import parse_authenticator_data
from strongroom_service.keeper.webauthn.canonical import decode_only_map
from strongroom_service.keeper.webauthn.client_data import parse_client_data
from strongroom_service.keeper.webauthn.cose import SignatureMismatch, load_credential_key
from tests.fakes.passkey import EDDSA, ES256, POLICY, RS256, Forgery, SoftwarePasskey
from tests.fuzz import honest
from tests.fuzz.target import Target

CHALLENGE = bytes(32)
EXTENSIONS = bytes.fromhex("a16b686d61632d7365637265745830") + bytes(48)
HANDLE = b"h" * 32


@dataclass(frozen=True, kw_only=True)
class Creation:
    """A good attestation and what it is checked against."""

    attestation: WebAuthnAttestation
    challenge: bytes
    policy: AssertionPolicy

    def check(self, attestation_object: bytes) -> Credential:
        return check_attestation(
            attestation=WebAuthnAttestation(
                credential_id=self.attestation.credential_id,
                client_data_json=self.attestation.client_data_json,
                attestation_object=attestation_object,
                transports=(),
            ),
            challenge=self.challenge,
            policy=self.policy,
            user_handle=HANDLE,
            now=Millis(0),
        )


@functools.cache
def passkeys() -> tuple[SoftwarePasskey, ...]:
    return tuple(SoftwarePasskey(algorithm=algorithm, user_handle=HANDLE) for algorithm in (ES256, EDDSA, RS256))


@functools.cache
def creations() -> tuple[Creation, ...]:
    """By software passkeys of each algorithm, with and without self attestation, and the vectors of the standard."""
    forgeries = (Forgery(), Forgery(attestation_format="packed", extensions=EXTENSIONS))
    own = (
        Creation(attestation=passkey.make_attestation(CHALLENGE, forgery), challenge=CHALLENGE, policy=POLICY)
        for passkey in passkeys()
        for forgery in forgeries
    )
    document = honest.vectors("webauthn_l3")
    policy = AssertionPolicy(
        rp_id=document["rp_id"], origins=frozenset({document["origin"]}), algorithms=POLICY.algorithms
    )
    of_the_standard = (
        Creation(
            attestation=WebAuthnAttestation(
                credential_id=bytes.fromhex(vector["credential_id"]),
                client_data_json=bytes.fromhex(vector["create"]["clientDataJSON"]),
                attestation_object=bytes.fromhex(vector["create"]["attestationObject"]),
                transports=(),
            ),
            challenge=bytes.fromhex(vector["create"]["challenge"]),
            policy=policy,
        )
        for vector in document["vectors"]
    )
    return (*own, *of_the_standard)


@functools.cache
def credential() -> Credential:
    """Of the first passkey."""
    return creations()[0].check(creations()[0].attestation.attestation_object)


def attestation(data: bytes) -> None:
    """Check an attestation object with the client data that it was made for, so that checks go on to its end."""
    fitting = (one for one in creations() if one.attestation.credential_id in data)
    next(fitting, creations()[0]).check(data)


def attestation_by_format(data: bytes) -> None:
    """Check a statement of any format over good authenticator data: `data` is its name, a zero byte, and CBOR."""
    name, _, statement = data.partition(b"\0")
    good = creations()[0]
    object_ = good.attestation.attestation_object
    authenticator_data = object_[object_.index(b"hauthData") + len(b"hauthData") :]
    head = b"\xa3cfmt" + bytes([0x60 | min(len(name), 23)]) + name[:23]
    good.check(head + b"gattStmt" + statement + b"hauthData" + authenticator_data)


def statement_seeds() -> list[bytes]:
    """Of each format that is known here, with members of the right kinds; none of these verifies but the first."""
    certificate = b"\x81\x58\x20" + bytes(32)
    algorithm = b"\x63alg\x26"
    signature = b"\x63sig\x58\x20" + bytes(32)
    chain = b"\x63x5c" + certificate
    areas = b"\x67certInfo\x58\x20" + b"\xffTCG\x80\x17" + bytes(26) + b"\x67pubArea\x58\x20" + bytes(32)
    return [
        b"none\0\xa0",
        b"packed\0\xa2" + algorithm + signature,
        b"packed\0\xa3" + algorithm + signature + chain,
        b"apple\0\xa1" + chain,
        b"tpm\0\xa6" + algorithm + signature + b"\x63ver\x632.0" + chain + areas,
        b"android-key\0\xa3" + algorithm + signature + chain,
    ]


def assertion(data: bytes) -> None:
    """Check an assertion given as its message."""
    given = resources_pb2.WebAuthnAssertion.FromString(data)
    outcome = check_assertion(
        assertion=WebAuthnAssertion(
            credential_id=given.credential_id,
            authenticator_data=given.authenticator_data,
            client_data_json=given.client_data_json,
            signature=given.signature,
            user_handle=given.user_handle or None,
        ),
        credential=credential(),
        challenge=CHALLENGE,
        policy=POLICY,
    )
    if not isinstance(outcome, Verified | WrongSignature | PolicyViolated):
        raise TypeError(outcome)


@functools.cache
def assertions() -> tuple[WebAuthnAssertion, ...]:
    forgeries = (Forgery(), Forgery(extensions=EXTENSIONS), Forgery(clear_flags=4), Forgery(sign_count=0))
    return tuple(passkeys()[0].make_assertion(CHALLENGE, forgery) for forgery in forgeries)


def assertion_seeds() -> list[bytes]:
    return [
        resources_pb2.WebAuthnAssertion(
            credential_id=one.credential_id,
            authenticator_data=one.authenticator_data,
            client_data_json=one.client_data_json,
            signature=one.signature,
            user_handle=one.user_handle or b"",
        ).SerializeToString()
        for one in assertions()
    ]


def client_data_seeds() -> list[bytes]:
    of_creations = [one.attestation.client_data_json for one in creations()]
    return [*of_creations, *(one.client_data_json for one in assertions())]


def objects() -> list[bytes]:
    return [one.attestation.attestation_object for one in creations()]


def authenticator_data_seeds() -> list[bytes]:
    attested = [bytes(decode_only_map("seed", one)["authData"]) for one in objects()]  # type: ignore[call-overload]
    return [*(one.authenticator_data for one in assertions()), *attested]


def cose_keys() -> list[bytes]:
    vectors = honest.vectors("webauthn_l3")["vectors"]
    return [*(one.cose_key for one in passkeys()), *(bytes.fromhex(vector["cose_key"]) for vector in vectors)]


def verify_with(data: bytes) -> None:
    """Load a key, and use it if it loads: some faults of a key show at its first use only."""
    key = load_credential_key(data)
    try:
        key.verify(message=b"message", signature=hashlib.sha512(data).digest())
    except SignatureMismatch:
        return


TARGETS = {
    "client_data": Target(parse=parse_client_data, refusals=(Refusal,), seeds=client_data_seeds),
    "authenticator_data": Target(parse=parse_authenticator_data, refusals=(Refusal,), seeds=authenticator_data_seeds),
    "cbor": Target(
        parse=functools.partial(decode_only_map, "fuzz"), refusals=(Refusal,), seeds=lambda: [*objects(), *cose_keys()]
    ),
    "cose_key": Target(parse=verify_with, refusals=(Refusal,), seeds=cose_keys),
    "attestation": Target(parse=attestation, refusals=(Refusal,), seeds=objects),
    "attestation_statement": Target(parse=attestation_by_format, refusals=(Refusal,), seeds=statement_seeds),
    "assertion": Target(parse=assertion, refusals=(DecodeError, Refusal), seeds=assertion_seeds),
}
