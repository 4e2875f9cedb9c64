/**
 * What can go wrong between this client and a vault, in four families; the same tree as the Python client's.
 *
 *     StrongroomError
 *     ├── VaultRefused              the vault said no, with a reason code
 *     │   ├── AccountTokenRejected      the account token is not good (any more)
 *     │   ├── InvalidRequest            a field of the request broke a rule of the vault's
 *     │   ├── BeginAgain                the ceremony is over: another change came first, or it expired
 *     │   ├── NotVerified               what the authenticator made was not accepted; may have counted
 *     │   ├── NoVault                   nothing is enrolled, or nothing stored yet
 *     │   ├── VaultExists               a vault is enrolled already
 *     │   ├── ScopeMissing              the token does not allow this
 *     │   ├── ResetPending              an earlier reset still keeps a vault set aside
 *     │   ├── Exhausted                 the attempts were used up; nothing is left to release
 *     │   └── MustWait                  not now; says for how long
 *     │       ├── CoolingDown               after failed attempts
 *     │       ├── VaultClosed               after too many of them; the recovery key reopens it at once
 *     │       ├── ReleaseQuotaUsed          the day's releases are used up
 *     │       ├── RateLimited               too many requests in a while
 *     │       └── Busy                      too many requests at once
 *     ├── VaultTrouble              machinery broke, the vault's or on the way to it
 *     │   ├── Unavailable               no answer, and nothing was changed by this call
 *     │   ├── OutcomeUnknown            no answer to a completion: it may stand, or not
 *     │   └── VaultFault                the vault says that it is broken inside
 *     ├── NotProven                 an answer is not what an honest vault would have given: nothing of it is used
 *     │   ├── StatementMismatch         a ceremony is not about what was asked; the authenticator was not asked
 *     │   │   └── ModeNotExpected           the vault alone holds the envelope, and this device was not told
 *     │   ├── ReceiptInvalid            an answer is not signed by an identity key that counts
 *     │   ├── BundleInvalid             a key bundle is not to be trusted
 *     │   │   └── OwnerBundleInvalid        what the pinned owners should have signed is not to be trusted
 *     │   ├── ReplyMismatch             a signed answer does not fit what was asked or is known
 *     │   │   └── OriginNotAccepted        the page was opened at an address that is not the product's
 *     │   ├── VaultWentBack             the vault is older than, or another than, what this device remembers
 *     │   └── UnpinnedVault             no identity key is pinned, and what was asked needs one
 *     └── DeviceError               this device: its memory, its authenticator's abilities, its settings
 *         ├── PrfUnavailable            the passkey gives no PRF output
 *         ├── PrfUnstable               the passkey's PRF gave two different outputs
 *         ├── NoSuchPasskey             the vault does not have the passkey that was named
 *         ├── ModeAlready               the envelope is locked as asked already
 *         ├── NewestUnopened            what opened is not the newest envelope, which a change would go by
 *         ├── MemoryFault               what the device remembers cannot be read or kept
 *         └── AccountTokenMissing       there is no account token to send
 *
 * EnvelopeError (envelope-content.ts), AuthenticatorError (authenticators/port.ts) and ArchiveError (archive/errors.ts)
 * are roots of their own. No text here holds a secret. `name` is set and not taken from the class: bundlers rename
 * those.
 */

import { toHex } from "./bytes.ts";

/** Root of the above. */
export class StrongroomError extends Error {
  override name = "StrongroomError";
}

/** The vault said no. `reason` is its code, as in docs/protocol.md section 10, or "" where it gave none. */
export class VaultRefused extends StrongroomError {
  override name = "VaultRefused";
  readonly reason: string;
  /** How long to wait, where waiting helps. */
  readonly retryAfterSeconds: number | undefined;

  constructor(reason: string, retryAfterSeconds?: number) {
    super(
      `the vault refused: ${reason}${retryAfterSeconds === undefined ? "" : `; try again in ${Math.round(retryAfterSeconds)} s`}`,
    );
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** The account token is not good, or not any more: get a fresh one from the product. */
export class AccountTokenRejected extends VaultRefused {
  override name = "AccountTokenRejected";
}

/** A field broke a rule: which, by proto path, and what rule. */
export class InvalidRequest extends VaultRefused {
  override name = "InvalidRequest";
  readonly violations: readonly { readonly field: string; readonly rule: string }[];

  constructor(reason: string, violations: readonly { readonly field: string; readonly rule: string }[]) {
    super(reason);
    this.message = [this.message, ...violations.map(({ field, rule }) => `${field} ${rule}`)].join("; ");
    this.violations = violations;
  }
}

/**
 * The ceremony is over, because another change came first or its time ran out. A new one needs a new prompt.
 *
 * Also said by this client itself, before any prompt, where what it is about to store goes by an envelope that is not
 * the newest any more: it would undo what another device did.
 */
export class BeginAgain extends VaultRefused {
  override name = "BeginAgain";
}

/** What the authenticator made was not accepted. A wrong signature counts against the budget. */
export class NotVerified extends VaultRefused {
  override name = "NotVerified";
}

/** Nothing is enrolled for this account, or nothing was stored yet. */
export class NoVault extends VaultRefused {
  override name = "NoVault";
}

/** A vault is enrolled for this account already. */
export class VaultExists extends VaultRefused {
  override name = "VaultExists";
}

/** The token is good, but was not made for this. */
export class ScopeMissing extends VaultRefused {
  override name = "ScopeMissing";
}

/** An earlier reset still keeps a vault set aside; until that is reopened or erased there is no second. */
export class ResetPending extends VaultRefused {
  override name = "ResetPending";
}

/** The attempts were used up: the vault has erased what it kept. The recovery key still opens archives. */
export class Exhausted extends VaultRefused {
  override name = "Exhausted";
}

/** Not now. */
export class MustWait extends VaultRefused {
  override name = "MustWait";
}

/** Requests are refused unjudged for a while, after failed attempts. */
export class CoolingDown extends MustWait {
  override name = "CoolingDown";
}

/** All attempts are used up, and the vault keeps what it has: a passkey reopens it in time, the recovery key now. */
export class VaultClosed extends MustWait {
  override name = "VaultClosed";
}

/** The releases of the current UTC day are used up. */
export class ReleaseQuotaUsed extends MustWait {
  override name = "ReleaseQuotaUsed";
}

/** Too many requests in a while, of this account, its product, or this network address. No attempt was lost. */
export class RateLimited extends MustWait {
  override name = "RateLimited";
}

/** The vault has too many requests at once, from whomever. */
export class Busy extends MustWait {
  override name = "Busy";
}

/** Machinery broke, the vault's or on the way to it. */
export class VaultTrouble extends StrongroomError {
  override name = "VaultTrouble";
}

/** No answer in time; asking again later may help. */
export class Unavailable extends VaultTrouble {
  override name = "Unavailable";
}

/** A completion was sent, several times, and no answer came: it may stand or not. Look at the vault's status. */
export class OutcomeUnknown extends VaultTrouble {
  override name = "OutcomeUnknown";
}

/** The vault says that it is broken inside. Its operator has to look. */
export class VaultFault extends VaultTrouble {
  override name = "VaultFault";
  /** The vault's reason code, or the status code's name where it gave none. */
  readonly reason: string;

  constructor(reason: string) {
    super(`the vault is broken inside: ${reason}`);
    this.reason = reason;
  }
}

/** An answer is not what an honest vault would have given. Nothing of it is used or remembered. */
export class NotProven extends StrongroomError {
  override name = "NotProven";
}

/** A ceremony is not about what this client asked; found before the authenticator was asked for anything. */
export class StatementMismatch extends NotProven {
  override name = "StatementMismatch";
}

/** The envelope is said to be of mode vault-held, and this device takes that from nobody but its user. */
export class ModeNotExpected extends StatementMismatch {
  override name = "ModeNotExpected";
}

/** An answer is not signed, as it is, for this question, by an identity key that counts. */
export class ReceiptInvalid extends NotProven {
  override name = "ReceiptInvalid";
}

/** A key bundle is not signed by an identity key that counts, not of this time, or older than one seen. */
export class BundleInvalid extends NotProven {
  override name = "BundleInvalid";
}

/** Two pinned owners have not signed a key bundle, or not after the one that this device knows, or not for now. */
export class OwnerBundleInvalid extends BundleInvalid {
  override name = "OwnerBundleInvalid";
}

/** A signed answer does not fit what was asked, or what this device knows. */
export class ReplyMismatch extends NotProven {
  override name = "ReplyMismatch";
}

/** The vault takes no passkeys that are used at this page's origin: the page was opened at another address. */
export class OriginNotAccepted extends ReplyMismatch {
  override name = "OriginNotAccepted";
}

/**
 * The vault shows a version older than this device remembers, or another history at the same version.
 *
 * A restored database looks like this, and so does a vault that hides events.
 */
export class VaultWentBack extends NotProven {
  override name = "VaultWentBack";
  readonly known: { readonly version: bigint; readonly chainHead: Uint8Array };
  readonly shown: { readonly version: bigint; readonly chainHead: Uint8Array };

  constructor(known: VaultWentBack["known"], shown: VaultWentBack["shown"]) {
    const [was, is] = [known, shown].map(
      ({ version, chainHead }) => `version ${version} with head ${toHex(chainHead).slice(0, 16)}...`,
    );
    super(`the vault shows ${is}, but this device remembers ${was}`);
    this.known = known;
    this.shown = shown;
  }
}

/** No identity key is pinned: receipts would prove nothing. */
export class UnpinnedVault extends NotProven {
  override name = "UnpinnedVault";
}

/** Something on this device. */
export class DeviceError extends StrongroomError {
  override name = "DeviceError";
}

/** The passkey gives no PRF output, which the default mode needs. */
export class PrfUnavailable extends DeviceError {
  override name = "PrfUnavailable";
}

/** The passkey's PRF gave two different outputs for one input: an envelope locked with it might never open. */
export class PrfUnstable extends DeviceError {
  override name = "PrfUnstable";
}

/** The vault does not have the passkey that was named. */
export class NoSuchPasskey extends DeviceError {
  override name = "NoSuchPasskey";
}

/** There is nothing to move: the envelope is locked in that mode already. */
export class ModeAlready extends DeviceError {
  override name = "ModeAlready";
}

/** An older envelope opened, the newest did not: a change that goes by the older one could lose what is new. */
export class NewestUnopened extends DeviceError {
  override name = "NewestUnopened";
}

/** What this device remembers of a vault cannot be read or kept. */
export class MemoryFault extends DeviceError {
  override name = "MemoryFault";
}

/** There is no account token to send. */
export class AccountTokenMissing extends DeviceError {
  override name = "AccountTokenMissing";
}
