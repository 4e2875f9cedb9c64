"""Enrollment: a passkey, a first envelope, and a trial release that proves that the envelope opens.

Two PRF evaluations must agree, which some platforms get wrong; the trial finds that out while nothing is lost yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from strongroom.v1 import ceremony_pb2, vault_service_pb2
from strongroom_client.age_keys import ArchiveIdentity, recipient_of
from strongroom_client.authenticators.port import Assertion, Attestation, AuthenticatorError
from strongroom_client.envelope import PRF_INPUT, WrongPrf
from strongroom_client.envelope_content import EnvelopeContent, PasskeyRecipient
from strongroom_client.errors import PrfUnavailable, PrfUnstable, ReplyMismatch, StatementMismatch
from strongroom_client.flows.answers import learn, parse, require_uncontested
from strongroom_client.flows.ceremonies import CLIENT_RANDOM_BYTES, Begun, begin, complete, expected_mode
from strongroom_client.flows.locking import prf_identity
from strongroom_client.flows.messages import attestation_message
from strongroom_client.flows.releasing import release_once
from strongroom_client.flows.storing import store_once
from strongroom_client.memory import Mode
from strongroom_client.passkey_names import check_name_if_any
from strongroom_client.recovery_key import RecoveryKey
from strongroom_client.session import Session
from strongroom_client.steps import CreatePasskey, Flow, Rpc, create_passkey
from strongroom_client.verification.credential_sets import CredentialSet, PublicCredential
from strongroom_client.verification.receipts import ReceiptFor
from strongroom_client.verification.webauthn import NotSigned, attested_credential

USER_HANDLE_BYTES = 32
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrollment:
    """A vault that holds a first envelope, which has been opened once.

    Attributes:
        recovery_key: to be shown to the user once, and then forgotten.
        credential_id: the passkey.
        archive_version: of the first envelope.
        archive_recipient: `age1...` that archives are encrypted to from now on.
        recovery_recipient: `age1...` of the recovery key, which they are encrypted to as well.
        backup_identity: the archive identity, for a caller that wants to open an archive right away.
    """

    recovery_key: RecoveryKey = field(repr=False)
    credential_id: bytes
    archive_version: int
    archive_recipient: str
    recovery_recipient: str
    backup_identity: ArchiveIdentity = field(repr=False)


def enroll(
    session: Session, *, user_name: str, mode: Mode, recovery_key: RecoveryKey | None, name: str = ""
) -> Flow[Enrollment]:
    """Enroll the account: three prompts (create, store, trial release). `name` is the passkey's; it may have none.

    Raises:
        PrfUnavailable: mode PRF, and the passkey gives no PRF output; nothing was stored, enrolling again is free.
        PrfUnstable: its PRF gave two different outputs.
        UnpinnedVault: mode vault_held without a pinned identity key.
        BadPasskeyName: `name` breaks a rule.
    """
    check_name_if_any(name)
    require_uncontested(session)
    expected_mode(session, mode)
    recovery = RecoveryKey(session.random(_SECRET_BYTES)) if recovery_key is None else recovery_key
    attestation, own = yield from _register(session, user_name=user_name, mode=mode, recovery=recovery)
    identity = ArchiveIdentity(session.random(_SECRET_BYTES))
    recovery_recipient = recipient_of(recovery.age_identity())

    def first_content(begun: Begun, assertion: Assertion) -> EnvelopeContent:
        if begun.credentials != CredentialSet((own,)):
            raise StatementMismatch("the vault lists other credentials than the one just registered")
        check_prf(attestation, assertion, mode=mode)
        passkeys = () if mode is Mode.VAULT_HELD else (_passkey_recipient(assertion),)
        content = EnvelopeContent(
            archive_identities=(identity,), passkey_recipients=passkeys, recovery_recipient=recovery_recipient
        )
        return content.naming(own.credential_id, name)

    effective = CredentialSet((own,), recovery_public_key=recovery.credential().public_key)
    _, stored = yield from store_once(session, first_content, mode=mode, effective=effective)
    try:
        trial = yield from release_once(session, mode=mode)
    except WrongPrf as error:
        raise PrfUnstable(
            "the envelope does not open with the passkey that locked it: delete this vault, and enroll another passkey"
        ) from error
    newest = trial.released.opened[0]
    if newest.archive_version != stored.archive_version or newest.content.archive_identities != (identity,):
        raise ReplyMismatch("the vault released another envelope than the one just stored")
    return Enrollment(
        recovery_key=recovery,
        credential_id=own.credential_id,
        archive_version=stored.archive_version,
        archive_recipient=recipient_of(identity),
        recovery_recipient=recovery_recipient,
        backup_identity=identity,
    )


def _register(
    session: Session, *, user_name: str, mode: Mode, recovery: RecoveryKey
) -> Flow[tuple[Attestation, PublicCredential]]:
    user_handle = session.random(USER_HANDLE_BYTES)
    request = ceremony_pb2.CeremonyRequest(
        client_random=session.random(CLIENT_RANDOM_BYTES),
        register=ceremony_pb2.RegisterOperation(
            user_handle=user_handle, mode=mode.wire, recovery_public_key=recovery.credential().public_key
        ),
    )
    begun = yield from begin(session, request, mode=mode)
    attestation = yield from create_passkey(
        CreatePasskey(
            rp_id=begun.service.rp_id,
            origin=begun.service.origin,
            challenge=begun.checked.challenge,
            user_handle=user_handle,
            user_name=user_name,
            algorithms=begun.service.algorithms,
            exclude=(),
            prf_input=PRF_INPUT,
        )
    )
    own = public_credential(attestation)
    verified = yield from complete(
        session,
        begun,
        Rpc.COMPLETE_REGISTRATION,
        vault_service_pb2.CompleteRegistrationRequest(
            ceremony=begun.checked.ceremony, attestation=attestation_message(attestation)
        ),
        vault_service_pb2.CompleteRegistrationResponse,
        receipt_for=ReceiptFor.REGISTER,
    )
    life = session.memory.life
    memory = replace(session.memory, mode=mode, life=None if life is None else life + 1)
    yield from learn(session, verified, memory=memory, credentials=CredentialSet((own,)))
    if parse(vault_service_pb2.RegistrationReply, verified.reply).credential_id != own.credential_id:
        raise ReplyMismatch("the vault signed that it registered another passkey")
    return attestation, own


def public_credential(attestation: Attestation) -> PublicCredential:
    """Return the new passkey's public part as the vault will list it."""
    try:
        return attested_credential(attestation_message(attestation))
    except NotSigned as error:
        raise AuthenticatorError(f"the authenticator's answer cannot be used: {error}") from error


def check_prf(attestation: Attestation, assertion: Assertion, *, mode: Mode) -> None:
    """Find out before anything is stored that this passkey's PRF will not do."""
    if mode is Mode.VAULT_HELD:
        return
    if assertion.prf_output is None:
        raise PrfUnavailable("this passkey gives no PRF output: use another one, or choose the mode vault-held")
    if attestation.prf_output not in {None, assertion.prf_output}:
        raise PrfUnstable("the passkey's PRF gave another output than at its creation: use another passkey")


def _passkey_recipient(assertion: Assertion) -> PasskeyRecipient:
    return PasskeyRecipient(credential_id=assertion.credential_id, recipient=recipient_of(prf_identity(assertion)))
