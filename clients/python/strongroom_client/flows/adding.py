"""Adding a passkey: it attests itself first, then a passkey of the vault, or the recovery key, lets it in.

The trial release at the end proves, as at enrollment, that the new passkey's PRF opens what it was added to.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from strongroom_client.age_keys import ArchiveIdentity, recipient_of
from strongroom_client.authenticators.port import Attestation
from strongroom_client.envelope import PRF_INPUT, WrongPrf
from strongroom_client.envelope_content import EnvelopeContent, PasskeyRecipient
from strongroom_client.errors import PrfUnstable
from strongroom_client.flows.answers import require_uncontested
from strongroom_client.flows.ceremonies import Begun, expected_mode
from strongroom_client.flows.enrolling import USER_HANDLE_BYTES, check_prf, public_credential
from strongroom_client.flows.evaluating import evaluate
from strongroom_client.flows.locking import lock, prf_identity
from strongroom_client.flows.messages import attestation_message
from strongroom_client.flows.releasing import release_once
from strongroom_client.flows.rewrapping import (
    ADD,
    Current,
    begin_change,
    complete_change,
    open_current,
    request_of,
)
from strongroom_client.flows.signing import ANY_PASSKEY, By, authorize
from strongroom_client.flows.storing import Stored
from strongroom_client.memory import Mode
from strongroom_client.passkey_names import check_name_if_any
from strongroom_client.recovery_key import RecoveryKey
from strongroom_client.session import Session
from strongroom_client.steps import CreatePasskey, Flow, create_passkey
from strongroom_client.verification.credential_sets import CredentialSet, PublicCredential


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """A passkey that was added, and the archive version of the envelope that it opens too."""

    credential_id: bytes
    archive_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A further passkey, the ceremony that it attested itself in, and what opens envelopes that are locked for it."""

    begun: Begun
    attestation: Attestation
    own: PublicCredential
    identity: ArchiveIdentity | None = field(repr=False)


def add_passkey(
    session: Session,
    *,
    user_name: str,
    name: str = "",
    recovery_key: RecoveryKey | None = None,
    mode: Mode | None = None,
) -> Flow[Addition]:
    """Add a passkey, on the further authenticator, by one of the vault's or by the recovery key.

    Prompts: to open the envelope and to let it in (none for the recovery key); on the further authenticator to create
    it, to evaluate its PRF, and for the trial. `name` is what its owner calls it; it may have none.

    Raises:
        BadPasskeyName: `name` breaks a rule.
        BeginAgain: another change came between; never repeated by itself.
        PrfUnstable: the new passkey's PRF gave two different outputs. If it was added already it should be removed.
    """
    check_name_if_any(name)
    require_uncontested(session)
    chosen = expected_mode(session, mode)
    by = ANY_PASSKEY if recovery_key is None else By(recovery_key=recovery_key)
    current = yield from open_current(session, mode=chosen, by=by)
    made = yield from _make(session, user_name=user_name, mode=current.mode)
    named = replace(current, content=current.content.naming(made.own.credential_id, name))
    stored = yield from _let_in(session, named, made)
    try:
        yield from release_once(session, mode=current.mode, by=By(allow=(made.own.credential_id,), further=True))
    except WrongPrf as error:
        raise PrfUnstable("the new passkey does not open the envelope that was locked for it: remove it") from error
    return Addition(credential_id=made.own.credential_id, archive_version=stored.archive_version)


def _make(session: Session, *, user_name: str, mode: Mode) -> Flow[_Made]:
    user_handle = session.random(USER_HANDLE_BYTES)
    request = request_of(session)
    request.attest.user_handle = user_handle
    begun = yield from begin_change(session, request, mode=mode)
    attestation = yield from create_passkey(
        CreatePasskey(
            rp_id=begun.service.rp_id,
            origin=begun.service.origin,
            challenge=begun.checked.challenge,
            user_handle=user_handle,
            user_name=user_name,
            algorithms=begun.service.algorithms,
            exclude=begun.credentials.ids,
            prf_input=PRF_INPUT,
            further=True,
        )
    )
    own = public_credential(attestation)
    identity = None
    if mode is Mode.PRF:
        assertion = yield from evaluate(session, begun.service, own.credential_id, further=True)
        check_prf(attestation, assertion, mode=mode)
        identity = prf_identity(assertion)
    return _Made(begun=begun, attestation=attestation, own=own, identity=identity)


def _let_in(session: Session, current: Current, made: _Made) -> Flow[Stored]:
    content = _with(current.content, made)
    passkeys, opens = (*current.passkeys, made.own.credential_id), (current.opener.identity, made.identity)
    locked = lock(content, mode=current.mode, passkeys=passkeys, opens=opens)
    request = request_of(session)
    request.add_credential.credential_id = made.own.credential_id
    request.add_credential.cose_key_sha256 = hashlib.sha256(made.own.cose_key).digest()
    request.add_credential.envelope_sha256 = locked.sha256
    begun = yield from begin_change(session, request, mode=current.mode)
    signed = yield from authorize(begun, current.by)
    before = begun.credentials
    after = CredentialSet(tuple(sorted((*before.passkeys, made.own))), before.recovery_public_key)
    more = {
        "attest_ceremony": made.begun.checked.ceremony,
        "attestation": attestation_message(made.attestation),
    }
    return (yield from complete_change(session, begun, ADD, signed, locked, credentials=after, more=more))


def _with(content: EnvelopeContent, made: _Made) -> EnvelopeContent:
    if made.identity is None:
        return content
    recipient = PasskeyRecipient(credential_id=made.own.credential_id, recipient=recipient_of(made.identity))
    return replace(content, passkey_recipients=(*content.passkey_recipients, recipient))
