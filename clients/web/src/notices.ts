/**
 * What a user should be told beside the result of a call: who changed the vault, and what waits to be erased.
 *
 * A stolen login can reset a vault, and a tenant can ask for an account's erasure; both wait, so that the owner sees it
 * and acts. The vault's owners can change which identity keys count. Notices come from what these or the vault signed,
 * and from the statement of a ceremony before anybody signs for it: a front can invent one there, but hide none, since
 * no keeper takes a ceremony that was changed.
 */

import { equal, toHex } from "./bytes.ts";
import { pendingOf, type VaultStatus } from "./descriptions.ts";
import type { AccountMemory } from "./memory.ts";
import type { Pending } from "./pending.ts";
import type { Millis } from "./timestamps.ts";
import type { CredentialSet, PublicCredential } from "./verification/credential-sets.ts";
import type { SeenOwnerBundle } from "./verification/owner-bundles.ts";

/** What it is about; the names are those of the Python client. */
export type NoticeKind =
  | "set-aside"
  | "account-erasure"
  | "closed"
  | "passkey-quarantined"
  | "passkey-added"
  | "passkey-removed"
  | "recovery-key-changed"
  | "mode-changed"
  | "another-life"
  | "identity-key-introduced"
  | "identity-key-dropped";

/** One thing to be told. */
export interface Notice {
  readonly kind: NoticeKind;
  /** In words, for the user. */
  readonly said: string;
  /** When something is to be erased. */
  readonly at?: Millis;
  /** The passkey concerned. */
  readonly credentialId?: Uint8Array;
}

const REMOVED = "a passkey was removed elsewhere: restore once, so that backups from here use the new key";
const ADDED = "a passkey was added elsewhere";
const RECOVERY_REPLACED =
  "the recovery key was replaced elsewhere: restore once, so that backups from here use the new one";
const MOVED: Readonly<Record<string, string>> = {
  prf: "the vault was moved to mode prf elsewhere: restore once, so that backups from here use the new key",
  "vault-held": "the vault was moved to mode vault-held elsewhere: it alone locks the keys now. Was it you?",
};
const ENDED: Readonly<Record<string, string>> = {
  empty: "the vault was reset elsewhere, with an account token alone: was it you?",
  deleted: "the vault was deleted elsewhere",
  exhausted: "the attempts were used up elsewhere, and the vault has erased what it kept",
  erased: "the vault was erased at the product's request",
};

/** Whether both say the same. */
export function sameNotice(one: Notice, other: Notice): boolean {
  const [ids, otherIds] = [one, other].map(({ credentialId }) => toHex(credentialId ?? new Uint8Array(0)));
  return one.kind === other.kind && one.said === other.said && one.at === other.at && ids === otherIds;
}

/** What is to be told of what waits. */
export function pendingNotices(pending: Pending): Notice[] {
  const notices: Notice[] = [];
  if (pending.setAsideEraseAt !== undefined) {
    const said =
      "an earlier life of this vault was set aside by a reset, and will be erased; its passkeys can reopen it";
    notices.push({ kind: "set-aside", said, at: pending.setAsideEraseAt });
  }
  if (pending.accountEraseAt !== undefined) {
    const said = "the product has asked for this account's erasure from the vault; only the product can take that back";
    notices.push({ kind: "account-erasure", said, at: pending.accountEraseAt });
  }
  return notices;
}

/** What is to be told of a record as it is. */
export function statusNotices(status: VaultStatus): Notice[] {
  const notices = pendingNotices(pendingOf(status));
  if (status.closed) {
    const said = "all attempts are used up, and the vault is closed; the recovery key reopens it at once";
    notices.push({ kind: "closed", said });
  }
  const said = "this passkey was set aside, because its counter went back: it may have been copied";
  const quarantined = status.passkeys.filter((passkey) => passkey.quarantined);
  return [
    ...notices,
    ...quarantined.map(({ credentialId }) => ({ kind: "passkey-quarantined" as const, said, credentialId })),
  ];
}

/** What has become of a record since this device last saw it: by others, since own changes are remembered. */
export function changesSeen(known: AccountMemory, shown: AccountMemory, status: VaultStatus): Notice[] {
  if (known.credentials === undefined || shown.credentials === undefined) {
    return [];
  }
  const isAnother = known.life !== undefined && known.life !== 0n && known.life !== shown.life;
  if (known.credentials.passkeys.length > 0 && (isAnother || status.state in ENDED)) {
    const said = ENDED[status.state] ?? "the vault was begun anew, or an earlier life of it reopened, elsewhere";
    return [{ kind: "another-life", said }];
  }
  const moved = known.mode !== undefined && known.mode !== status.mode ? MOVED[status.mode] : undefined;
  const notices: Notice[] = moved === undefined ? [] : [{ kind: "mode-changed", said: moved }];
  return [...credentialsChanged(known.credentials, shown.credentials), ...notices];
}

/** Which identity keys count now and did not before, and the other way round, by the owners' word. */
export function ownersChanged(known: SeenOwnerBundle | undefined, shown: SeenOwnerBundle | undefined): Notice[] {
  if (known === undefined || shown === undefined) {
    return [];
  }
  const signed = `the vault's owners signed key bundle ${shown.serial}, after ${known.serial}`;
  const introduced = shown.identityKeys.filter((key) => !known.identityKeys.includes(key)).toSorted();
  const dropped = known.identityKeys.filter((key) => !shown.identityKeys.includes(key)).toSorted();
  return [
    ...introduced.map((key): Notice => {
      return { kind: "identity-key-introduced", said: `${signed}: identity key ${key} counts from now on` };
    }),
    ...dropped.map((key): Notice => {
      return { kind: "identity-key-dropped", said: `${signed}: identity key ${key} counts no more` };
    }),
  ];
}

/** Who may sign now and could not before, and the other way round. */
export function credentialsChanged(known: CredentialSet, shown: CredentialSet): Notice[] {
  const without = (set: CredentialSet, other: CredentialSet): PublicCredential[] =>
    set.passkeys.filter((one) => !other.passkeys.some((another) => same(one, another)));
  const removed = without(known, shown).map(({ credentialId }) => ({
    kind: "passkey-removed" as const,
    said: REMOVED,
    credentialId,
  }));
  const added = without(shown, known).map(({ credentialId }) => ({
    kind: "passkey-added" as const,
    said: ADDED,
    credentialId,
  }));
  const isReplaced = known.recoveryPublicKey.length > 0 && !equal(known.recoveryPublicKey, shown.recoveryPublicKey);
  const replaced: Notice[] = isReplaced ? [{ kind: "recovery-key-changed", said: RECOVERY_REPLACED }] : [];
  return [...removed, ...added, ...replaced];
}

function same(one: PublicCredential, other: PublicCredential): boolean {
  return equal(one.credentialId, other.credentialId) && equal(one.coseKey, other.coseKey);
}
