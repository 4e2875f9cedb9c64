"""A passkey without authenticator or client: honest by default, and able to forge one thing at a time.

Fast (well under a millisecond for ES256), so that rules can be tested over many ceremonies. For the real way through
a WebAuthn client, with PRF, use `strongroom_client.authenticators.software`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fido2 import cbor

from strongroom_service.domain.credentials import AssertionPolicy, WebAuthnAssertion, WebAuthnAttestation

RP_ID = "vault.example"
ORIGIN = "https://vault.example"
ES256, EDDSA, RS256 = -7, -8, -257
USER_PRESENT, USER_VERIFIED, BACKUP_ELIGIBLE, BACKUP_STATE, ATTESTED, EXTENSIONS = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80

POLICY = AssertionPolicy(rp_id=RP_ID, origins=frozenset({ORIGIN}), algorithms=(ES256, EDDSA, RS256))
"""The policy that an untouched `SoftwarePasskey` meets."""

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgery:
    """What to do differently; each default is what an honest authenticator and client do.

    Attributes:
        client_data: members to change or add in the client data; a value of None drops the member.
        client_data_json: bytes to send in place of the client data.
        rp_id: what the authenticator scopes to.
        set_flags, clear_flags: bits of the flags byte.
        sign_count: the counter to sign, in place of the next one.
        extensions: encoded extension outputs; sets the ED flag.
        trailing: bytes after the authenticator data, signed too.
        cose_key: encoded key for the attested credential data.
        attestation_format: `none`, or `packed` for a self attestation.
        statement: members to put into the attestation statement.
        unsigned: for an assertion, sign another message.
    """

    client_data: Mapping[str, object] = field(default_factory=dict)
    client_data_json: bytes | None = None
    rp_id: str | None = None
    set_flags: int = 0
    clear_flags: int = 0
    sign_count: int | None = None
    extensions: bytes = b""
    trailing: bytes = b""
    cose_key: bytes | None = None
    attestation_format: str = "none"
    statement: Mapping[str, object] = field(default_factory=dict)
    unsigned: bool = False


HONEST = Forgery()


class SoftwarePasskey:
    """One passkey. `sign_count` rises by one per ceremony, or stays 0 with `counts=False`, as synced passkeys do."""

    def __init__(
        self,
        *,
        rp_id: str = RP_ID,
        origin: str = ORIGIN,
        algorithm: int = ES256,
        backup_eligible: bool = False,
        counts: bool = True,
        user_handle: bytes | None = None,
        private_key: PrivateKey | None = None,
    ) -> None:
        self.rp_id = rp_id
        self.origin = origin
        self.algorithm = algorithm
        self.backup_eligible = backup_eligible
        self.counts = counts
        self.sign_count = 0
        self.credential_id = secrets.token_bytes(32)
        self.user_handle = secrets.token_bytes(32) if user_handle is None else user_handle
        self._private_key = _generate(algorithm) if private_key is None else private_key

    @property
    def cose_key(self) -> bytes:
        """The public key as canonical CBOR."""
        return cbor.encode(cose_members(self._private_key))

    def make_attestation(self, challenge: bytes, forgery: Forgery = HONEST) -> WebAuthnAttestation:
        """Answer a creation call."""
        client_data_json = self._client_data("webauthn.create", challenge, forgery)
        cose_key = self.cose_key if forgery.cose_key is None else forgery.cose_key
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cose_key
        authenticator_data = self._authenticator_data(forgery, flags=ATTESTED, attested=attested)
        statement: dict[str, object] = {}
        if forgery.attestation_format == "packed":
            signature = self.sign(authenticator_data + hashlib.sha256(client_data_json).digest())
            statement = {"alg": self.algorithm, "sig": signature}
        document = {
            "fmt": forgery.attestation_format,
            "attStmt": {**statement, **forgery.statement},
            "authData": authenticator_data,
        }
        return WebAuthnAttestation(
            credential_id=self.credential_id,
            client_data_json=client_data_json,
            attestation_object=cbor.encode(document),
            transports=("internal",),
        )

    def make_assertion(self, challenge: bytes, forgery: Forgery = HONEST) -> WebAuthnAssertion:
        """Answer a request call."""
        client_data_json = self._client_data("webauthn.get", challenge, forgery)
        authenticator_data = self._authenticator_data(forgery, flags=0, attested=b"")
        message = authenticator_data + hashlib.sha256(client_data_json).digest()
        return WebAuthnAssertion(
            credential_id=self.credential_id,
            authenticator_data=authenticator_data,
            client_data_json=client_data_json,
            signature=self.sign(b"something else" if forgery.unsigned else message),
            user_handle=self.user_handle,
        )

    def sign(self, message: bytes) -> bytes:
        """Sign as the algorithm says (WebAuthn section 6.5.5)."""
        match self._private_key:
            case ec.EllipticCurvePrivateKey() as key:
                return key.sign(message, ec.ECDSA(hashes.SHA256()))
            case ed25519.Ed25519PrivateKey() as key:
                return key.sign(message)
            case rsa.RSAPrivateKey() as key:
                return key.sign(message, padding.PKCS1v15(), hashes.SHA256())

    def _client_data(self, ceremony_type: str, challenge: bytes, forgery: Forgery) -> bytes:
        if forgery.client_data_json is not None:
            return forgery.client_data_json
        members = {
            "type": ceremony_type,
            "challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "origin": self.origin,
            "crossOrigin": False,
            **forgery.client_data,
        }
        kept = {name: value for name, value in members.items() if value is not None}
        return json.dumps(kept, separators=(",", ":"), ensure_ascii=False).encode()

    def _authenticator_data(self, forgery: Forgery, *, flags: int, attested: bytes) -> bytes:
        flags |= USER_PRESENT | USER_VERIFIED
        flags |= BACKUP_ELIGIBLE | BACKUP_STATE if self.backup_eligible else 0
        flags |= EXTENSIONS if forgery.extensions else 0
        self.sign_count += 1 if self.counts else 0
        sign_count = self.sign_count if forgery.sign_count is None else forgery.sign_count
        return (
            hashlib.sha256((forgery.rp_id or self.rp_id).encode()).digest()
            + bytes([(flags | forgery.set_flags) & ~forgery.clear_flags & 0xFF])
            + sign_count.to_bytes(4, "big")
            + attested
            + forgery.extensions
            + forgery.trailing
        )


def cose_members(private_key: PrivateKey) -> dict[int, object]:
    """Return the COSE_Key of `private_key`'s public half, as a map that tests may spoil before encoding it."""
    match private_key:
        case ec.EllipticCurvePrivateKey() as key:
            point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
            half = len(point) // 2
            return {1: 2, 3: ES256, -1: 1, -2: point[:half], -3: point[half:]}
        case ed25519.Ed25519PrivateKey() as key:
            return {1: 1, 3: EDDSA, -1: 6, -2: key.public_key().public_bytes_raw()}
        case rsa.RSAPrivateKey() as key:
            numbers = key.public_key().public_numbers()
            modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
            return {1: 3, 3: RS256, -1: modulus, -2: numbers.e.to_bytes(3, "big")}


def _generate(algorithm: int) -> PrivateKey:
    match algorithm:
        case -7:
            return ec.generate_private_key(ec.SECP256R1())
        case -8:
            return ed25519.Ed25519PrivateKey.generate()
        case -257:
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)
        case _:
            raise ValueError(algorithm)
