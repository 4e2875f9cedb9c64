"""The lives of an account, as its history tells them: who could sign, from one event to the next."""

from __future__ import annotations

from dataclasses import dataclass, field

from strongroom.v1 import ceremony_pb2, event_pb2
from strongroom_client.verification.credential_sets import CredentialSet, PublicCredential
from strongroom_client.verification.webauthn import attested_credential

_QUARANTINES = "counter_regression"


@dataclass(slots=True)
class Life:
    """One life's credentials so far.

    Attributes:
        passkeys: COSE key by credential id.
        recovery: public key of the recovery credential, as it was last installed.
        is_live: something was stored, from when on the recovery credential counts.
        quarantined: passkeys whose counter went back.
    """

    passkeys: dict[bytes, bytes] = field(default_factory=dict)
    recovery: bytes = b""
    is_live: bool = False
    quarantined: set[bytes] = field(default_factory=set)

    @property
    def credentials(self) -> CredentialSet:
        """The credentials that may sign."""
        passkeys = tuple(sorted(PublicCredential(*pair) for pair in self.passkeys.items()))
        return CredentialSet(passkeys, self.recovery if self.is_live else b"")


@dataclass(slots=True)
class Account:
    """The life in use, the one that a reset has set aside, and the one that was used up where it may have closed only.

    An event of exhaustion does not say by which policy it was. What follows does: only a vault that closed has
    credentials that sign, and only it can be reset.
    """

    life: Life = field(default_factory=Life)
    aside: Life | None = None
    used_up: Life | None = None

    def subject(self, *, about_set_aside: bool) -> Life:
        """Return the life that a ceremony is about; one without credentials where there is none."""
        return (self.aside or Life()) if about_set_aside else self.life

    def settle(self, digest: bytes) -> None:
        """Find out by the digest in the next ceremony whether a vault that was used up had closed only."""
        if self.used_up is not None and digest == self.used_up.credentials.digest:
            self.life = self.used_up
        self.used_up = None

    def sweep(self, event: event_pb2.Event) -> None:
        """Drop what was due."""
        if event_pb2.SWEPT_ACCOUNT in event.swept:
            self.life, self.aside, self.used_up = Life(), None, None
        elif event_pb2.SWEPT_SET_ASIDE in event.swept:
            self.aside = None

    def follow_order(self, event: event_pb2.Event) -> None:
        """Follow a change that nobody signs for."""
        if event.kind == event_pb2.EVENT_KIND_RESET:
            self.aside, self.life, self.used_up = self.used_up or self.life, Life(), None

    def follow(self, request: ceremony_pb2.CeremonyRequest, event: event_pb2.Event) -> None:
        """Follow a judged attempt.

        Raises:
            NotSigned: an attestation in it does not parse.
        """
        if event.outcome == event_pb2.EVENT_OUTCOME_EXHAUSTED:
            self._exhaust(event)
        elif event.outcome == event_pb2.EVENT_OUTCOME_REFUSED and event.reason == _QUARANTINES:
            subject = self.subject(about_set_aside=event.about_set_aside)
            subject.quarantined.add(event.assertion.webauthn.credential_id)
        elif event.outcome == event_pb2.EVENT_OUTCOME_GRANTED:
            self._grant(request, event)

    def _exhaust(self, event: event_pb2.Event) -> None:
        if not event.about_set_aside:
            self.used_up, self.life = self.life, Life()
        elif not event.HasField("erase_time"):  # what has no end to wait for is gone
            self.aside = None

    def _grant(self, request: ceremony_pb2.CeremonyRequest, event: event_pb2.Event) -> None:
        life = self.life
        match event.kind:
            case event_pb2.EVENT_KIND_REGISTER:
                brought = attested_credential(event.attestation)
                recovery = request.register.recovery_public_key
                self.life = Life(passkeys={brought.credential_id: brought.cose_key}, recovery=recovery)
            case event_pb2.EVENT_KIND_STORE:
                life.is_live = True
            case event_pb2.EVENT_KIND_DELETE:
                self.life = Life()
            case event_pb2.EVENT_KIND_ADD_CREDENTIAL:
                brought = attested_credential(event.attestation)
                life.passkeys[brought.credential_id] = brought.cose_key
            case event_pb2.EVENT_KIND_REMOVE_CREDENTIAL:
                life.passkeys.pop(request.remove_credential.credential_id, None)
            case event_pb2.EVENT_KIND_SET_RECOVERY:
                life.recovery = request.set_recovery.recovery_public_key
            case event_pb2.EVENT_KIND_LIFT_QUARANTINE:
                life.quarantined.discard(request.lift_quarantine.credential_id)
            case event_pb2.EVENT_KIND_REOPEN if event.about_set_aside:
                self.life, self.aside = self.aside or Life(), None
