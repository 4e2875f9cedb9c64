/**
 * What a device remembers of one account's vault, as a value and as JSON: schema 4 of docs/protocol.md section 8, byte
 * for byte what the Python client reads.
 *
 * It holds no secret. Version and chain head come from verified receipts and signed answers only, never from a
 * statement. The reader takes exactly the members it knows, each of its type.
 */

import { decodeRecipient } from "./age-keys.ts";
import { toHex } from "./bytes.ts";
import { MemoryFault } from "./errors.ts";
import type { Mode } from "./modes.ts";
import { checkName } from "./passkey-names.ts";
import { NOTHING_PENDING, type Pending } from "./pending.ts";
import { bigCount, count, elements, mapping, members, octets, optional, text, wholeNumber } from "./strict-json.ts";
import type { Millis } from "./timestamps.ts";
import { FINGERPRINT_BYTES, type SeenBundle } from "./verification/bundles.ts";
import { credentialSet, digestOf, type CredentialSet } from "./verification/credential-sets.ts";
import type { SeenOwnerBundle } from "./verification/owner-bundles.ts";
import { GENESIS, HEAD_BYTES, type Position } from "./verification/positions.ts";
import { CLOCK_TOLERANCE_MS } from "./verification/statements.ts";

export const SCHEMA = 4;
const DIGEST_BYTES = 32;
const RECOVERY_KEY_BYTES = 32;

/** Whose memory it is: a vault, by the name that this device has for it, a tenant and an account. */
export interface AccountRef {
  readonly vault: string;
  readonly tenant: string;
  readonly account: string;
}

/** What is remembered. */
export interface AccountMemory {
  readonly owner: AccountRef;
  /** Fingerprints, in hex, that were pinned when last used; a vault that was pinned is never used unpinned again. */
  readonly pins: readonly string[];
  /** Newest version and chain head that the vault has signed for. */
  readonly position: Position;
  /** Position that the vault signed for although it does not go on from `position`; stops all else. */
  readonly contested: Position | undefined;
  /** Newest key bundle seen, by fingerprint (hex) of its signer. */
  readonly bundles: ReadonlyMap<string, SeenBundle>;
  /** Newest that two pinned owners have signed; undefined where none was gone by. */
  readonly ownerBundle: SeenOwnerBundle | undefined;
  /** The credentials when they were last seen, and the version that they were seen at. */
  readonly credentials: CredentialSet | undefined;
  readonly credentialsVersion: bigint;
  /** Credentials of what a reset had set aside at that version. */
  readonly setAside: CredentialSet | undefined;
  readonly pending: Pending;
  /** Which life of the record was last seen. */
  readonly life: bigint | undefined;
  /** How this device locked, or knowingly accepted, the envelope. */
  readonly mode: Mode | undefined;
  /** Newest archive version whose envelope this device has opened; 0 for none. */
  readonly openedArchiveVersion: bigint;
  /** `age1...` that new archives are encrypted to; undefined before the first opened envelope. */
  readonly archiveRecipient: string | undefined;
  /** `age1...` of the recovery key in force; undefined likewise. */
  readonly recoveryRecipient: string | undefined;
  /** Of passkeys that have one, by credential id (hex), as the envelope last opened here had them. */
  readonly names: ReadonlyMap<string, string>;
}

/** Of a new account, nothing. */
export function nothingRemembered(owner: AccountRef): AccountMemory {
  return {
    owner,
    pins: [],
    position: GENESIS,
    contested: undefined,
    bundles: new Map(),
    ownerBundle: undefined,
    credentials: undefined,
    credentialsVersion: 0n,
    setAside: undefined,
    pending: NOTHING_PENDING,
    life: undefined,
    mode: undefined,
    openedArchiveVersion: 0n,
    archiveRecipient: undefined,
    recoveryRecipient: undefined,
    names: new Map(),
  };
}

/**
 * The digest of the credentials that may sign at the remembered version, where this device knows them.
 *
 * Once an erasure of the account is due it knows them no more: what is due is gone, before any change says so.
 */
export function knownDigest(memory: AccountMemory, aboutSetAside: boolean, now: Millis): Uint8Array | undefined {
  const eraseAt = memory.pending.accountEraseAt;
  const isDue = eraseAt !== undefined && now >= eraseAt - CLOCK_TOLERANCE_MS;
  const known = aboutSetAside ? memory.setAside : memory.credentials;
  return known === undefined || memory.position.version !== memory.credentialsVersion || isDue
    ? undefined
    : digestOf(known);
}

/** `memory` as JSON. Throws MemoryFault for a number that JSON's readers would round. */
export function encodeMemory(memory: AccountMemory): string {
  const document = {
    schema: SCHEMA,
    vault: memory.owner.vault,
    tenant: memory.owner.tenant,
    account: memory.owner.account,
    pins: memory.pins.toSorted(),
    position: positionDocument(memory.position),
    contested: memory.contested ? positionDocument(memory.contested) : null,
    bundles: Object.fromEntries(
      Array.from(memory.bundles, ([fingerprint, { serial, sha256 }]) => [
        fingerprint,
        { serial: number(serial), sha256: toHex(sha256) },
      ]),
    ),
    owner_bundle: memory.ownerBundle ? ownerBundleDocument(memory.ownerBundle) : null,
    credentials: memory.credentials ? credentialsDocument(memory.credentials) : null,
    credentials_version: number(memory.credentialsVersion),
    set_aside: memory.setAside ? credentialsDocument(memory.setAside) : null,
    set_aside_erase_at: memory.pending.setAsideEraseAt ?? null,
    account_erase_at: memory.pending.accountEraseAt ?? null,
    life: memory.life === undefined ? null : number(memory.life),
    mode: memory.mode ?? null,
    opened_archive_version: number(memory.openedArchiveVersion),
    archive_recipient: memory.archiveRecipient ?? null,
    recovery_recipient: memory.recoveryRecipient ?? null,
    names: Object.fromEntries(memory.names),
  };
  return `${JSON.stringify(document, undefined, 1)}\n`;
}

/** Read what `encodeMemory` wrote for `owner`, and nothing else. Throws MemoryFault. */
export function decodeMemory(encoded: string, owner: AccountRef): AccountMemory {
  let memory: AccountMemory;
  try {
    memory = decode(members(JSON.parse(encoded), MEMBERS));
  } catch {
    throw new MemoryFault(`the memory of this account is damaged or not of schema ${SCHEMA}`);
  }
  const { vault, tenant, account } = memory.owner;
  if (vault !== owner.vault || tenant !== owner.tenant || account !== owner.account) {
    throw new MemoryFault("the memory belongs to another account");
  }
  return memory;
}

const MEMBERS = [
  "schema",
  "vault",
  "tenant",
  "account",
  "pins",
  "position",
  "contested",
  "bundles",
  "owner_bundle",
  "credentials",
  "credentials_version",
  "set_aside",
  "set_aside_erase_at",
  "account_erase_at",
  "life",
  "mode",
  "opened_archive_version",
  "archive_recipient",
  "recovery_recipient",
  "names",
] as const;

function decode(document: Record<(typeof MEMBERS)[number], unknown>): AccountMemory {
  if (document.schema !== SCHEMA) {
    throw new RangeError("another schema");
  }
  const bundles = Object.entries(mapping(document.bundles));
  return {
    owner: { vault: text(document.vault), tenant: text(document.tenant), account: text(document.account) },
    pins: elements(document.pins).map(fingerprint),
    position: position(document.position),
    contested: optional(document.contested, position),
    bundles: new Map(bundles.map(([signer, bundle]) => [fingerprint(signer), seenBundle(bundle)])),
    ownerBundle: optional(document.owner_bundle, ownerBundle),
    credentials: optional(document.credentials, credentials),
    credentialsVersion: bigCount(document.credentials_version),
    setAside: optional(document.set_aside, credentials),
    pending: {
      setAsideEraseAt: optional(document.set_aside_erase_at, count),
      accountEraseAt: optional(document.account_erase_at, count),
    },
    life: optional(document.life, bigCount),
    mode: optional(document.mode, mode),
    openedArchiveVersion: bigCount(document.opened_archive_version),
    archiveRecipient: optional(document.archive_recipient, recipient),
    recoveryRecipient: optional(document.recovery_recipient, recipient),
    names: new Map(Object.entries(mapping(document.names)).map(([id, name]) => [toHex(octets(id)), checkedName(name)])),
  };
}

function number(value: bigint): number {
  try {
    return wholeNumber(value);
  } catch {
    throw new MemoryFault("a number of the vault's is too large to be remembered");
  }
}

function positionDocument({ version, chainHead }: Position): Record<string, unknown> {
  return { version: number(version), chain_head: toHex(chainHead) };
}

function position(value: unknown): Position {
  const found = members(value, ["version", "chain_head"]);
  return { version: bigCount(found.version), chainHead: octets(found.chain_head, HEAD_BYTES) };
}

function seenBundle(value: unknown): SeenBundle {
  const found = members(value, ["serial", "sha256"]);
  return { serial: bigCount(found.serial), sha256: octets(found.sha256, DIGEST_BYTES) };
}

function ownerBundleDocument(bundle: SeenOwnerBundle): Record<string, unknown> {
  const { identityKeys, dropped } = bundle;
  return {
    serial: number(bundle.serial),
    sha256: toHex(bundle.sha256),
    identity_keys: identityKeys.toSorted(),
    dropped: dropped.toSorted(),
  };
}

function ownerBundle(value: unknown): SeenOwnerBundle {
  const found = members(value, ["serial", "sha256", "identity_keys", "dropped"]);
  return {
    serial: bigCount(found.serial),
    sha256: octets(found.sha256, DIGEST_BYTES),
    identityKeys: elements(found.identity_keys).map(fingerprint),
    dropped: elements(found.dropped).map(fingerprint),
  };
}

function credentialsDocument(set: CredentialSet): Record<string, unknown> {
  const passkeys = set.passkeys.map((one) => ({
    credential_id: toHex(one.credentialId),
    cose_key: toHex(one.coseKey),
  }));
  return { passkeys, recovery_public_key: toHex(set.recoveryPublicKey) };
}

function credentials(value: unknown): CredentialSet {
  const found = members(value, ["passkeys", "recovery_public_key"]);
  const recoveryPublicKey = octets(found.recovery_public_key);
  if (recoveryPublicKey.length !== 0 && recoveryPublicKey.length !== RECOVERY_KEY_BYTES) {
    throw new RangeError("no Ed25519 key");
  }
  const passkeys = elements(found.passkeys).map((passkey) => {
    const one = members(passkey, ["credential_id", "cose_key"]);
    return { credentialId: octets(one.credential_id), coseKey: octets(one.cose_key) };
  });
  return credentialSet(passkeys, recoveryPublicKey);
}

function fingerprint(value: unknown): string {
  return toHex(octets(value, FINGERPRINT_BYTES));
}

function mode(value: unknown): Mode {
  if (value !== "prf" && value !== "vault-held") {
    throw new RangeError("no mode");
  }
  return value;
}

function checkedName(value: unknown): string {
  const name = text(value);
  checkName(name);
  return name;
}

function recipient(value: unknown): string {
  const read = text(value);
  decodeRecipient(read);
  return read;
}
