"""Ceremonies used for what they were not begun for: another operation, account, tenant, version, set, or once more."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message

from strongroom.v1 import ceremony_pb2
from strongroom.v1 import vault_service_pb2 as pb
from tests.fakes.hand_client import Begun, Told
from tests.fakes.hand_owner import HandOwner
from tests.fakes.hand_tokens import account_token, bearing
from tests.fakes.passkey import Forgery, SoftwarePasskey
from tests.integration.abuse.conftest import Abused
from tests.integration.abuse.telling import require_clean
from tests.integration.abuse.test_ceremony_requests import OPERATIONS, READY_FOR, request_of
from tests.integration.abuse.test_fields import MAY_RECOVER

# What completes each operation; `attest` is completed by nothing of its own.
COMPLETED_BY = {
    "register": "CompleteRegistration",
    "store": "StoreEnvelope",
    "release": "ReleaseEnvelope",
    "delete": "DeleteVault",
    "add_credential": "AddCredential",
    "remove_credential": "RemoveCredential",
    "set_recovery": "SetRecovery",
    "reopen": "Reopen",
    "lift_quarantine": "LiftQuarantine",
    "set_policy": "SetPolicy",
}


def test_every_operation_is_in_the_tables() -> None:
    assert {*COMPLETED_BY, "attest"} == set(OPERATIONS)
    methods = pb.DESCRIPTOR.services_by_name["VaultService"].methods
    assert {method.name for method in methods if "ceremony" in method.input_type.fields_by_name} == set(
        COMPLETED_BY.values()
    )


def completion(owner: HandOwner, rpc: str, begun: Begun) -> Any:  # noqa: ANN401  the request of whatever RPC
    """A request with everything that it can hold, all made for `begun`."""
    kind: Callable[[], Message] = getattr(pb, f"{rpc}Request")
    request: Any = kind()
    request.ceremony = begun.ceremony
    fields = request.DESCRIPTOR.fields_by_name
    if "assertion" in fields:
        request.assertion.CopyFrom(owner.assertion(begun))
    if "attestation" in fields:
        request.attestation.CopyFrom(owner.attested(begun, owner.second))
    if "attest_ceremony" in fields:
        request.attest_ceremony = begun.ceremony
    if "sealed_envelope" in fields:
        request.sealed_envelope, request.transport_key_id = owner.seal(begun, b"an envelope of some size")
        request.sealed_envelope += bytes(32)
    return request


def refused(owner: HandOwner, rpc: str, request: Message) -> str:
    with pytest.raises(Told) as told:
        owner.call(rpc, request)
    require_clean(told.value)
    return told.value.reason


@pytest.mark.parametrize("operation", OPERATIONS)
def test_ceremony_completes_its_own_operation_only(abused: Abused, operation: str) -> None:
    with HandOwner(abused.vault) as owner:
        owner.ready_for(READY_FOR.get(operation, "StoreEnvelope"))
        before = owner.vault_reply()
        for rpc in set(COMPLETED_BY.values()) - {COMPLETED_BY.get(operation)}:
            begun = Begun(owner.begin(request_of(owner, operation)))
            assert refused(owner, rpc, completion(owner, rpc, begun)) == "CEREMONY_REJECTED", (operation, rpc)
        assert owner.vault_reply() == before


@pytest.mark.parametrize("rpc", COMPLETED_BY.values())
def test_ceremony_of_another_account_is_rejected(abused: Abused, rpc: str) -> None:
    with HandOwner(abused.vault) as alice, HandOwner(abused.vault) as bob:
        for owner in (alice, bob):
            owner.ready_for(rpc)
        assert refused(bob, rpc, alice.good_request(rpc)) == "CEREMONY_REJECTED"
        alice.call(rpc, alice.good_request(rpc))


@pytest.mark.parametrize("rpc", COMPLETED_BY.values())
def test_ceremony_of_another_tenants_account_of_that_name_is_rejected(abused: Abused, rpc: str) -> None:
    with HandOwner(abused.vault) as alice, HandOwner(abused.vault, alice.account) as other:
        other.metadata = bearing(account_token(abused.stranger, alice.account))
        alice.ready_for(rpc)
        assert refused(other, rpc, alice.good_request(rpc)) == "CEREMONY_REJECTED"
        assert other.vault_reply().tenant == "other"
        alice.call(rpc, alice.good_request(rpc))


@pytest.mark.parametrize("rpc", [rpc for rpc in COMPLETED_BY.values() if rpc != "CompleteRegistration"])
def test_ceremony_of_an_earlier_version_is_over(abused: Abused, rpc: str) -> None:
    """Whatever was judged meanwhile: here a wrong signature, of the life that the operation is about."""
    with HandOwner(abused.vault) as owner:
        owner.ready_for(rpc)
        early = owner.good_request(rpc)
        late: Any = owner.good_request(rpc)
        late.assertion.webauthn.signature = bytes(70)
        assert refused(owner, rpc, late) == "NOT_VERIFIED"
        assert refused(owner, rpc, early) == "BEGIN_AGAIN"
        owner.call(rpc, owner.good_request(rpc))


def test_registration_begun_before_another_is_over(abused: Abused) -> None:
    with HandOwner(abused.vault) as owner:
        early = owner.good_request("CompleteRegistration")
        owner.register()
        assert refused(owner, "CompleteRegistration", early) == "BEGIN_AGAIN"


def test_ceremony_of_another_credential_set_is_over(abused: Abused) -> None:
    with HandOwner(abused.vault) as owner:
        owner.enroll()
        early = owner.good_request("ReleaseEnvelope")
        owner.call("AddCredential", owner.good_request("AddCredential"))
        assert refused(owner, "ReleaseEnvelope", early) == "BEGIN_AGAIN"
        early = owner.good_request("ReleaseEnvelope")
        owner.call("RemoveCredential", owner.good_request("RemoveCredential"))
        assert refused(owner, "ReleaseEnvelope", early) == "BEGIN_AGAIN"


def test_grant_of_a_removed_passkey_is_answered_no_more(abused: Abused) -> None:
    with HandOwner(abused.vault) as owner:
        owner.ready_for("RemoveCredential")
        first, owner.passkey = owner.passkey, owner.second
        released = owner.good_request("ReleaseEnvelope")
        owner.call("ReleaseEnvelope", released)
        owner.call("ReleaseEnvelope", released)  # control: it can be asked for again
        owner.passkey = first
        owner.call("RemoveCredential", owner.good_request("RemoveCredential"))
        assert refused(owner, "ReleaseEnvelope", released) == "BEGIN_AGAIN"


@pytest.mark.parametrize("rpc", [*COMPLETED_BY.values(), "ResetVault", "EraseAccount", "CancelEraseAccount"])
def test_replay_is_answered_alike_and_changes_nothing(abused: Abused, rpc: str) -> None:
    with HandOwner(abused.vault) as owner:
        owner.ready_for(rpc)
        request = owner.good_request(rpc)
        first = owner.call(rpc, request)
        version = owner.events().events[0].version
        again = owner.call(rpc, request)
        assert (again.receipt.version, again.receipt.chain_head) == (first.receipt.version, first.receipt.chain_head)
        assert owner.events().events[0].version == version == first.receipt.version
        if rpc != "ReleaseEnvelope":  # sealed anew each time
            assert again.reply == first.reply


@pytest.mark.parametrize("rpc", [rpc for rpc in COMPLETED_BY.values() if rpc != "CompleteRegistration"])
def test_replay_of_a_refused_attempt_is_no_second_one(abused: Abused, rpc: str) -> None:
    with HandOwner(abused.vault) as owner:
        owner.ready_for(rpc)
        request: Any = owner.good_request(rpc)
        request.assertion.webauthn.signature = bytes(70)
        assert refused(owner, rpc, request) == "NOT_VERIFIED"
        before = owner.vault_reply()
        assert refused(owner, rpc, request) == "BEGIN_AGAIN"
        assert owner.vault_reply() == before


def addition_with(owner: HandOwner, attest: Begun, passkey: SoftwarePasskey | None = None) -> pb.AddCredentialRequest:
    """A good addition but for the ceremony that its attestation answers."""
    request = owner.addition_request()
    request.attest_ceremony = attest.ceremony
    request.attestation.CopyFrom(owner.attested(attest, passkey or owner.second))
    return request


def test_addition_takes_no_attestation_but_its_own(abused: Abused) -> None:
    with HandOwner(abused.vault) as alice, HandOwner(abused.vault) as bob, HandOwner(abused.vault) as newcomer:
        for owner in (alice, bob):
            owner.enroll()

        def attest(owner: HandOwner) -> Begun:
            return owner.begin_operation("attest", user_handle=alice.second.user_handle)

        early = attest(alice)
        assert refused(alice, "AddCredential", addition_with(alice, attest(bob))) == "CEREMONY_REJECTED"
        registration = newcomer.begin_registration()
        assert refused(alice, "AddCredential", addition_with(alice, registration)) == "CEREMONY_REJECTED"
        own = alice.addition_request()
        assert refused(alice, "AddCredential", addition_with(alice, Begun(own.ceremony))) == "CEREMONY_REJECTED"
        stranger = SoftwarePasskey(rp_id="localhost", origin="http://localhost")
        assert refused(alice, "AddCredential", addition_with(alice, attest(alice), stranger)) == "NOT_VERIFIED"
        alice.store(b"meanwhile")
        assert refused(alice, "AddCredential", addition_with(alice, early)) == "BEGIN_AGAIN"
        alice.call("AddCredential", addition_with(alice, attest(alice)))
        assert len(alice.vault_reply().credentials) == 2


@pytest.mark.parametrize("spoil", ["credential_id", "cose_key_sha256", "envelope_sha256"])
def test_addition_of_another_passkey_key_or_envelope_than_signed_for_is_refused(abused: Abused, spoil: str) -> None:
    with HandOwner(abused.vault) as owner:
        owner.enroll()
        request = owner.addition_request()
        statement = ceremony_pb2.Statement.FromString(request.ceremony[:-32])
        asked = ceremony_pb2.CeremonyRequest.FromString(statement.request)
        setattr(asked.add_credential, spoil, os.urandom(32))
        begun = Begun(owner.begin(asked))
        request.ceremony = begun.ceremony
        request.assertion.CopyFrom(owner.assertion(begun))
        request.sealed_envelope, request.transport_key_id = owner.seal(begun, b"for both")
        assert refused(owner, "AddCredential", request) == "NOT_VERIFIED"
        assert len(owner.vault_reply().credentials) == 1


@pytest.mark.parametrize("rpc", ["RemoveCredential", "SetRecovery", "StoreEnvelope", "AddCredential"])
def test_envelope_sealed_for_another_ceremony_is_refused_unjudged(abused: Abused, rpc: str) -> None:
    with HandOwner(abused.vault) as owner:
        owner.ready_for(rpc)
        one: Any = owner.good_request(rpc)
        other: Any = owner.good_request(rpc)
        one.sealed_envelope = other.sealed_envelope
        before = owner.vault_reply()
        assert refused(owner, rpc, one) == "NOT_VERIFIED"
        assert owner.vault_reply() == before


def test_recovery_credential_may_not_do_what_passkeys_may(abused: Abused) -> None:
    for rpc in sorted({*COMPLETED_BY.values()} - {"CompleteRegistration", *MAY_RECOVER}):
        with HandOwner(abused.vault) as owner:
            owner.ready_for(rpc)
            request: Any = owner.good_request(rpc)
            if rpc != "SetRecovery":  # that one has made itself a new recovery key
                request.assertion.CopyFrom(owner.signed_by_recovery(Begun(request.ceremony)))
                before = owner.vault_reply()
                assert refused(owner, rpc, request) == "NOT_VERIFIED"
                assert owner.vault_reply() == before


def test_passkey_of_the_newer_life_does_not_reopen_what_is_set_aside(abused: Abused) -> None:
    with HandOwner(abused.vault) as owner, HandOwner(abused.vault, owner.account) as thief:
        owner.enroll(b"the owner's")
        thief.call("ResetVault", thief.good_request("ResetVault"))
        thief.enroll(b"the thief's")
        assert refused(thief, "Reopen", thief.good_request("Reopen")) == "NOT_VERIFIED"
        assert refused(thief, "ResetVault", thief.good_request("ResetVault")) == "RESET_PENDING"
        thief.delete()
        owner.call("Reopen", owner.good_request("Reopen"))
        assert owner.release(Forgery()) == [b"the owner's"]
