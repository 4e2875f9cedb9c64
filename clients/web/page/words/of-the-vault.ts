/** What the user is told when the vault says no, is not there, or cannot be believed. */

import {
  AccountTokenMissing,
  AccountTokenRejected,
  BeginAgain,
  Busy,
  CoolingDown,
  Exhausted,
  InvalidRequest,
  NoVault,
  NotProven,
  OriginNotAccepted,
  ModeNotExpected,
  MustWait,
  VaultRefused,
  VaultTrouble,
  NotVerified,
  OutcomeUnknown,
  RateLimited,
  ReleaseQuotaUsed,
  ResetPending,
  ScopeMissing,
  Unavailable,
  UnpinnedVault,
  VaultClosed,
  VaultExists,
  VaultFault,
  VaultWentBack,
} from "../../src/index.ts";
import { told, type Entry } from "./told.ts";

export const OF_THE_VAULT: readonly Entry[] = [
  told(
    AccountTokenRejected,
    "Your sign-in has run out",
    "Sign in again; nothing is lost.",
  ),
  told(
    AccountTokenMissing,
    "You are not signed in",
    "Sign in again; nothing is lost.",
  ),
  told(
    InvalidRequest,
    "This page and the vault do not fit together",
    "One of them may be too old. Load this page again; if that does not help, tell the product's support.",
  ),
  told(
    BeginAgain,
    "Something else changed your vault just now",
    "Perhaps you use it on two devices at once, or waited too long. Nothing was changed by this attempt: do it again.",
  ),
  told(
    NotVerified,
    "The vault did not accept your passkey",
    "Nothing was given out. If it was a wrong signature, it counts against your attempts: the overview shows how many are left.",
  ),
  told(
    NoVault,
    "No backups are protected for this account yet",
    "Begin with the overview.",
  ),
  told(
    VaultExists,
    "Backups of this account are protected already",
    "Perhaps you did that on another device. Restore once here to use the same keys.",
  ),
  told(
    ScopeMissing,
    "This sign-in does not allow that",
    "The product lets you do this only after a further check of who you are.",
  ),
  told(
    ResetPending,
    "You have started over once already",
    "What was set aside then can still be taken back until it is erased. Until then, starting over again is not possible.",
  ),
  told(
    Exhausted,
    "All attempts are used up, and the vault has erased its keys",
    "Archives that you still have open with your recovery key, here and without the vault.",
  ),
  told(
    CoolingDown,
    "The vault is waiting after failed attempts",
    "Nothing is lost, and nobody can try during the wait.",
  ),
  told(
    VaultClosed,
    "Your vault is closed after too many failed attempts",
    "Nothing is lost. Your recovery key opens it at once; a passkey does when the wait is over.",
  ),
  told(
    ReleaseQuotaUsed,
    "Your backups were opened very often today",
    "The vault opens them again tomorrow (UTC). If that was not you, look at the history. Your recovery key opens an archive without the vault.",
  ),
  told(
    RateLimited,
    "Too many requests in a short time",
    "Nothing is lost, and no attempt was used.",
  ),
  told(
    Busy,
    "The vault is busy",
    "No attempt was used. Try again in a moment.",
  ),
  told(
    Unavailable,
    "The vault does not answer",
    "Check your network and try again. If this page was opened at an unusual address, the vault does not speak to it: use the product's own address. An archive opens with your recovery key even without the vault.",
  ),
  told(
    OutcomeUnknown,
    "No answer came, so it may be done or not",
    "Look at the overview before you do it again.",
  ),
  told(
    VaultFault,
    "The vault is broken inside",
    "That is not your fault, and nothing of yours is lost by it. Tell the product's support.",
  ),
  told(
    VaultWentBack,
    "The vault shows an older state than this device has seen",
    "Perhaps its operator restored a backup; perhaps somebody hides something from you. This page stops here until you know: ask the product's support.",
  ),
  told(
    UnpinnedVault,
    "This page cannot tell the real vault from a false one",
    "The product did not say by which key the vault is known. Tell the product's support.",
  ),
  told(
    OriginNotAccepted,
    "This page was opened at an address that is not the product's",
    "Passkeys of this vault do not work here, and none was asked for. Open the page at the product's own address.",
  ),
  told(
    ModeNotExpected,
    "The vault says that it holds your key by itself",
    "Nobody has agreed to that on this device, so nothing was used. Look at the overview, and go on only if you chose that.",
  ),
  told(
    NotProven,
    "The vault's answer cannot be believed",
    "Somebody between you and the vault may be cheating, or the vault is. Nothing was given away and nothing was used. Tell the product's support.",
  ),
  told(MustWait, "The vault asks you to wait", "Nothing is lost, and no attempt was used."),
  told(
    VaultRefused,
    "The vault refused, for a reason that this page does not know",
    "Nothing was changed. Load the page again, which brings its newest version; if that does not help, tell the product's support.",
  ),
  told(VaultTrouble, "Something broke on the way to the vault", "Look at the overview before you do it again."),
];
