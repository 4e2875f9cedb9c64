"""What a user can do about an error, one text per kind; the first that fits, so that narrow kinds stand first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from strongroom_client.archive.errors import ArchiveError, ArchiveLocked, SourceChanged
from strongroom_client.authenticators.port import AuthenticatorError, CredentialExcluded, NoMatchingCredential
from strongroom_client.cli.exit_codes import ExitCode, exit_code_of
from strongroom_client.cli.reasons import REASONS
from strongroom_client.envelope import WrongEnvelopeMode, WrongPrf
from strongroom_client.envelope_content import EnvelopeError
from strongroom_client.errors import (
    AccountTokenMissing,
    AccountTokenRejected,
    BundleInvalid,
    InvalidRequest,
    ModeNotExpected,
    MustWait,
    NewestUnopened,
    NotProven,
    OutcomeUnknown,
    OwnerBundleInvalid,
    PrfUnavailable,
    StrongroomError,
    Unavailable,
    UnpinnedVault,
    VaultFault,
    VaultRefused,
    VaultWentBack,
)
from strongroom_client.passkey_names import BadPasskeyName
from strongroom_client.recovery_key import RecoveryKeyTypo

EXPLAINED: Final = (
    StrongroomError,
    AuthenticatorError,
    EnvelopeError,
    ArchiveError,
    RecoveryKeyTypo,
    BadPasskeyName,
)
"""Roots of all errors that are told to the user; any other is a defect."""

_ADVICE: Final[tuple[tuple[type[Exception], str], ...]] = (
    (
        AccountTokenMissing,
        "Sign in to the product again, so that it writes a fresh account token.",
    ),
    (AccountTokenRejected, "Sign in to the product again, so that it writes a fresh account token."),
    (MustWait, "Try again later."),
    (OutcomeUnknown, "Look at `strongroom status` before you do it again."),
    (Unavailable, "Is the vault's address right, and the network there? Try again later."),
    (
        VaultWentBack,
        "Ask the vault's operator. If a backup was restored there, go on with `strongroom accept-older-vault`.",
    ),
    (
        UnpinnedVault,
        "Ask the vault's operator for its owners' keys (`owner_key_files`) or its identity key's fingerprint (`pins`).",
    ),
    (
        OwnerBundleInvalid,
        "Ask the vault's operator. If the owners began a new chain there, `strongroom accept-older-vault` helps.",
    ),
    (
        BundleInvalid,
        "The vault's keys cannot be believed. If a backup was restored there, `strongroom accept-older-vault` helps.",
    ),
    (
        ModeNotExpected,
        "If you moved it there on another device, say --mode vault-held. If not, do not: somebody may be cheating.",
    ),
    (NotProven, "Somebody between you and the vault may be cheating, or the vault is. Nothing was given away."),
    (PrfUnavailable, "Use another passkey."),
    (NewestUnopened, "Use the passkey or the device that stored it; it may hold what the older one lacks."),
    (WrongPrf, "The passkey answered, but with another secret than at enrollment. No attempt was lost."),
    (WrongEnvelopeMode, "The vault holds an envelope of another mode; see --mode."),
    (CredentialExcluded, "Use another authenticator."),
    (NoMatchingCredential, "Use the authenticator that you enrolled with, or restore with --recovery-key-prompt."),
    (ArchiveLocked, "The archive was made with other keys: an older vault's, or another recovery key."),
    (SourceChanged, "Stop what writes to the folder while it is backed up."),
)


_UNKNOWN_REASON: Final = "This client is too old to know that reason; bring it up to date."


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What is told about an error.

    Attributes:
        kind: the error's name for programs.
        reason: the vault's reason code; empty where the vault gave none.
        said: what happened; a sentence without its full stop.
        advice: what can be done; may be empty.
        retry_after_seconds: how long to wait, where waiting helps and the vault said it.
        exit_code: what the command ends with.
    """

    kind: str
    reason: str
    said: str
    advice: str
    retry_after_seconds: float | None
    exit_code: ExitCode

    @property
    def text(self) -> str:
        """The explanation for people."""
        return f"{self.said}.\n{self.advice}" if self.advice else f"{self.said}."


def explain(error: Exception) -> Explanation:
    """Return what happened, and what can be done about it."""
    reason = error.reason if isinstance(error, VaultRefused | VaultFault) else ""
    words = REASONS.get(reason)
    if words is None:
        said = str(error)
        advice = next((text for kind, text in _ADVICE if isinstance(error, kind)), _UNKNOWN_REASON if reason else "")
    else:
        said, advice = f"{words.said} ({reason})", words.advice
    retry = error.retry_after_seconds if isinstance(error, VaultRefused) else None
    if isinstance(error, InvalidRequest):
        said = f"{said}: " + "; ".join(f"{field} {rule}" for field, rule in error.violations)
    if words is not None and retry is not None:
        said = f"{said}; wait {retry:.0f} s"
    return Explanation(
        kind=type(error).__name__,
        reason=reason,
        said=said[:1].upper() + said[1:],
        advice=advice,
        retry_after_seconds=retry,
        exit_code=exit_code_of(error),
    )
