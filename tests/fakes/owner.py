"""A person with all that the protocol offers: several passkeys, another recovery credential, resets."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.message import Message

from strongroom.keeper.v1 import frames_pb2
from strongroom.v1 import ceremony_pb2, resources_pb2, vault_service_pb2
from tests.fakes.desk import Desk, refused_for
from tests.fakes.passkey import HONEST, Forgery, SoftwarePasskey
from tests.fakes.person import Ceremony, Person, attestation_message
from tests.fakes.tenant import ORIGIN, RP_ID

SET_ASIDE = ceremony_pb2.REOPEN_TARGET_SET_ASIDE
CLOSED = ceremony_pb2.REOPEN_TARGET_CLOSED
RESET_SCOPE = "vault reset"
NOTHING: Mapping[str, bytes] = {}


def make_passkey() -> SoftwarePasskey:
    return SoftwarePasskey(rp_id=RP_ID, origin=ORIGIN)


@dataclass
class Addition:
    """The two ceremonies of an addition, and the passkey that is to come in."""

    attest: Ceremony
    add: Ceremony
    passkey: SoftwarePasskey
    envelope: bytes


class Owner(Person):
    """`passkey` signs; tests change it to let another of the account's passkeys sign."""

    def begin_operation(self, operation: int, *, opened: int = 0, **parameters: Message) -> Ceremony:
        """A ceremony for the one operation that is given by its name in the proto."""
        ((name, message),) = parameters.items()
        request = ceremony_pb2.CeremonyRequest(client_random=os.urandom(32), opened_archive_version=opened)
        getattr(request, name).CopyFrom(message)
        # An empty message would else not count as chosen.
        getattr(request, name).SetInParent()
        return Ceremony(self.begin(request), operation)

    def begin_attest(self, passkey: SoftwarePasskey) -> Ceremony:
        operation = ceremony_pb2.AttestOperation(user_handle=passkey.user_handle)
        # An attest ceremony is completed inside the addition: it has no RPC, and no operation of its own.
        return self.begin_operation(frames_pb2.OPERATION_UNSPECIFIED, attest=operation)

    def begin_addition(
        self,
        *,
        passkey: SoftwarePasskey | None = None,
        envelope: bytes = b"for both",
        named: Mapping[str, bytes] = NOTHING,
    ) -> Addition:
        """Both ceremonies at one version; `named` is what the request names in place of the truth."""
        made = passkey or make_passkey()
        attest = self.begin_attest(made)
        all_named: Mapping[str, bytes] = {
            "credential_id": made.credential_id,
            "cose_key_sha256": hashlib.sha256(made.cose_key).digest(),
            "envelope_sha256": hashlib.sha256(envelope).digest(),
            **named,
        }
        operation = ceremony_pb2.AddCredentialOperation(**all_named)
        add = self.begin_operation(frames_pb2.OPERATION_ADD_CREDENTIAL, add_credential=operation)
        return Addition(attest, add, made, envelope)

    def addition_call(self, addition: Addition, *, forgery: Forgery = HONEST) -> frames_pb2.JudgeCall:
        call = self.judge_call(addition.add, forgery=forgery, envelope=addition.envelope)
        return self.with_attestation(addition, call)

    def with_attestation(self, addition: Addition, call: frames_pb2.JudgeCall) -> frames_pb2.JudgeCall:
        call.attestation.CopyFrom(attestation_message(addition.passkey, addition.attest.challenge))
        call.attest_ceremony = addition.attest.ceremony
        return call

    def add(self, *, envelope: bytes = b"for both") -> SoftwarePasskey:
        """Let in a further passkey, and return it."""
        addition = self.begin_addition(envelope=envelope)
        self.complete_call(addition.add, self.addition_call(addition))
        return addition.passkey

    def begin_removal(self, passkey: SoftwarePasskey, *, envelope: bytes = b"without") -> Ceremony:
        operation = ceremony_pb2.RemoveCredentialOperation(
            credential_id=passkey.credential_id, envelope_sha256=hashlib.sha256(envelope).digest()
        )
        return self.begin_operation(frames_pb2.OPERATION_REMOVE_CREDENTIAL, remove_credential=operation)

    def begin_recovery(self, public_key: bytes, *, envelope: bytes = b"recoverable") -> Ceremony:
        operation = ceremony_pb2.SetRecoveryOperation(
            recovery_public_key=public_key, envelope_sha256=hashlib.sha256(envelope).digest()
        )
        return self.begin_operation(frames_pb2.OPERATION_SET_RECOVERY, set_recovery=operation)

    def begin_reopening(self, target: ceremony_pb2.ReopenTarget.ValueType) -> Ceremony:
        return self.begin_operation(frames_pb2.OPERATION_REOPEN, reopen=ceremony_pb2.ReopenOperation(target=target))

    def begin_lift(self, passkey: SoftwarePasskey) -> Ceremony:
        operation = ceremony_pb2.LiftQuarantineOperation(credential_id=passkey.credential_id)
        return self.begin_operation(frames_pb2.OPERATION_LIFT_QUARANTINE, lift_quarantine=operation)

    def begin_policy(self, policy: resources_pb2.Policy) -> Ceremony:
        operation = ceremony_pb2.SetPolicyOperation(policy=policy)
        return self.begin_operation(frames_pb2.OPERATION_SET_POLICY, set_policy=operation)

    def account_token(self, scope: str) -> str:
        tenant, now = self.desk.tenant, self.desk.clock.now()
        claims = {**tenant.claims(now=now, account=self.account), "scope": scope}
        return tenant.sign({"alg": "ES256", "kid": "ec", "typ": "JWT"}, claims)

    def reset_call(self, nonce: bytes, *, scope: str = RESET_SCOPE) -> frames_pb2.JudgeCall:
        return frames_pb2.JudgeCall(
            account_token=self.account_token(scope),
            row=self.desk.row(self.account),
            operation=frames_pb2.OPERATION_RESET,
            nonce=nonce,
        )

    def reset(self, nonce: bytes | None = None, *, scope: str = RESET_SCOPE) -> frames_pb2.SignedReply:
        """Reset, as an honest front does it."""
        drawn = os.urandom(32) if nonce is None else nonce
        call = self.reset_call(drawn, scope=scope)
        verdict = self.judge(call)
        if verdict.HasField("commit"):
            self.desk.store.commit(verdict.commit)
        fulfil = frames_pb2.FulfilCall(
            account_token=call.account_token,
            row=self.desk.row(self.account),
            operation=call.operation,
            nonce=drawn,
        )
        return self.desk.call(frames_pb2.KeeperCall(fulfil=fulfil)).signed

    def sweep(self) -> bool:
        """Sweep the account's row, and commit; whether anything was due."""
        change = self.desk.handler.sweep(self.row())
        if change is None:
            return False
        self.desk.store.commit(change)
        return True

    def fails(self, times: int) -> None:
        """Spend attempts on releases, waiting for each cool-down to end."""
        wrong = Forgery(unsigned=True)
        for _ in range(times):
            self.wait_for_cool_down()
            with refused_for("NOT_VERIFIED"):
                self.release(forgery=wrong)

    def wait_for_cool_down(self) -> None:
        shown = self.shown()
        if shown.HasField("cool_down_end_time"):
            until, now = shown.cool_down_end_time.ToMilliseconds(), self.desk.clock.now()
            self.desk.clock.advance(seconds=max(0, (until - now) // 1_000))

    def shown(self) -> vault_service_pb2.VaultReply:
        return self.desk.describe(self.account)


def enrolled(desk: Desk, account: str = "alice", *, envelope: bytes = b"first") -> Owner:
    owner = Owner(desk, account)
    owner.enroll(envelope)
    return owner
