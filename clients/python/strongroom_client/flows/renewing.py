"""Renewing what the envelope holds: a fresh archive key, a passkey's name, or another mode; no passkey comes or goes.

The order is what keeps archives open: the vault signs that it has stored the new envelope before this device remembers
the new key, so that nothing is ever encrypted to a key that only this device had. Until then the old key counts, and
the envelope of an older confirmed version stays beside the new one until a client has opened that. Older identities
stay in the envelope, and so do older archives open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from strongroom_client.age_keys import KEY_BYTES, ArchiveIdentity, recipient_of
from strongroom_client.authenticators.port import NoMatchingCredential
from strongroom_client.envelope_content import EnvelopeContent, PasskeyRecipient
from strongroom_client.errors import ModeAlready, NoSuchPasskey, PrfUnavailable
from strongroom_client.flows.answers import current_service, require_uncontested
from strongroom_client.flows.ceremonies import expected_mode
from strongroom_client.flows.evaluating import evaluate
from strongroom_client.flows.locking import prf_identity
from strongroom_client.flows.releasing import OpenedEnvelope, remember_opened
from strongroom_client.flows.rewrapping import Current, open_current
from strongroom_client.flows.storing import Stored, store_once
from strongroom_client.memory import Mode
from strongroom_client.notices import passkey_wanted
from strongroom_client.passkey_names import called, check_name_if_any
from strongroom_client.session import Session
from strongroom_client.steps import Flow, Tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """A fresh archive key: the archive version of its envelope, and the `age1...` that archives go to from now on."""

    archive_version: int
    archive_recipient: str


def renew(session: Session, *, mode: Mode | None = None) -> Flow[Renewal]:
    """Take a fresh archive key for what is backed up from now on. Two prompts, both by the same passkey.

    Raises:
        BeginAgain: another change came between; never repeated by itself.
    """
    require_uncontested(session)
    current = yield from open_current(session, mode=expected_mode(session, mode))
    content = _with_fresh_identity(session, current.content)
    stored = yield from _store(session, current, content)
    recipient = recipient_of(content.archive_identities[0])
    return Renewal(archive_version=stored.archive_version, archive_recipient=recipient)


def rename_passkey(session: Session, credential_id: bytes, name: str, *, mode: Mode | None = None) -> Flow[Stored]:
    """Give a passkey a name, or with an empty one take it away. Two prompts, both by the same passkey.

    Raises:
        BadPasskeyName: `name` breaks a rule.
        NoSuchPasskey: the vault has no such passkey.
        BeginAgain: another change came between; never repeated by itself.
    """
    check_name_if_any(name)
    require_uncontested(session)
    current = yield from open_current(session, mode=expected_mode(session, mode))
    if credential_id not in current.passkeys:
        raise NoSuchPasskey("the vault has no such passkey (any more)")
    return (yield from _store(session, current, current.content.naming(credential_id, name)))


def change_mode(session: Session, to: Mode, *, mode: Mode | None = None) -> Flow[Stored]:
    """Lock the envelope in another mode; archives stay as they are. The vault drops every envelope of the mode before.

    To PRF: every passkey must be there, one prompt each to evaluate its PRF beside the two of every change, since what
    the vault alone held may name other recipients than its owner's; and a fresh archive key comes first.

    Raises:
        UnpinnedVault: to vault_held without a pinned identity key.
        ModeAlready: it is locked so already.
        NoMatchingCredential: to PRF, and a passkey is not there: bring it, or remove it first.
        PrfUnavailable: to PRF, and a passkey gives no PRF output: remove it first.
        BeginAgain: another change came between; never repeated by itself.
    """
    require_uncontested(session)
    expected_mode(session, to)
    current = yield from open_current(session, mode=expected_mode(session, mode))
    if current.mode is to:
        raise ModeAlready(f"the envelope is locked in mode {to.value} already")
    if to is Mode.VAULT_HELD:
        content = replace(current.content, passkey_recipients=())
    else:
        content = yield from _with_every_passkey(session, current)
        content = _with_fresh_identity(session, content)
    return (yield from _store(session, current, content, to=to))


def _store(session: Session, current: Current, content: EnvelopeContent, *, to: Mode | None = None) -> Flow[Stored]:
    """Store `content` in place of what was opened, and only then remember what it holds."""
    locked, stored = yield from store_once(
        session, lambda _begun, _made: content, mode=current.mode, to=to, allow=current.by.allow
    )
    opened = OpenedEnvelope(archive_version=stored.archive_version, confirmed=False, content=locked.content)
    yield from remember_opened(session, opened, mode=locked.mode)
    return stored


def _with_fresh_identity(session: Session, content: EnvelopeContent) -> EnvelopeContent:
    fresh = ArchiveIdentity(session.random(KEY_BYTES))
    return replace(content, archive_identities=(fresh, *content.archive_identities))


def _with_every_passkey(session: Session, current: Current) -> Flow[EnvelopeContent]:
    """Return the content with a recipient for each passkey: who has just opened, and the others, asked one by one."""
    service = yield from current_service(session)
    recipients = []
    for credential_id in current.passkeys:
        identity = current.opener.identity if credential_id == current.opener.credential_id else None
        if identity is None:
            yield Tell(passkey_wanted(credential_id))
            try:
                assertion = yield from evaluate(session, service, credential_id, further=False)
                identity = prf_identity(assertion)
            except (NoMatchingCredential, PrfUnavailable) as error:
                which = called(credential_id, current.content.names())
                raise type(error)(f"passkey {which}: {error}; bring it, or remove it first") from error
        recipients.append(PasskeyRecipient(credential_id=credential_id, recipient=recipient_of(identity)))
    return replace(current.content, passkey_recipients=tuple(recipients))
