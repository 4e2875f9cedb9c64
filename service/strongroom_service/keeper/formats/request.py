"""The client's CeremonyRequest, decoded strictly: what this release does not know is refused, never ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from strongroom.v1 import ceremony_pb2, resources_pb2
from strongroom_service.domain.ceremonies import CeremonyRequest, Delete, Mode, Register, Release, Store
from strongroom_service.domain.errors import InvalidField, Reason, Refusal
from strongroom_service.keeper.formats.enums import MODES

if TYPE_CHECKING:
    from google.protobuf.message import Message

MAX_REQUEST_BYTES = 1024
_RANDOM_BYTES = 32
_KEY_BYTES = 32
_DIGEST_BYTES = 32


def parse_request(serialized: bytes) -> CeremonyRequest:
    """Return the request behind the client's bytes.

    Raises:
        InvalidField: a field is missing, of the wrong size or unknown; named by its path.
        Refusal: UNSUPPORTED_OPERATION, where the operation is not one of this release.
    """
    if not 0 < len(serialized) <= MAX_REQUEST_BYTES:
        raise InvalidField(field="request", rule=f"must be 1 to {MAX_REQUEST_BYTES} bytes")
    try:
        message = ceremony_pb2.CeremonyRequest.FromString(serialized)
    except DecodeError as error:
        raise InvalidField(field="request", rule="must be a serialized CeremonyRequest") from error
    parameters = _parse_parameters(message)
    _require_known(message, field="request")
    _require_length(message.client_random, _RANDOM_BYTES, field="request.client_random")
    return CeremonyRequest(
        client_random=message.client_random,
        opened_archive_version=message.opened_archive_version,
        parameters=parameters,
    )


def _parse_parameters(message: ceremony_pb2.CeremonyRequest) -> Register | Store | Release | Delete:
    match message.WhichOneof("operation"):
        case "register":
            return _parse_register(message.register)
        case "store":
            return _parse_store(message.store)
        case "release":
            return _parse_release(message.release)
        case "delete":
            _require_known(message.delete, field="request.delete")
            return Delete()
        case _:
            raise Refusal(Reason.UNSUPPORTED_OPERATION)


def _parse_register(message: ceremony_pb2.RegisterOperation) -> Register:
    _require_known(message, field="request.register")
    _require_length(message.user_handle, _RANDOM_BYTES, field="request.register.user_handle")
    _require_length(message.recovery_public_key, _KEY_BYTES, field="request.register.recovery_public_key")
    return Register(
        user_handle=message.user_handle,
        mode=_parse_mode(message.mode, field="request.register.mode"),
        recovery_public_key=message.recovery_public_key,
    )


def _parse_store(message: ceremony_pb2.StoreOperation) -> Store:
    _require_known(message, field="request.store")
    _require_length(message.secret_sha256, _DIGEST_BYTES, field="request.store.secret_sha256")
    return Store(secret_sha256=message.secret_sha256, mode=_parse_mode(message.mode, field="request.store.mode"))


def _parse_release(message: ceremony_pb2.ReleaseOperation) -> Release:
    _require_known(message, field="request.release")
    _require_length(message.recipient, _KEY_BYTES, field="request.release.recipient")
    if message.suite != resources_pb2.HPKE_SUITE_X25519_SHA256_AES256GCM:
        raise InvalidField(field="request.release.suite", rule="must be a suite that this release offers")
    return Release(recipient=message.recipient)


def _parse_mode(mode: int, *, field: str) -> Mode:
    known = MODES.get(mode)
    if known is None:
        raise InvalidField(field=field, rule="must be MODE_PRF or MODE_VAULT_HELD")
    return known


def _require_length(value: bytes, length: int, *, field: str) -> None:
    if len(value) != length:
        raise InvalidField(field=field, rule=f"must be {length} bytes")


def _require_known(message: Message, *, field: str) -> None:
    """A field that this release does not know may change what the client means: refused, not ignored."""
    if len(UnknownFieldSet(message)) > 0:
        raise InvalidField(field=field, rule="must hold no field that this release does not know")
