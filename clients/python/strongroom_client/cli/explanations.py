"""What a user can do about an error, one text per kind; the first that fits, so that narrow kinds stand first."""

from __future__ import annotations

from typing import Final

from strongroom_client.archive.errors import ArchiveError, ArchiveLocked, SourceChanged
from strongroom_client.authenticators.port import AuthenticatorError, CredentialExcluded, NoMatchingCredential
from strongroom_client.envelope import WrongEnvelopeMode, WrongPrf
from strongroom_client.envelope_content import EnvelopeError
from strongroom_client.errors import (
    AccountTokenMissing,
    AccountTokenRejected,
    BeginAgain,
    BundleInvalid,
    CoolingDown,
    Exhausted,
    InvalidRequest,
    MustWait,
    NotProven,
    NotVerified,
    NoVault,
    OutcomeUnknown,
    PrfUnavailable,
    RateLimited,
    ReleaseQuotaUsed,
    ResetPending,
    ScopeMissing,
    StrongroomError,
    Unavailable,
    UnpinnedVault,
    VaultClosed,
    VaultExists,
    VaultWentBack,
)
from strongroom_client.recovery_key import RecoveryKeyTypo

EXPLAINED: Final = (StrongroomError, AuthenticatorError, EnvelopeError, ArchiveError, RecoveryKeyTypo)
"""Roots of all errors that are told to the user; any other is a defect."""

_ADVICE: Final[tuple[tuple[type[Exception], str], ...]] = (
    (AccountTokenMissing, "Sign in to the product again, so that it writes a fresh account token."),
    (AccountTokenRejected, "The account token is not good any more. Sign in to the product again."),
    (VaultClosed, "Too many failed attempts: wait, or run `strongroom reopen closed --recovery-key-prompt` now."),
    (CoolingDown, "The vault waits after failed attempts. Nothing is lost; try again when the time is over."),
    (ReleaseQuotaUsed, "Today's releases are used up. Try again tomorrow (UTC)."),
    (RateLimited, "Too many requests in a short time. Nothing is lost; try again when the time is over."),
    (MustWait, "Try again later."),
    (Exhausted, "Too many failed attempts: the vault has erased its keys. Restore with --recovery-key-prompt."),
    (ScopeMissing, "The token does not allow this. Ask the product for one that does."),
    (
        ResetPending,
        "The earlier reset's vault can be taken back with `strongroom reopen set-aside` until it is erased.",
    ),
    (NoVault, "Nothing is enrolled for this account. Begin with `strongroom enroll`."),
    (VaultExists, "A vault is enrolled already. Restore from it, or delete it first."),
    (NotVerified, "The vault did not accept the passkey. `strongroom status` says how many attempts are left."),
    (BeginAgain, "Something else changed the vault meanwhile. Run the command again."),
    (InvalidRequest, "This client and the vault do not fit together; one of them may be too old."),
    (OutcomeUnknown, "Look at `strongroom status` before you do it again."),
    (Unavailable, "Is the vault's address right, and the network there? Try again later."),
    (
        VaultWentBack,
        "Ask the vault's operator. If a backup was restored there, go on with `strongroom accept-older-vault`.",
    ),
    (UnpinnedVault, "Ask the vault's operator for the fingerprint of its identity key, and put it under `pins`."),
    (
        BundleInvalid,
        "The vault's keys cannot be believed. If a backup was restored there, `strongroom accept-older-vault` helps.",
    ),
    (NotProven, "Somebody between you and the vault may be cheating, or the vault is. Nothing was given away."),
    (PrfUnavailable, "Use another passkey."),
    (WrongPrf, "The passkey answered, but with another secret than at enrollment. No attempt was lost."),
    (WrongEnvelopeMode, "The vault holds an envelope of another mode; see --mode."),
    (CredentialExcluded, "Use another authenticator."),
    (NoMatchingCredential, "Use the authenticator that you enrolled with, or restore with --recovery-key-prompt."),
    (ArchiveLocked, "The archive was made with other keys: an older vault's, or another recovery key."),
    (SourceChanged, "Stop what writes to the folder while it is backed up."),
)


def explain(error: Exception) -> str:
    """Return what happened, and what can be done about it."""
    advice = next((text for kind, text in _ADVICE if isinstance(error, kind)), "")
    said = str(error)
    first = said[:1].upper() + said[1:]
    return f"{first}.\n{advice}" if advice else f"{first}."
