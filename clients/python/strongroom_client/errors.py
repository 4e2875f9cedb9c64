"""What can go wrong between this client and a vault, in four families.

    StrongroomError
    ├── VaultRefused              the vault said no, with a reason code
    │   ├── AccountTokenRejected      the account token is not good (any more)
    │   ├── InvalidRequest            a field of the request broke a rule of the vault's
    │   ├── BeginAgain                the ceremony is over: another change came first, or it expired
    │   ├── NotVerified               what the authenticator made was not accepted; may have counted
    │   ├── NoVault                   nothing is enrolled, or nothing stored yet
    │   ├── VaultExists               a vault is enrolled already
    │   ├── ScopeMissing              the token does not allow this
    │   ├── ResetPending              an earlier reset still keeps a vault set aside
    │   ├── ErasurePending            the account's erasure was asked for already
    │   ├── NoErasurePending          there is no erasure to take back
    │   ├── Exhausted                 the attempts were used up; nothing is left to release
    │   └── MustWait                  not now; says for how long
    │       ├── CoolingDown               after failed attempts
    │       ├── VaultClosed               after too many of them; the recovery key reopens it at once
    │       ├── ReleaseQuotaUsed          the day's releases are used up
    │       ├── RateLimited               too many requests in a while
    │       └── Busy                      too many requests at once
    ├── VaultTrouble              machinery broke, the vault's or on the way to it
    │   ├── Unavailable               no answer, and nothing was changed by this call
    │   ├── OutcomeUnknown            no answer to a completion: it may stand, or not
    │   └── VaultFault                the vault says that it is broken inside
    ├── NotProven                 an answer is not what an honest vault would have given: nothing of it is used
    │   ├── StatementMismatch         a ceremony is not about what was asked; the authenticator was not asked
    │   │   └── ModeNotExpected           the vault alone holds the envelope, which this device was never told
    │   ├── ReceiptInvalid            an answer is not signed by an identity key that counts
    │   ├── BundleInvalid             a key bundle is not to be trusted
    │   │   └── OwnerBundleInvalid        what the pinned owners should have signed is not to be trusted
    │   ├── ReplyMismatch             a signed answer does not fit what was asked or is known
    │   ├── VaultWentBack             the vault is older than, or another than, what this device remembers
    │   └── UnpinnedVault             no identity key is pinned, and what was asked needs one
    └── DeviceError               this device: its memory, its authenticator's abilities, its settings
        ├── PrfUnavailable            the passkey gives no PRF output
        ├── PrfUnstable               the passkey's PRF gave two different outputs
        ├── NewestUnopened            what opened is not the newest envelope, which a change would go by
        ├── ModeAlready               the envelope is locked as asked already
        ├── NoSuchPasskey             the vault does not have the passkey that was named
        ├── MemoryFault               what the device remembers cannot be read or kept
        │   └── MemoryBusy                another client on this device has it open
        └── AccountTokenMissing       there is no account token to send

`WrongPrf` and its siblings (envelope.py), `AuthenticatorError` (authenticators/port.py) and `ArchiveError`
(archive/errors.py) are roots of their own. No text here holds a secret.
"""

from __future__ import annotations


class StrongroomError(Exception):
    """Root of the above."""


class VaultRefused(StrongroomError):
    """The vault said no.

    Attributes:
        reason: the vault's reason code, as in docs/protocol.md; upper case, or "" where it gave none.
        retry_after_seconds: how long to wait, where waiting helps; else None.
    """

    def __init__(self, reason: str, *, retry_after_seconds: float | None = None) -> None:
        waiting = "" if retry_after_seconds is None else f"; try again in {retry_after_seconds:.0f} s"
        super().__init__(f"the vault refused: {reason}{waiting}")
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


class AccountTokenRejected(VaultRefused):
    """The account token is not good, or not any more: get a fresh one from the product."""


class InvalidRequest(VaultRefused):
    """A field broke a rule. `violations` are pairs of proto path and rule."""

    def __init__(self, reason: str, *, violations: tuple[tuple[str, str], ...]) -> None:
        super().__init__(reason)
        self.violations = violations
        self.args = ("; ".join((str(self), *(f"{field} {rule}" for field, rule in violations))),)


class BeginAgain(VaultRefused):
    """The ceremony is over, because another change came first or its time ran out. A new one needs a new prompt.

    Also said by this client itself, before any prompt, where what it is about to store goes by an envelope that is not
    the newest any more: it would undo what another device did.
    """

    def __init__(self, reason: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason, retry_after_seconds=retry_after_seconds)
        said = f"another change of the vault came first, or the time ran out ({reason}); this one changed nothing"
        self.args = (said,)


class NotVerified(VaultRefused):
    """What the authenticator made was not accepted. A wrong signature counts against the budget."""


class NoVault(VaultRefused):
    """Nothing is enrolled for this account, or nothing was stored yet."""


class VaultExists(VaultRefused):
    """A vault is enrolled for this account already."""


class ScopeMissing(VaultRefused):
    """The token is good, but was not made for this."""


class ResetPending(VaultRefused):
    """An earlier reset still keeps a vault set aside; until that is reopened or erased there is no second."""


class ErasurePending(VaultRefused):
    """The account's erasure was asked for already."""


class NoErasurePending(VaultRefused):
    """No erasure of the account is pending: it was never asked for, taken back, or is done."""


class Exhausted(VaultRefused):
    """The attempts were used up: the vault has erased what it kept. The recovery key still opens archives."""


class MustWait(VaultRefused):
    """Not now."""


class CoolingDown(MustWait):
    """Requests are refused unjudged for a while, after failed attempts."""


class VaultClosed(MustWait):
    """All attempts are used up, and the vault keeps what it has: a passkey reopens it in time, the recovery key now."""


class ReleaseQuotaUsed(MustWait):
    """The releases of the current UTC day are used up."""


class RateLimited(MustWait):
    """Too many requests in a while, of this account, its product, or this network address. No attempt was lost."""


class Busy(MustWait):
    """The vault has too many requests at once, from whomever."""


class VaultTrouble(StrongroomError):
    """Machinery broke, the vault's or on the way to it."""


class Unavailable(VaultTrouble):
    """No answer in time; asking again later may help."""


class OutcomeUnknown(VaultTrouble):
    """A completion was sent, several times, and no answer came: it may stand or not. Look at the vault's status."""


class VaultFault(VaultTrouble):
    """The vault says that it is broken inside. Its operator has to look.

    Attributes:
        reason: the vault's reason code, or the status code's name where it gave none.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the vault is broken inside: {reason}")
        self.reason = reason


class NotProven(StrongroomError):
    """An answer is not what an honest vault would have given. Nothing of it is used or remembered."""


class StatementMismatch(NotProven):
    """A ceremony is not about what this client asked; found before the authenticator was asked for anything."""


class ModeNotExpected(StatementMismatch):
    """The envelope is said to be of mode vault_held, and this device takes that from nobody but its user."""


class ReceiptInvalid(NotProven):
    """An answer is not signed, as it is, for this question, by an identity key that counts."""


class BundleInvalid(NotProven):
    """A key bundle is not signed by an identity key that counts, not of this time, or older than one seen."""


class OwnerBundleInvalid(BundleInvalid):
    """Two pinned owners have not signed a key bundle, or not after the one that this device knows, or not for now."""


class ReplyMismatch(NotProven):
    """A signed answer does not fit what was asked, or what this device knows."""


class VaultWentBack(NotProven):
    """The vault shows a version older than this device remembers, or another history at the same version.

    A restored database looks like this, and so does a vault that hides events. Attributes are versions and chain heads
    (32 bytes).
    """

    def __init__(
        self, *, known_version: int, known_chain_head: bytes, shown_version: int, shown_chain_head: bytes
    ) -> None:
        super().__init__(
            f"the vault shows version {shown_version} with head {shown_chain_head.hex()[:16]}..., but this device"
            f" remembers version {known_version} with head {known_chain_head.hex()[:16]}..."
        )
        self.known_version = known_version
        self.known_chain_head = known_chain_head
        self.shown_version = shown_version
        self.shown_chain_head = shown_chain_head


class UnpinnedVault(NotProven):
    """No identity key is pinned: receipts would prove nothing."""


class DeviceError(StrongroomError):
    """Something on this device."""


class PrfUnavailable(DeviceError):
    """The passkey gives no PRF output, which the default mode needs."""


class PrfUnstable(DeviceError):
    """The passkey's PRF gave two different outputs for one input: an envelope locked with it might never open."""


class NewestUnopened(DeviceError):
    """An older envelope opened, the newest did not: a change that goes by the older one could lose what is new."""


class ModeAlready(DeviceError):
    """There is nothing to move: the envelope is locked in that mode already."""


class NoSuchPasskey(DeviceError):
    """The vault does not have the passkey that was named."""


class MemoryFault(DeviceError):
    """What this device remembers of a vault cannot be read, kept, or is in use by another process."""


class MemoryBusy(MemoryFault):
    """Another client on this device has the memory open."""


class AccountTokenMissing(DeviceError):
    """There is no account token to send."""
