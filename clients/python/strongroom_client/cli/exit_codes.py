"""What the exit codes of `strongroom` say. Scripts go by them: a code never changes its meaning.

docs/command-line.md has the same table, for people.
"""

from __future__ import annotations

from enum import IntEnum, unique
from typing import Final

from strongroom_client.archive.errors import ArchiveDamaged, ArchiveLocked, RefusedEntry
from strongroom_client.authenticators.port import AuthenticatorError
from strongroom_client.cli.schedule import BackupUnderWay
from strongroom_client.envelope import WrongPrf
from strongroom_client.errors import (
    AccountTokenMissing,
    AccountTokenRejected,
    BeginAgain,
    MemoryBusy,
    MustWait,
    NotProven,
    OutcomeUnknown,
    PrfUnavailable,
    PrfUnstable,
    Unavailable,
    UnpinnedVault,
    VaultFault,
)


@unique
class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    FAILED = 1
    USAGE = 2
    TRY_AGAIN = 3
    OUTCOME_UNKNOWN = 4
    NOT_PROVEN = 5
    SIGN_IN = 6
    NO_PASSKEY = 7
    BAD_ARCHIVE = 8
    FOUND_WRONG = 9
    BUSY = 10
    INCOMPLETE = 11


MEANINGS: Final = {
    ExitCode.OK: "done",
    ExitCode.FAILED: "refused or failed, for a reason that no other code names",
    ExitCode.USAGE: "wrong usage: nothing was done",
    ExitCode.TRY_AGAIN: "not now: the same command may succeed later",
    ExitCode.OUTCOME_UNKNOWN: "no answer to a change: look at `strongroom status` before you do it again",
    ExitCode.NOT_PROVEN: "an answer that no honest vault gives, or a vault that went back: nothing of it was used",
    ExitCode.SIGN_IN: "no account token, or one that is not good any more: sign in to the product again",
    ExitCode.NO_PASSKEY: "the authenticator or its user did not do it, or it gave another secret than at enrollment",
    ExitCode.BAD_ARCHIVE: "the archive is damaged, refused, or made for other keys",
    ExitCode.FOUND_WRONG: "what was examined is not as it should be: receipts, history, doctor",
    ExitCode.BUSY: "another backup to the same place is under way on this device",
    ExitCode.INCOMPLETE: "done, but for what changed while it was read, or could not be read (`--keep-going`)",
}

_CODES: Final[tuple[tuple[tuple[type[Exception], ...], ExitCode], ...]] = (
    ((UnpinnedVault,), ExitCode.FAILED),  # nobody cheated: this device is not set up
    ((AccountTokenMissing, AccountTokenRejected), ExitCode.SIGN_IN),
    ((MustWait, BeginAgain, Unavailable, VaultFault, MemoryBusy), ExitCode.TRY_AGAIN),
    ((BackupUnderWay,), ExitCode.BUSY),
    ((OutcomeUnknown,), ExitCode.OUTCOME_UNKNOWN),
    ((NotProven,), ExitCode.NOT_PROVEN),
    ((AuthenticatorError, PrfUnavailable, PrfUnstable, WrongPrf), ExitCode.NO_PASSKEY),
    ((ArchiveDamaged, ArchiveLocked, RefusedEntry), ExitCode.BAD_ARCHIVE),
)


def exit_code_of(error: Exception) -> ExitCode:
    """Return the code that a command ends with for `error`."""
    return next((code for kinds, code in _CODES if isinstance(error, kinds)), ExitCode.FAILED)
