"""What passes between this device and the tenant's page in a browser: docs/browser-page.md gives each byte.

The way there is a link whose fragment no browser sends to anybody: a port, a one-time key of 256 bits, and what the
authenticator is to be asked. The way back is a form that the page posts to 127.0.0.1: one answer, sealed with that key
over this ceremony's challenge. The key itself never travels back, so that who listens on the port in our place learns
nothing, and who does not know the key can answer nothing: no passkey of his gets enrolled.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom_client.authenticators.port import (
    Assertion,
    Attestation,
    AuthenticatorError,
    CredentialExcluded,
    NoMatchingCredential,
)
from strongroom_client.fields import encode_fields, hash_fields
from strongroom_client.strict_json import elements, mapping, members, optional, text

VERSION: Final = 1
FRAGMENT: Final = "strongroom="
_LABEL = "strongroom/v1/browser-answer"
_CHECK_LABEL = "strongroom/v1/browser-check"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_PRF_BYTES = 32
_CHECK_BYTES = 5
_MAX_ID_BYTES = 1023
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
_CREATED = frozenset(
    {"v", "kind", "credential_id", "client_data_json", "attestation_object", "transports", "prf_output"}
)
_SIGNED = frozenset(
    {"v", "kind", "credential_id", "client_data_json", "authenticator_data", "signature", "user_handle", "prf_output"}
)
_FAILED = frozenset({"v", "kind", "name"})
# DOMException names of W3C WebAuthn Level 3, sections 5.1.3 and 5.1.4; no other text of a page is repeated.
_SAID: Final[dict[str, AuthenticatorError]] = {
    "InvalidStateError": CredentialExcluded("the authenticator already holds a passkey of this vault"),
    "NotAllowedError": NoMatchingCredential(
        "the browser says that it was cancelled, or found no passkey of this vault"
    ),
    "NotSupportedError": AuthenticatorError("the browser offers no algorithm that the vault takes"),
    "SecurityError": AuthenticatorError("the browser does not let this page use the vault's passkeys"),
    "ConstraintError": AuthenticatorError("the authenticator cannot verify its user"),
    "AbortError": AuthenticatorError("the page took it back"),
}


class BadAnswer(Exception):
    """What came is not the answer of this ceremony."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """One ceremony's way to the page and back.

    Attributes:
        asked: what the page is told, as JSON has it.
        challenge: of the ceremony; what is sealed belongs to it.
        key: 32 bytes, drawn for this ceremony alone.
    """

    asked: dict[str, Any]
    challenge: bytes
    key: bytes = field(repr=False)

    def fragment(self, *, port: int) -> str:
        """Return what follows `#` in the link to the page. Secret while the ceremony lasts: it holds the key."""
        document = {"v": VERSION, "port": port, "key": encode(self.key), **self.asked}
        return FRAGMENT + encode(json.dumps(document, separators=(",", ":")).encode())

    @property
    def check(self) -> str:
        """Eight characters that page and terminal both show: a link that somebody else sent shows others."""
        digest = hash_fields(_CHECK_LABEL, self.key, self.challenge)[:_CHECK_BYTES]
        shown = base64.b32encode(digest).decode()
        return f"{shown[:4]}-{shown[4:]}"


def ask_to_create(
    *,
    rp_id: str,
    challenge: bytes,
    user_handle: bytes,
    user_name: str,
    algorithms: tuple[int, ...],
    exclude: tuple[bytes, ...],
    prf_input: bytes,
) -> Handover:
    """Return the handover of a `navigator.credentials.create`."""
    asked = {
        "kind": "create",
        "rp_id": rp_id,
        "challenge": encode(challenge),
        "user_handle": encode(user_handle),
        "user_name": user_name,
        "algorithms": list(algorithms),
        "exclude": [encode(one) for one in exclude],
        "prf_input": encode(prf_input),
    }
    return Handover(asked=asked, challenge=challenge, key=secrets.token_bytes(_KEY_BYTES))


def ask_to_sign(*, rp_id: str, challenge: bytes, allow: tuple[bytes, ...], prf_input: bytes) -> Handover:
    """Return the handover of a `navigator.credentials.get`."""
    asked = {
        "kind": "get",
        "rp_id": rp_id,
        "challenge": encode(challenge),
        "allow": [encode(one) for one in allow],
        "prf_input": encode(prf_input),
    }
    return Handover(asked=asked, challenge=challenge, key=secrets.token_bytes(_KEY_BYTES))


def open_answer(sealed: bytes, *, handover: Handover) -> Assertion | Attestation:
    """Open and read an answer.

    Raises:
        BadAnswer: it is not sealed with this ceremony's key, or not of the form that docs/browser-page.md gives.
        AuthenticatorError: the page says that its browser or user refused.
    """
    aad = encode_fields(_LABEL, handover.challenge)
    try:
        plaintext = AESGCM(handover.key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], aad)
    except (InvalidTag, ValueError):
        raise BadAnswer("not sealed for this ceremony") from None
    try:
        answer = _read(mapping(json.loads(plaintext)), kind=handover.asked["kind"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise BadAnswer("not an answer to what was asked") from None
    if isinstance(answer, AuthenticatorError):
        raise answer
    if not _is_for(answer.client_data_json, handover.challenge):
        raise BadAnswer("signed for another ceremony")
    return answer


def encode(octets: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def decode(written: object) -> bytes:
    """Read base64url without padding, and no other form of the same bytes.

    Raises:
        ValueError, TypeError: it is not that.
    """
    stated = text(written)
    if not _BASE64URL.fullmatch(stated):
        raise ValueError
    try:
        octets = base64.urlsafe_b64decode(stated + "=" * (-len(stated) % 4))
    except binascii.Error:
        raise ValueError from None
    if encode(octets) != stated:
        raise ValueError
    return octets


def _read(document: dict[str, Any], *, kind: str) -> Assertion | Attestation | AuthenticatorError:
    if document["v"] != VERSION:
        raise ValueError
    if document["kind"] == "error":
        name = text(members(document, _FAILED)["name"])
        return _SAID.get(name, AuthenticatorError("the browser refused"))
    if document["kind"] != kind:
        raise ValueError
    return _read_attestation(document) if kind == "create" else _read_assertion(document)


def _read_attestation(document: dict[str, Any]) -> Attestation:
    created = members(document, _CREATED)
    return Attestation(
        credential_id=_credential_id(created["credential_id"]),
        client_data_json=decode(created["client_data_json"]),
        attestation_object=decode(created["attestation_object"]),
        transports=tuple(text(one) for one in elements(created["transports"])),
        prf_output=optional(created["prf_output"], _prf_output),
    )


def _read_assertion(document: dict[str, Any]) -> Assertion:
    signed = members(document, _SIGNED)
    return Assertion(
        credential_id=_credential_id(signed["credential_id"]),
        authenticator_data=decode(signed["authenticator_data"]),
        client_data_json=decode(signed["client_data_json"]),
        signature=decode(signed["signature"]),
        user_handle=optional(signed["user_handle"], decode),
        prf_output=optional(signed["prf_output"], _prf_output),
    )


def _credential_id(written: object) -> bytes:
    octets = decode(written)
    if not 0 < len(octets) <= _MAX_ID_BYTES:
        raise ValueError
    return octets


def _prf_output(written: object) -> bytes:
    octets = decode(written)
    if len(octets) != _PRF_BYTES:
        raise ValueError
    return octets


def _is_for(client_data_json: bytes, challenge: bytes) -> bool:
    """Tell whether the browser signed for this challenge; the vault checks all the rest of it."""
    try:
        return bool(mapping(json.loads(client_data_json)).get("challenge") == encode(challenge))
    except (ValueError, TypeError, RecursionError):
        return False
