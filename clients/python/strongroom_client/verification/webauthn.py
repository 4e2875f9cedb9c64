"""What passkeys signed, checked as W3C Web Authentication Level 3 sections 7.1 and 7.2 have it, for evidence.

Anybody can do this: a public key, the challenge, and the statement's RP ID and origins are all that is needed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Sequence
from typing import Final, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fido2 import cbor
from fido2.cose import ES256, RS256, CoseKey, EdDSA
from fido2.webauthn import AttestationObject, AuthenticatorData

from strongroom.v1 import resources_pb2
from strongroom_client.fields import encode_fields
from strongroom_client.verification.credential_sets import PublicCredential

_RECOVERY_LABEL = "strongroom/v1/recovery-assertion"
_ALGORITHMS: Final = (ES256, EdDSA, RS256)
_MALFORMED = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError, struct.error)


class NotSigned(Exception):
    """What was made by an authenticator is not what it must be; says why."""


def attested_credential(attestation: resources_pb2.Attestation) -> PublicCredential:
    """Return the public part of a new passkey as the vault lists it: canonical CBOR of the COSE key.

    Raises:
        NotSigned: the attestation object does not parse, or is of another credential.
    """
    data = _attested_data(attestation).credential_data
    if data is None or data.credential_id != attestation.credential_id:
        raise NotSigned("the attestation object is of another credential")
    return PublicCredential(data.credential_id, cbor.encode(dict(data.public_key)))


def check_attestation(
    attestation: resources_pb2.Attestation, *, challenge: bytes, rp_id: str, origins: Sequence[str]
) -> PublicCredential:
    """Return the passkey that an attestation over `challenge` brought.

    Raises:
        NotSigned: it is for something else, or without user verification.
    """
    _check_client_data(attestation.client_data_json, kind="webauthn.create", challenge=challenge)
    _check_origin(attestation.client_data_json, origins)
    data = _attested_data(attestation)
    _check_rp_id(data, rp_id)
    _check_flags(data)
    return attested_credential(attestation)


def check_assertion(
    assertion: resources_pb2.WebAuthnAssertion, *, cose_key: bytes, challenge: bytes, rp_id: str
) -> None:
    """Check that the passkey of `cose_key` signed `challenge` for `rp_id`; by which policy is another question.

    Raises:
        NotSigned: it did not.
    """
    _check_client_data(assertion.client_data_json, kind="webauthn.get", challenge=challenge)
    _check_rp_id(_authenticator_data(assertion.authenticator_data), rp_id)
    signed = assertion.authenticator_data + hashlib.sha256(assertion.client_data_json).digest()
    try:
        key = CoseKey.parse(cast("dict[int, object]", cbor.decode(cose_key)))
        if type(key) not in _ALGORITHMS:
            raise NotSigned("the passkey's algorithm is none of the vault's")
        key.verify(signed, assertion.signature)
    except (InvalidSignature, *_MALFORMED):
        raise NotSigned("the signature is not the passkey's") from None


def check_assertion_policy(assertion: resources_pb2.WebAuthnAssertion, *, origins: Sequence[str]) -> None:
    """Check that a right assertion was made at one of `origins`, in no frame, with the user verified.

    Raises:
        NotSigned: it was not.
    """
    _check_origin(assertion.client_data_json, origins)
    _check_flags(_authenticator_data(assertion.authenticator_data))


def check_recovery_signature(signature: resources_pb2.RecoverySignature, *, challenge: bytes) -> None:
    """Check that the recovery credential named in `signature` signed `challenge`.

    Raises:
        NotSigned: it did not.
    """
    try:
        key = Ed25519PublicKey.from_public_bytes(signature.public_key)
        key.verify(signature.signature, encode_fields(_RECOVERY_LABEL, challenge))
    except (InvalidSignature, ValueError):
        raise NotSigned("the signature is not the recovery key's") from None


def _client_data(encoded: bytes) -> dict[str, object]:
    try:
        document = json.loads(encoded.decode(), object_pairs_hook=_without_repeats)
    except _MALFORMED:
        raise NotSigned("the client data does not parse") from None
    if not isinstance(document, dict):
        raise NotSigned("the client data is no object")
    return document


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse a repeated member: one reader would take the first, another the last."""
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError
    return document


def _check_client_data(encoded: bytes, *, kind: str, challenge: bytes) -> None:
    document = _client_data(encoded)
    expected = base64.urlsafe_b64encode(challenge).rstrip(b"=").decode()
    if (document.get("type"), document.get("challenge")) != (kind, expected):
        raise NotSigned("it was made for another ceremony")


def _check_origin(encoded: bytes, origins: Sequence[str]) -> None:
    document = _client_data(encoded)
    if document.get("origin") not in origins or document.get("crossOrigin", False) is not False:
        raise NotSigned("it was made at another origin")
    if "topOrigin" in document:
        raise NotSigned("it was made in a frame")


def _authenticator_data(encoded: bytes) -> AuthenticatorData:
    try:
        return AuthenticatorData(encoded)
    except _MALFORMED:
        raise NotSigned("the authenticator data does not parse") from None


def _attested_data(attestation: resources_pb2.Attestation) -> AuthenticatorData:
    try:
        return AttestationObject(attestation.attestation_object).auth_data
    except _MALFORMED:
        raise NotSigned("the attestation object does not parse") from None


def _check_rp_id(data: AuthenticatorData, rp_id: str) -> None:
    if data.rp_id_hash != hashlib.sha256(rp_id.encode()).digest():
        raise NotSigned("it was made for another relying party")


def _check_flags(data: AuthenticatorData) -> None:
    if not (data.is_user_present() and data.is_user_verified()):
        raise NotSigned("the user was not verified")
