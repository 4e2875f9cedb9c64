from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message

from strongroom.v1 import resources_pb2
from strongroom.v1 import vault_service_pb2 as pb
from strongroom_service.application.keepers import BegunCeremony, CredentialDescriptor, SignedReply
from strongroom_service.domain.ceremonies import Operation, RecoverySignature
from strongroom_service.domain.credentials import WebAuthnAssertion
from strongroom_service.domain.errors import InvalidField
from strongroom_service.front import codec
from tests.fakes.keeper import RECEIPT

KIB = 1_024
SEALED_OVERHEAD = 32 + 16 + 32


def registration() -> pb.CompleteRegistrationRequest:
    attestation = resources_pb2.Attestation(
        credential_id=b"id", client_data_json=b"{}", attestation_object=b"object", transports=["usb", "nfc"]
    )
    return pb.CompleteRegistrationRequest(ceremony=b"ceremony", attestation=attestation)


def assertion() -> resources_pb2.Assertion:
    webauthn = resources_pb2.WebAuthnAssertion(
        credential_id=b"id", authenticator_data=b"data", client_data_json=b"{}", signature=b"signature"
    )
    return resources_pb2.Assertion(webauthn=webauthn)


def store() -> pb.StoreEnvelopeRequest:
    return pb.StoreEnvelopeRequest(
        ceremony=b"ceremony",
        assertion=assertion(),
        sealed_envelope=bytes(SEALED_OVERHEAD + 1),
        transport_key_id=bytes(16),
    )


def release() -> pb.ReleaseEnvelopeRequest:
    return pb.ReleaseEnvelopeRequest(ceremony=b"ceremony", assertion=assertion())


def recovery_release() -> pb.ReleaseEnvelopeRequest:
    recovery = resources_pb2.RecoverySignature(public_key=bytes(32), signature=bytes(64))
    return pb.ReleaseEnvelopeRequest(ceremony=b"ceremony", assertion=resources_pb2.Assertion(recovery=recovery))


def set_path(message: Message, path: str, value: object) -> None:
    *parents, name = path.split(".")
    target: Any = message
    for parent in parents:
        target = getattr(target, parent)
    setattr(target, name, value)


Case = tuple[Callable[[], Any], Callable[[Any], object], str, int, int]
SIZES: list[Case] = [
    (lambda: pb.GetVaultRequest(nonce=bytes(32)), codec.nonce_of, "nonce", 32, 32),
    (lambda: pb.GetServiceInfoRequest(nonce=bytes(32)), codec.nonce_of, "nonce", 32, 32),
    (lambda: pb.ListEventsRequest(nonce=bytes(32)), codec.nonce_of, "nonce", 32, 32),
    (pb.ListEventsRequest, codec.page_token_of, "page_token", 0, 256),
    (pb.BeginCeremonyRequest, codec.ceremony_request_of, "request", 1, 2 * KIB),
    (registration, codec.registration_of, "ceremony", 1, 8 * KIB),
    (registration, codec.registration_of, "attestation.credential_id", 1, 1_023),
    (registration, codec.registration_of, "attestation.client_data_json", 1, 4 * KIB),
    (registration, codec.registration_of, "attestation.attestation_object", 1, 32 * KIB),
    (store, codec.store_of, "ceremony", 1, 8 * KIB),
    (store, codec.store_of, "sealed_envelope", SEALED_OVERHEAD + 1, SEALED_OVERHEAD + 16 * KIB),
    (store, codec.store_of, "transport_key_id", 16, 16),
    (release, codec.release_of, "ceremony", 1, 8 * KIB),
    (release, codec.release_of, "assertion.webauthn.credential_id", 1, 1_023),
    (release, codec.release_of, "assertion.webauthn.authenticator_data", 1, 4 * KIB),
    (release, codec.release_of, "assertion.webauthn.client_data_json", 1, 4 * KIB),
    (release, codec.release_of, "assertion.webauthn.signature", 1, 5 * KIB),
    (release, codec.release_of, "assertion.webauthn.user_handle", 0, 64),
    (recovery_release, codec.release_of, "assertion.recovery.public_key", 32, 32),
    (recovery_release, codec.release_of, "assertion.recovery.signature", 64, 64),
]


@pytest.mark.parametrize(("make", "read", "path", "least", "most"), SIZES)
def test_size_of_each_field_is_held_to_its_limits(
    make: Callable[[], Any], read: Callable[[Any], object], path: str, least: int, most: int
) -> None:
    for size in {least, most}:
        message = make()
        set_path(message, path, bytes(size))
        read(message)
    for size in {least - 1, most + 1} - {-1}:
        message = make()
        set_path(message, path, bytes(size))
        with pytest.raises(InvalidField) as refused:
            read(message)
        assert refused.value.field == path


def test_registration_is_carried_over_whole() -> None:
    completion = codec.registration_of(registration())
    assert (completion.operation, completion.ceremony, completion.assertion) == (Operation.REGISTER, b"ceremony", None)
    assert completion.attestation is not None
    assert completion.attestation.transports == ("usb", "nfc")
    assert completion.attestation.attestation_object == b"object"


def test_store_is_carried_over_whole() -> None:
    completion = codec.store_of(store())
    assert completion.operation is Operation.STORE
    assert (len(completion.sealed_envelope), completion.transport_key_id) == (SEALED_OVERHEAD + 1, bytes(16))
    assert isinstance(completion.assertion, WebAuthnAssertion)
    assert completion.assertion.signature == b"signature"


def test_delete_is_carried_over() -> None:
    completion = codec.delete_of(pb.DeleteVaultRequest(ceremony=b"ceremony", assertion=assertion()))
    assert (completion.operation, completion.attestation) == (Operation.DELETE, None)


def test_recovery_signature_is_carried_over() -> None:
    completion = codec.release_of(recovery_release())
    assert completion.assertion == RecoverySignature(public_key=bytes(32), signature=bytes(64))


def test_absent_user_handle_is_none_and_not_empty() -> None:
    completion = codec.release_of(release())
    assert isinstance(completion.assertion, WebAuthnAssertion)
    assert completion.assertion.user_handle is None


@pytest.mark.parametrize("given", [None, resources_pb2.Assertion()])
def test_assertion_of_no_kind_is_refused(given: resources_pb2.Assertion | None) -> None:
    with pytest.raises(InvalidField) as refused:
        codec.release_of(pb.ReleaseEnvelopeRequest(ceremony=b"ceremony", assertion=given))
    assert refused.value.field == "assertion.kind"


def test_missing_attestation_is_refused() -> None:
    with pytest.raises(InvalidField) as refused:
        codec.registration_of(pb.CompleteRegistrationRequest(ceremony=b"ceremony"))
    assert refused.value.field == "attestation"


@pytest.mark.parametrize("transports", [["usb"] * 9, ["x" * 33]])
def test_transports_are_few_and_short(transports: list[str]) -> None:
    message = registration()
    del message.attestation.transports[:]
    message.attestation.transports.extend(transports)
    with pytest.raises(InvalidField) as refused:
        codec.registration_of(message)
    assert refused.value.field == "attestation.transports"


def test_refused_value_is_not_repeated() -> None:
    with pytest.raises(InvalidField) as refused:
        codec.nonce_of(pb.GetVaultRequest(nonce=b"hunter2"))
    assert "hunter2" not in f"{refused.value!r} {refused.value.rule} {refused.value.detail}"


def test_signed_reply_is_passed_on_as_it_is() -> None:
    response = codec.signed_response(pb.ReleaseEnvelopeResponse, SignedReply(reply=b"reply", receipt=RECEIPT))
    assert response.reply == b"reply"
    assert response.receipt == resources_pb2.Receipt(
        signature=RECEIPT.signature,
        identity_fingerprint=RECEIPT.identity_fingerprint,
        version=RECEIPT.version,
        chain_head=RECEIPT.chain_head,
    )


def test_begun_ceremony_names_the_passkeys_in_their_order() -> None:
    descriptors = tuple(
        CredentialDescriptor(credential_id=each, cose_key=b"key", transports=("usb",)) for each in (b"a", b"b")
    )
    response = codec.begun_response(
        BegunCeremony(ceremony=b"ceremony", credentials=descriptors, recovery_public_key=b"recovery")
    )
    assert (response.ceremony, response.recovery_public_key) == (b"ceremony", b"recovery")
    assert [each.credential_id for each in response.credentials] == [b"a", b"b"]
