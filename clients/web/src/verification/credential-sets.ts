/** The credentials that may sign for a record, and the digest of them that statements carry (docs/protocol.md, 3). */

import { compare, equal, toHex } from "../bytes.ts";
import { ReplyMismatch } from "../errors.ts";
import { hashFields } from "../fields.ts";

const LABEL = "strongroom/v1/credential-set";

/** Credential id (1 to 1023 bytes) and COSE key (canonical CBOR) of a passkey. */
export interface PublicCredential {
  readonly credentialId: Uint8Array;
  readonly coseKey: Uint8Array;
}

/** Passkeys in rising order of id; `recoveryPublicKey` is Ed25519, 32 bytes, or empty where none is effective. */
export interface CredentialSet {
  readonly passkeys: readonly PublicCredential[];
  readonly recoveryPublicKey: Uint8Array;
}

/** Nobody may sign. */
export const NO_CREDENTIALS: CredentialSet = { passkeys: [], recoveryPublicKey: new Uint8Array(0) };

/**
 * The set of these, in order; of what a vault lists only id and key are taken. Throws ReplyMismatch where an id comes
 * twice.
 */
export function credentialSet(passkeys: readonly PublicCredential[], recoveryPublicKey: Uint8Array): CredentialSet {
  const ordered = passkeys.toSorted((one, other) => compare(one.credentialId, other.credentialId));
  if (new Set(ordered.map(({ credentialId }) => toHex(credentialId))).size !== ordered.length) {
    throw new ReplyMismatch("the vault lists a credential twice");
  }
  return { passkeys: ordered.map(({ credentialId, coseKey }) => ({ credentialId, coseKey })), recoveryPublicKey };
}

/** The digest (32 bytes) of a set. */
export function digestOf(set: CredentialSet): Uint8Array {
  const parts = set.passkeys.flatMap(({ credentialId, coseKey }) => [credentialId, coseKey]);
  return hashFields(LABEL, ...parts, set.recoveryPublicKey);
}

/** Whether both are of the same credentials. */
export function sameSet(one: CredentialSet, other: CredentialSet): boolean {
  return equal(digestOf(one), digestOf(other));
}

/** The credential ids, for the authenticator's list of allowed credentials. */
export function idsOf(set: CredentialSet): Uint8Array[] {
  return set.passkeys.map(({ credentialId }) => credentialId);
}

/** Whether `ids` has `id`. */
export function holds(ids: readonly Uint8Array[], id: Uint8Array): boolean {
  return ids.some((one) => equal(one, id));
}
