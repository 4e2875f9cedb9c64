"""The client's CeremonyRequest, decoded strictly: what this release does not know is refused, never ignored."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from strongroom.v1 import ceremony_pb2, resources_pb2
from strongroom_service.domain.ceremonies import (
    AddCredential,
    Attest,
    CeremonyRequest,
    Delete,
    LiftQuarantine,
    Mode,
    Parameters,
    Register,
    Release,
    RemoveCredential,
    Reopen,
    SetPolicy,
    SetRecovery,
    Store,
)
from strongroom_service.domain.errors import InvalidField, Reason, Refusal
from strongroom_service.domain.policy import Policy
from strongroom_service.keeper.formats.enums import MODES, ON_EXHAUSTION, REOPEN_TARGETS

if TYPE_CHECKING:
    from google.protobuf.message import Message

MAX_REQUEST_BYTES = 2048  # an addition names an id of up to 1023 bytes
_RANDOM_BYTES = 32
_KEY_BYTES = 32
_DIGEST_BYTES = 32
_MIN_CREDENTIAL_ID_BYTES = 16
_MAX_CREDENTIAL_ID_BYTES = 1023


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
    operation = message.WhichOneof("operation")
    if operation is None:
        raise Refusal(Reason.UNSUPPORTED_OPERATION)
    parameters = _PARSERS[operation](getattr(message, operation))
    _require_known(message, field="request")
    _require_length(message.client_random, _RANDOM_BYTES, field="request.client_random")
    return CeremonyRequest(
        client_random=message.client_random,
        opened_archive_version=message.opened_archive_version,
        parameters=parameters,
    )


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


def _parse_delete(message: ceremony_pb2.DeleteOperation) -> Delete:
    _require_known(message, field="request.delete")
    return Delete()


def _parse_attest(message: ceremony_pb2.AttestOperation) -> Attest:
    _require_known(message, field="request.attest")
    _require_length(message.user_handle, _RANDOM_BYTES, field="request.attest.user_handle")
    return Attest(user_handle=message.user_handle)


def _parse_add_credential(message: ceremony_pb2.AddCredentialOperation) -> AddCredential:
    path = "request.add_credential"
    _require_known(message, field=path)
    _require_credential_id(message.credential_id, field=f"{path}.credential_id")
    _require_length(message.cose_key_sha256, _DIGEST_BYTES, field=f"{path}.cose_key_sha256")
    _require_length(message.envelope_sha256, _DIGEST_BYTES, field=f"{path}.envelope_sha256")
    return AddCredential(
        credential_id=message.credential_id,
        cose_key_sha256=message.cose_key_sha256,
        envelope_sha256=message.envelope_sha256,
    )


def _parse_remove_credential(message: ceremony_pb2.RemoveCredentialOperation) -> RemoveCredential:
    path = "request.remove_credential"
    _require_known(message, field=path)
    _require_credential_id(message.credential_id, field=f"{path}.credential_id")
    _require_length(message.envelope_sha256, _DIGEST_BYTES, field=f"{path}.envelope_sha256")
    return RemoveCredential(credential_id=message.credential_id, envelope_sha256=message.envelope_sha256)


def _parse_set_recovery(message: ceremony_pb2.SetRecoveryOperation) -> SetRecovery:
    path = "request.set_recovery"
    _require_known(message, field=path)
    _require_length(message.recovery_public_key, _KEY_BYTES, field=f"{path}.recovery_public_key")
    _require_length(message.envelope_sha256, _DIGEST_BYTES, field=f"{path}.envelope_sha256")
    return SetRecovery(recovery_public_key=message.recovery_public_key, envelope_sha256=message.envelope_sha256)


def _parse_reopen(message: ceremony_pb2.ReopenOperation) -> Reopen:
    _require_known(message, field="request.reopen")
    target = REOPEN_TARGETS.get(message.target)
    if target is None:
        rule = "must be REOPEN_TARGET_SET_ASIDE or REOPEN_TARGET_CLOSED"
        raise InvalidField(field="request.reopen.target", rule=rule)
    return Reopen(target=target)


def _parse_lift_quarantine(message: ceremony_pb2.LiftQuarantineOperation) -> LiftQuarantine:
    path = "request.lift_quarantine"
    _require_known(message, field=path)
    _require_credential_id(message.credential_id, field=f"{path}.credential_id")
    return LiftQuarantine(credential_id=message.credential_id)


def _parse_set_policy(message: ceremony_pb2.SetPolicyOperation) -> SetPolicy:
    path = "request.set_policy.policy"
    _require_known(message, field="request.set_policy")
    _require_known(message.policy, field=path)
    on_exhaustion = ON_EXHAUSTION.get(message.policy.on_exhaustion)
    if on_exhaustion is None:
        rule = "must be ON_EXHAUSTION_DESTROY or ON_EXHAUSTION_LOCK"
        raise InvalidField(field=f"{path}.on_exhaustion", rule=rule)
    try:
        policy = Policy(
            budget=message.policy.budget,
            cool_down_seconds=tuple(message.policy.cool_down_seconds),
            on_exhaustion=on_exhaustion,
            releases_per_day=message.policy.releases_per_day,
            reset_grace_seconds=message.policy.reset_grace_seconds,
        )
    except ValueError as error:  # its text names fields and rules, no values
        raise InvalidField(field=path, rule=str(error)) from error
    return SetPolicy(policy=policy)


def _parse_mode(mode: int, *, field: str) -> Mode:
    known = MODES.get(mode)
    if known is None:
        raise InvalidField(field=field, rule="must be MODE_PRF or MODE_VAULT_HELD")
    return known


def _require_credential_id(value: bytes, *, field: str) -> None:
    if not _MIN_CREDENTIAL_ID_BYTES <= len(value) <= _MAX_CREDENTIAL_ID_BYTES:
        raise InvalidField(field=field, rule=f"must be {_MIN_CREDENTIAL_ID_BYTES} to {_MAX_CREDENTIAL_ID_BYTES} bytes")


def _require_length(value: bytes, length: int, *, field: str) -> None:
    if len(value) != length:
        raise InvalidField(field=field, rule=f"must be {length} bytes")


def _require_known(message: Message, *, field: str) -> None:
    """A field that this release does not know may change what the client means: refused, not ignored."""
    if len(UnknownFieldSet(message)) > 0:
        raise InvalidField(field=field, rule="must hold no field that this release does not know")


_PARSERS: dict[str, Callable[[Any], Parameters]] = {
    "register": _parse_register,
    "store": _parse_store,
    "release": _parse_release,
    "delete": _parse_delete,
    "attest": _parse_attest,
    "add_credential": _parse_add_credential,
    "remove_credential": _parse_remove_credential,
    "set_recovery": _parse_set_recovery,
    "reopen": _parse_reopen,
    "lift_quarantine": _parse_lift_quarantine,
    "set_policy": _parse_set_policy,
}
