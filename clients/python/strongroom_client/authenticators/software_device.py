"""A CTAP 2.1 authenticator inside this process: what a security key does, with keys in a file and nobody asked.

It speaks the authenticator API (makeCredential, getAssertion, getInfo, clientPIN for key agreement only) with built-in
user verification that always succeeds, and hmac-secret, which WebAuthn's PRF extension uses. Attestation is `packed`
self attestation, so that no byte of a new credential can be changed on its way. Source: Client to Authenticator
Protocol 2.1, sections 6.1, 6.2, 6.4, 6.5.7 and 12.5.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from threading import Event
from typing import Any, Protocol, cast

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from fido2 import cbor
from fido2.cose import ES256, CoseKey, EdDSA
from fido2.ctap import STATUS, CtapDevice, CtapError
from fido2.ctap2.base import Ctap2
from fido2.ctap2.pin import ClientPin, PinProtocolV2
from fido2.hid import CAPABILITY
from fido2.webauthn import Aaguid, AttestedCredentialData, AuthenticatorData

from strongroom_client.authenticators.software_state import SoftwareCredential, SoftwareState

_SECRET_BYTES = 32
_MAX_MESSAGE_BYTES = 8192
_MAX_CREDENTIALS_IN_LIST = 16
_FLAG = AuthenticatorData.FLAG

_Parameters = Mapping[int, Any]
_PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class _PinUvAuthProtocol(Protocol):
    """The part of CTAP's PIN/UV auth protocol (section 6.5.7) used here, with the types that python-fido2 lacks."""

    def kdf(self, z: bytes) -> bytes:
        """Derive both keys from the agreed point."""

    def authenticate(self, key: bytes, message: bytes) -> bytes:
        """MAC `message`."""

    def encrypt(self, key: bytes, plaintext: bytes) -> bytes:
        """Encrypt whole blocks."""

    def decrypt(self, key: bytes, ciphertext: bytes) -> bytes:
        """Decrypt whole blocks."""


class SoftwareDevice(CtapDevice):
    """One authenticator over one state file.

    Args:
        state: where its credentials are.
        has_prf: whether it offers hmac-secret.
        prf_at_creation: whether it also evaluates it for new credentials (hmac-secret-mc), as few do.
        backup_eligible: whether its credentials say that they are synced.
    """

    def __init__(self, *, state: SoftwareState, has_prf: bool, prf_at_creation: bool, backup_eligible: bool) -> None:
        self._state = state
        self._extensions = ["hmac-secret"] * has_prf + ["hmac-secret-mc"] * (has_prf and prf_at_creation)
        self._backup_flags = _FLAG.BE | _FLAG.BS if backup_eligible else _FLAG(0)
        self._protocol: _PinUvAuthProtocol = PinProtocolV2()
        self._agreement_key = ec.generate_private_key(ec.SECP256R1())

    @property
    def capabilities(self) -> int:
        """CTAP2 messages, as CBOR."""
        return CAPABILITY.CBOR

    @classmethod
    def list_devices(cls) -> Iterator[CtapDevice]:
        """Nothing to discover: a software device is made where its file is known."""
        return iter(())

    def call(
        self,
        cmd: int,  # noqa: ARG002  always CTAPHID_CBOR, the only capability
        data: bytes = b"",
        event: Event | None = None,  # noqa: ARG002  nothing here waits
        on_keepalive: Callable[[STATUS], None] | None = None,  # noqa: ARG002  as above
    ) -> bytes:
        """Answer one CTAP2 message: a command byte and CBOR parameters; a status byte and CBOR."""
        handlers = {
            Ctap2.CMD.MAKE_CREDENTIAL: self._make_credential,
            Ctap2.CMD.GET_ASSERTION: self._get_assertion,
            Ctap2.CMD.GET_INFO: self._get_info,
            Ctap2.CMD.CLIENT_PIN: self._client_pin,
            Ctap2.CMD.SELECTION: self._select,
        }
        try:
            if data[0] not in handlers:
                raise CtapError(CtapError.ERR.INVALID_COMMAND)
            parameters = cbor.decode(data[1:]) if data[1:] else {}
            answer = handlers[Ctap2.CMD(data[0])](cast("_Parameters", parameters))
        except CtapError as error:
            return bytes([error.code])
        return bytes([CtapError.ERR.SUCCESS]) + cbor.encode(answer)

    def _select(self, _: _Parameters) -> _Parameters:
        """Say yes, as to everything."""
        return {}

    def _get_info(self, _: _Parameters) -> _Parameters:
        return {
            1: ["FIDO_2_1"],
            2: self._extensions,
            3: bytes(Aaguid.NONE),
            4: {"rk": True, "up": True, "uv": True},
            5: _MAX_MESSAGE_BYTES,
            6: [PinProtocolV2.VERSION],
            7: _MAX_CREDENTIALS_IN_LIST,
            8: _SECRET_BYTES,
            9: ["internal"],
            10: [{"alg": algorithm, "type": "public-key"} for algorithm in _NEW_KEYS],
        }

    def _client_pin(self, parameters: _Parameters) -> _Parameters:
        if parameters[2] != ClientPin.CMD.GET_KEY_AGREEMENT:
            raise CtapError(CtapError.ERR.INVALID_SUBCOMMAND)
        key = dict(CoseKey.for_alg(ES256.ALGORITHM).from_cryptography_key(self._agreement_key.public_key()))
        return {1: {**key, 3: -25}}  # ECDH-ES+HKDF-256: the name CTAP gives it, section 6.5.6

    def _make_credential(self, parameters: _Parameters) -> _Parameters:
        rp_id, stored = parameters[2]["id"], self._state.load()
        excluded = {descriptor["id"] for descriptor in parameters.get(5, ())}
        if any(credential.rp_id == rp_id and credential.credential_id in excluded for credential in stored):
            raise CtapError(CtapError.ERR.CREDENTIAL_EXCLUDED)
        algorithm = next((wanted["alg"] for wanted in parameters[4] if wanted["alg"] in _NEW_KEYS), None)
        if algorithm is None:
            raise CtapError(CtapError.ERR.UNSUPPORTED_ALGORITHM)
        credential = SoftwareCredential(
            credential_id=secrets.token_bytes(_SECRET_BYTES),
            rp_id=rp_id,
            user_handle=parameters[3]["id"],
            algorithm=algorithm,
            private_key=_NEW_KEYS[algorithm](),
            prf_secret=secrets.token_bytes(_SECRET_BYTES),
            sign_count=1,
        )
        requested = parameters.get(6, {})
        outputs: dict[str, Any] = {"hmac-secret": True} if requested.get("hmac-secret") else {}
        if "hmac-secret-mc" in requested:
            outputs["hmac-secret-mc"] = self._evaluate_prf(credential, requested["hmac-secret-mc"])
        attested = AttestedCredentialData.create(Aaguid.NONE, credential.credential_id, _public_key(credential))
        data = self._authenticator_data(credential, _FLAG.UP | _FLAG.UV, outputs, attested)
        self._state.save((*stored, credential))
        return {1: "packed", 2: data, 3: {"alg": algorithm, "sig": _sign(credential, data + parameters[1])}}

    def _get_assertion(self, parameters: _Parameters) -> _Parameters:
        stored = self._state.load()
        allowed = {descriptor["id"] for descriptor in parameters.get(3, ())}
        found = [
            credential
            for credential in stored
            if credential.rp_id == parameters[1] and (credential.credential_id in allowed or not allowed)
        ]
        if not found:
            raise CtapError(CtapError.ERR.NO_CREDENTIALS)
        credential = replace(found[-1], sign_count=found[-1].sign_count + 1)
        options = parameters.get(5, {})
        flags = _FLAG.UP if options.get("up", True) else _FLAG(0)
        flags |= _FLAG.UV if options.get("uv", False) else _FLAG(0)
        requested = parameters.get(4, {})
        outputs: dict[str, Any] = {}
        if "hmac-secret" in requested:
            outputs["hmac-secret"] = self._evaluate_prf(credential, requested["hmac-secret"])
        data = self._authenticator_data(credential, flags, outputs, b"")
        self._state.save(credential if old.credential_id == credential.credential_id else old for old in stored)
        return {
            1: {"id": credential.credential_id, "type": "public-key"},
            2: data,
            3: _sign(credential, data + parameters[2]),
            4: {"id": credential.user_handle},
        }

    def _authenticator_data(
        self, credential: SoftwareCredential, flags: AuthenticatorData.FLAG, outputs: Mapping[str, Any], attested: bytes
    ) -> bytes:
        flags |= self._backup_flags
        flags |= _FLAG.AT if attested else _FLAG(0)
        flags |= _FLAG.ED if outputs else _FLAG(0)
        rp_id_hash = hashlib.sha256(credential.rp_id.encode()).digest()
        return bytes(AuthenticatorData.create(rp_id_hash, flags, credential.sign_count, attested, outputs or None))

    def _evaluate_prf(self, credential: SoftwareCredential, request: _Parameters) -> bytes:
        """Answer hmac-secret (section 12.5): HMAC of one or two salts, both ways under a key of this session."""
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + request[1][-2] + request[1][-3])
        shared = self._protocol.kdf(self._agreement_key.exchange(ec.ECDH(), peer))
        if not hmac.compare_digest(self._protocol.authenticate(shared, request[2]), request[3]):
            raise CtapError(CtapError.ERR.PIN_AUTH_INVALID)
        salts = self._protocol.decrypt(shared, request[2])
        if len(salts) not in (_SECRET_BYTES, 2 * _SECRET_BYTES):
            raise CtapError(CtapError.ERR.INVALID_LENGTH)
        outputs = [
            hmac.digest(credential.prf_secret, salts[start : start + _SECRET_BYTES], "sha256")
            for start in range(0, len(salts), _SECRET_BYTES)
        ]
        return self._protocol.encrypt(shared, b"".join(outputs))


def _new_es256_key() -> bytes:
    scalar = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return scalar.to_bytes(_SECRET_BYTES, "big")


def _new_eddsa_key() -> bytes:
    return ed25519.Ed25519PrivateKey.generate().private_bytes_raw()


_NEW_KEYS: dict[int, Callable[[], bytes]] = {ES256.ALGORITHM: _new_es256_key, EdDSA.ALGORITHM: _new_eddsa_key}


def _load_key(credential: SoftwareCredential) -> _PrivateKey:
    if credential.algorithm == EdDSA.ALGORITHM:
        return ed25519.Ed25519PrivateKey.from_private_bytes(credential.private_key)
    return ec.derive_private_key(int.from_bytes(credential.private_key, "big"), ec.SECP256R1())


def _public_key(credential: SoftwareCredential) -> CoseKey:
    return CoseKey.for_alg(credential.algorithm).from_cryptography_key(_load_key(credential).public_key())


def _sign(credential: SoftwareCredential, message: bytes) -> bytes:
    key = _load_key(credential)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    return key.sign(message, ec.ECDSA(hashes.SHA256()))
