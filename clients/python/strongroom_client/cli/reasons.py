"""Each reason code of a refusal or fault (docs/protocol.md, section 10) in words: what happened, what can be done.

UNAVAILABLE and OUTCOME_UNKNOWN are errors of their own here, which explanations.py has advice for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Words:
    """What is told about a reason.

    Attributes:
        said: what happened; a sentence without its full stop.
        advice: what the user can do.
    """

    said: str
    advice: str


_SIGN_IN = "Sign in to the product again, so that it writes a fresh account token."
_OPERATOR = "Tell the vault's operator; nothing was released, and nothing is lost."

REASONS: Final[dict[str, Words]] = {
    "TOKEN_REJECTED": Words("the vault did not accept the account token", _SIGN_IN),
    "SCOPE_MISSING": Words(
        "the account token does not allow this", "Ask the product for one that does; a reset needs its own."
    ),
    "INVALID_FIELD": Words(
        "the vault found a mistake in the request",
        "This client and the vault do not fit together; one of them may be too old.",
    ),
    "DEADLINE_REQUIRED": Words(
        "the vault got a request without a deadline", "Something on the way takes it off: a proxy, perhaps."
    ),
    "UNSUPPORTED_OPERATION": Words("the vault is too old for this", "Its operator has to bring it up to date."),
    "BEGIN_AGAIN": Words("something else changed the vault meanwhile", "Run the command again."),
    "CEREMONY_REJECTED": Words(
        "the vault does not know the ceremony as its own",
        "Run the command again. If it stays so, something between you and the vault changes what is sent.",
    ),
    "CEREMONY_EXPIRED": Words("it took too long, so that the ceremony expired", "Run the command again."),
    "NOT_VERIFIED": Words(
        "the vault did not accept the passkey", "`strongroom status` says how many attempts are left."
    ),
    "NO_VAULT": Words("nothing is enrolled for this account", "Begin with `strongroom enroll`."),
    "VAULT_EXISTS": Words("a vault is enrolled already", "Restore from it, or delete it first."),
    "VAULT_EXHAUSTED": Words(
        "too many attempts failed, and the vault has erased its keys",
        "Restore with --recovery-key-prompt; then enroll again.",
    ),
    "VAULT_CLOSED": Words(
        "too many attempts failed, and the vault is closed",
        "Wait, or run `strongroom reopen closed --recovery-key-prompt` now.",
    ),
    "RESET_PENDING": Words(
        "an earlier reset still keeps a vault set aside",
        "It can be taken back with `strongroom reopen set-aside` until it is erased.",
    ),
    "ERASURE_PENDING": Words("the account's erasure was asked for already", "Only the product can take it back."),
    "NO_ERASURE_PENDING": Words("no erasure of the account is pending", "There is nothing to take back."),
    "COOLING_DOWN": Words("the vault waits after failed attempts", "Nothing is lost; try again when the time is over."),
    "RELEASE_QUOTA": Words("today's releases are used up", "Try again tomorrow (UTC)."),
    "RATE_LIMITED": Words(
        "too many requests came in a short time", "Nothing is lost; try again when the time is over."
    ),
    "BUSY": Words("the vault has too much to do", "Nothing is lost; try again in a while."),
    "RECORD_REJECTED": Words("the vault found its own record damaged, and has raised an alarm", _OPERATOR),
    "INTERNAL": Words("the vault met a defect of its own", _OPERATOR),
}
