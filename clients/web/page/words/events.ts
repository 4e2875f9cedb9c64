/** The history in words: who did what, and how it ended. */

/** What is to be said of one event. `kind`, `outcome` and `reason` are the vault's words, in lower case with dashes. */
export interface Told {
  readonly kind: string;
  readonly outcome: string;
  readonly reason: string;
  readonly aboutSetAside: boolean;
  readonly swept: readonly string[];
}

const DONE: Readonly<Record<string, string>> = {
  register: "Passkey registered",
  store: "Key stored",
  release: "Backup opened",
  delete: "Protection turned off",
  "add-credential": "Passkey added",
  "remove-credential": "Passkey removed",
  "set-recovery": "Recovery key replaced",
  reopen: "Vault reopened",
  "lift-quarantine": "Passkey trusted again",
  "set-policy": "Limits changed",
  reset: "Started over: what was there was set aside",
  "erase-account": "The product asked for the erasure of your vault",
  "cancel-erase-account": "The product took the erasure back",
  sweep: "Erased, because its time had come",
  rewrap: "Moved to newer keys of the vault",
};

const TRIED: Readonly<Record<string, string>> = {
  store: "store a key",
  release: "open your backup",
  delete: "turn the protection off",
  "add-credential": "add a passkey",
  "remove-credential": "remove a passkey",
  "set-recovery": "replace the recovery key",
  reopen: "reopen the vault",
  "lift-quarantine": "trust a passkey again",
  "set-policy": "change the limits",
};

const REASONS: Readonly<Record<string, string>> = {
  origin: "from a page that is not the product's",
  "cross-origin": "from inside another page",
  cross_origin: "from inside another page",
  user_present_missing: "nobody was present",
  user_verification_missing: "the device did not check who held it",
  backup_flags: "the passkey's description contradicts itself",
  backup_eligibility_changed: "the passkey's description has changed",
  algorithm: "with a kind of signature that the product does not take",
  user_handle: "with another account's passkey",
  quarantined: "with a passkey that is set aside",
  counter_regression: "the passkey's counter went back: it may have been copied",
};

const SWEPT: Readonly<Record<string, string>> = {
  "set-aside": "What had been set aside was erased.",
  account: "The whole vault was erased, as the product had asked.",
};

/** What happened, as a sentence without its stop. */
export function whatHappened(event: Told): string {
  const what = event.outcome === "granted" ? (DONE[event.kind] ?? event.kind) : `Somebody tried to ${TRIED[event.kind] ?? event.kind}`;
  return event.aboutSetAside ? `${what} (of what is set aside)` : what;
}

/** How it ended, with what it erased on its way. */
export function howItEnded(event: Told): string {
  const erased = event.swept.map((one) => SWEPT[one] ?? one);
  return [ending(event), ...erased].join(" ");
}

/** Whether the user should look twice. */
export function isAlarming(event: Told): boolean {
  return event.outcome !== "granted" || event.kind === "reset" || event.kind === "erase-account";
}

function ending({ outcome, reason }: Told): string {
  switch (outcome) {
    case "granted":
      return "Done.";
    case "failed":
      return "Refused: wrong signature. It counted as a failed attempt.";
    case "exhausted":
      return "Refused: wrong signature. It used up the last attempt.";
    case "refused":
      return `Refused: ${REASONS[reason] ?? reason}. It did not count as an attempt.`;
    default:
      return outcome;
  }
}
