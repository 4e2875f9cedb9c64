"""What a front that cheats can do to the operations that change who opens a vault: nothing that a passkey signs for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from strongroom.v1 import ceremony_pb2, vault_service_pb2
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from strongroom_client.descriptions import Policy
from strongroom_client.errors import (
    NotVerified,
    NoVault,
    ReceiptInvalid,
    ReplyMismatch,
    StatementMismatch,
    VaultWentBack,
)
from strongroom_client.notices import NoticeKind
from strongroom_client.steps import Rpc
from strongroom_client.verification.credential_sets import CredentialSet, PublicCredential
from strongroom_client.verification.statements import challenge_of
from tests.fakes.client import CountingAuthenticator, EnrolledDevice, client_of
from tests.fakes.front import AnyMessage, Spoil
from tests.fakes.vault import ACCOUNT
from tests.unit.client.test_cheating_front import in_statement

Request = ceremony_pb2.CeremonyRequest
POLICY = Policy(budget=5, cool_down_seconds=(), on_exhaustion="lock", releases_per_day=3, reset_grace_seconds=86_400)


@pytest.fixture
def further(tmp_path: Path) -> CountingAuthenticator:
    return CountingAuthenticator(InsecureSoftwareAuthenticator(state_path=tmp_path / "further"))


def add(enrolled: EnrolledDevice, further: CountingAuthenticator) -> None:
    enrolled.client().add_passkey(further, user_name=ACCOUNT, by=enrolled.authenticator)


def remove(enrolled: EnrolledDevice, _: CountingAuthenticator) -> None:
    known = enrolled.memory.kept.credentials
    assert known is not None
    enrolled.client().remove_passkey(enrolled.authenticator, known.ids[0])


def set_recovery(enrolled: EnrolledDevice, _: CountingAuthenticator) -> None:
    enrolled.client().set_recovery(enrolled.authenticator)


def reopen(enrolled: EnrolledDevice, _: CountingAuthenticator) -> None:
    enrolled.client().reopen_set_aside(enrolled.authenticator)


def set_policy(enrolled: EnrolledDevice, _: CountingAuthenticator) -> None:
    enrolled.client().set_policy(enrolled.authenticator, POLICY)


def lift(enrolled: EnrolledDevice, _: CountingAuthenticator) -> None:
    enrolled.client().lift_quarantine(enrolled.authenticator, b"quarantined passkey")


def only_in(operation: str, change: Callable[[Request], None]) -> Spoil:
    """Let the vault begin another ceremony of that operation than was asked for; all others pass."""

    def spoil(message: AnyMessage) -> None:
        asked = Request.FromString(message.request)
        if asked.WhichOneof("operation") == operation:
            change(asked)
            message.request = asked.SerializeToString()

    return spoil


def put(path: str, value: object) -> Callable[[Request], None]:
    """Change one parameter."""

    def change(asked: Request) -> None:
        *parents, name = path.split(".")
        parameters: AnyMessage = asked
        for parent in parents:
            parameters = getattr(parameters, parent)
        setattr(parameters, name, value)

    return change


def delete_instead(asked: Request) -> None:
    asked.delete.CopyFrom(ceremony_pb2.DeleteOperation())


@pytest.mark.parametrize(
    ("operation", "change", "prompts"),
    [
        (add, only_in("attest", put("attest.user_handle", b"f" * 32)), 1),
        (add, only_in("attest", delete_instead), 1),
        (add, only_in("add_credential", put("add_credential.credential_id", b"the front's own passkey")), 1),
        (add, only_in("add_credential", put("add_credential.cose_key_sha256", b"f" * 32)), 1),
        (add, only_in("add_credential", put("add_credential.envelope_sha256", b"f" * 32)), 1),
        (remove, only_in("remove_credential", put("remove_credential.credential_id", b"another passkey")), 1),
        (remove, only_in("remove_credential", put("remove_credential.envelope_sha256", b"f" * 32)), 1),
        (set_recovery, only_in("set_recovery", put("set_recovery.recovery_public_key", b"f" * 32)), 1),
        (set_recovery, only_in("set_recovery", put("set_recovery.envelope_sha256", b"f" * 32)), 1),
        (set_policy, only_in("set_policy", put("set_policy.policy.budget", 100)), 0),
        (set_policy, only_in("set_policy", delete_instead), 0),
        (lift, only_in("lift_quarantine", put("lift_quarantine.credential_id", b"another passkey")), 0),
    ],
)
def test_swapped_change_is_refused_before_it_is_signed_for(
    enrolled: EnrolledDevice,
    further: CountingAuthenticator,
    operation: Callable[[EnrolledDevice, CountingAuthenticator], None],
    change: Spoil,
    prompts: int,
) -> None:
    before = enrolled.vault.record.credentials
    enrolled.front.spoil_requests[Rpc.BEGIN_CEREMONY] = change
    with pytest.raises(StatementMismatch, match="another request"):
        operation(enrolled, further)
    assert enrolled.authenticator.prompts == prompts
    assert enrolled.vault.record.credentials == before


def set_aside(enrolled: EnrolledDevice) -> None:
    client = enrolled.client()
    client.reset()
    client.vault()


def test_reopening_of_another_target_is_refused(enrolled: EnrolledDevice, further: CountingAuthenticator) -> None:
    set_aside(enrolled)
    client_of(enrolled.vault).enroll(further, user_name=ACCOUNT)
    change = put("reopen.target", ceremony_pb2.REOPEN_TARGET_CLOSED)
    enrolled.front.spoil_requests[Rpc.BEGIN_CEREMONY] = only_in("reopen", change)
    with pytest.raises(StatementMismatch):
        reopen(enrolled, further)
    assert enrolled.authenticator.prompts == 0


def test_reopening_of_nothing_is_refused(enrolled: EnrolledDevice, further: CountingAuthenticator) -> None:
    set_aside(enrolled)
    enrolled.front.spoil_responses[Rpc.BEGIN_CEREMONY] = in_statement(
        lambda statement: statement.ClearField("set_aside_erase_time")
    )
    with pytest.raises(StatementMismatch, match="nothing is set aside"):
        reopen(enrolled, further)
    assert enrolled.authenticator.prompts == 0


def test_reopening_by_other_credentials_than_were_seen_is_refused(
    enrolled: EnrolledDevice, further: CountingAuthenticator
) -> None:
    """The front lists the thief's passkey as one of the life set aside, with a digest that fits."""
    set_aside(enrolled)
    own = CredentialSet((PublicCredential(b"the thief's passkey", b"\xa0"),))

    def cheat(response: AnyMessage) -> None:
        del response.credentials[:]
        response.credentials.add(credential_id=own.ids[0], cose_key=b"\xa0")
        response.recovery_public_key = b""
        in_statement(lambda statement: setattr(statement, "credential_set_sha256", own.digest))(response)

    enrolled.front.spoil_responses[Rpc.BEGIN_CEREMONY] = cheat
    with pytest.raises(StatementMismatch, match="than this device knows at that version"):
        reopen(enrolled, further)
    assert enrolled.authenticator.prompts == 0


def test_pending_erasure_cannot_be_hidden_from_who_signs(enrolled: EnrolledDevice) -> None:
    """A statement that leaves it out is no keeper's, so that nothing comes of the ceremony."""
    enrolled.vault.record = replace(enrolled.vault.record, account_erase_at=enrolled.vault.now + 1_000)
    enrolled.front.spoil_responses[Rpc.BEGIN_CEREMONY] = in_statement(
        lambda statement: statement.ClearField("account_erase_time")
    )
    with pytest.raises(NotVerified):
        enrolled.client().release(enrolled.authenticator)
    del enrolled.front.spoil_responses[Rpc.BEGIN_CEREMONY]
    client = enrolled.client()
    client.release(enrolled.authenticator)
    assert [notice.kind for notice in client.notices] == [NoticeKind.ACCOUNT_ERASURE]


@pytest.mark.parametrize("rpc", [Rpc.ADD_CREDENTIAL, Rpc.SET_RECOVERY, Rpc.SET_POLICY])
def test_change_without_a_good_receipt_is_not_believed(
    enrolled: EnrolledDevice, further: CountingAuthenticator, rpc: Rpc
) -> None:
    def drop(response: AnyMessage) -> None:
        response.ClearField("receipt")

    operation = {Rpc.ADD_CREDENTIAL: add, Rpc.SET_RECOVERY: set_recovery, Rpc.SET_POLICY: set_policy}[rpc]
    enrolled.front.spoil_responses[rpc] = drop
    known = enrolled.memory.kept.credentials
    with pytest.raises(ReceiptInvalid):
        operation(enrolled, further)
    assert enrolled.memory.kept.credentials == known


def test_receipt_of_another_reset_is_refused(enrolled: EnrolledDevice) -> None:
    other = enrolled.vault.call(Rpc.RESET_VAULT, vault_service_pb2.ResetVaultRequest(nonce=b"o" * 32))
    enrolled.front.spoil_requests[Rpc.RESET_VAULT] = lambda _: vault_service_pb2.ResetVaultRequest(nonce=b"o" * 32)
    enrolled.front.spoil_responses[Rpc.RESET_VAULT] = lambda _: other
    with pytest.raises(ReceiptInvalid):
        enrolled.client().reset()
    assert enrolled.memory.kept.archive_recipient is not None


def test_reset_that_made_no_version_is_refused(enrolled: EnrolledDevice) -> None:
    def old(_: AnyMessage) -> AnyMessage:
        sent = enrolled.front.seen[-1][1]
        assert isinstance(sent, vault_service_pb2.ResetVaultRequest)
        known = enrolled.memory.kept.position
        reply = vault_service_pb2.ResetVaultReply().SerializeToString()
        receipt = enrolled.vault.keys.receipt(
            "reset", challenge=sent.nonce, reply=reply, version=known.version, head=known.chain_head
        )
        return vault_service_pb2.ResetVaultResponse(reply=reply, receipt=receipt)

    enrolled.front.spoil_responses[Rpc.RESET_VAULT] = old
    with pytest.raises(ReceiptInvalid, match="could have made"):
        enrolled.client().reset()


def test_swapped_envelope_of_a_change_is_noticed_although_the_vault_signed_it(enrolled: EnrolledDevice) -> None:
    def other(response: AnyMessage) -> AnyMessage:
        reply = vault_service_pb2.SetRecoveryReply.FromString(response.reply)
        reply.envelope_sha256 = b"e" * 32
        serialized = reply.SerializeToString()
        sent: AnyMessage = enrolled.front.seen[-1][1]
        receipt = enrolled.vault.receipt("set-recovery", challenge=challenge_of(sent.ceremony), reply=serialized)
        return vault_service_pb2.SetRecoveryResponse(reply=serialized, receipt=receipt)

    enrolled.front.spoil_responses[Rpc.SET_RECOVERY] = other
    with pytest.raises(ReplyMismatch, match="another envelope"):
        enrolled.client().set_recovery(enrolled.authenticator)


def test_lie_that_there_is_no_vault_is_checked_with_what_the_vault_signs(enrolled: EnrolledDevice) -> None:
    """A front may refuse. It cannot make the refusal look like a vault that went back, nor hide that one did."""

    def refuse(_: AnyMessage) -> None:
        raise NoVault("NO_VAULT")

    enrolled.front.spoil_requests[Rpc.BEGIN_CEREMONY] = refuse
    client = enrolled.client()
    with pytest.raises(NoVault):
        client.release(enrolled.authenticator)
    assert client.notices == ()
    enrolled.vault.record = type(enrolled.vault.record)()
    with pytest.raises(VaultWentBack):
        enrolled.client().release(enrolled.authenticator)
