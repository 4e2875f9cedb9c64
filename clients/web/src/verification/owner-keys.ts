/**
 * Keys of the vault's owners, people who never give them to the service: Ed25519 or P-256.
 *
 *     fingerprint = SHA-256 of fields("strongroom/v1/owner-key", SubjectPublicKeyInfo as DER)
 *
 * Both kinds sign a digest of 32 bytes: Ed25519 takes it as the message, ECDSA as the hash; a signature has 64 bytes.
 */

import { ed25519 } from "@noble/curves/ed25519.js";
import { base64 } from "@scure/base";

import { fromHex, toHex } from "../bytes.ts";
import { hashFields } from "../fields.ts";
import { checkSignature, WrongSignature } from "./signatures.ts";

const LABEL = "strongroom/v1/owner-key";
const SIGNATURE_BYTES = 64;
/** What stands before the key in its one encoding (RFC 8410, section 4; RFC 5480, section 2, point uncompressed). */
const ED25519_PREFIX = "302a300506032b6570032100";
const P256_PREFIX = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
const ED25519_KEY = /^[0-9a-f]{64}$/;
const P256_KEY = /^04[0-9a-f]{128}$/;

/** An owner's key as it was read. */
export interface OwnerKey {
  readonly kind: "ed25519" | "p256";
  /** 32 bytes, or an uncompressed point. */
  readonly key: Uint8Array;
  /** Hex. */
  readonly fingerprint: string;
}

/** The key in a PEM file as what clients pin: SubjectPublicKeyInfo as DER, in hex. Throws RangeError. */
export function ownerKeyOfPem(pem: string): string {
  const body = /-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----/.exec(pem)?.[1] ?? "";
  let encoded: string;
  try {
    encoded = toHex(base64.decode(body.replace(/\s/g, "")));
  } catch {
    throw wrong();
  }
  ownerKey(encoded);
  return encoded;
}

/** Read an owner's key, in its one encoding: two spellings of one key are not two owners. Throws RangeError. */
export function ownerKey(encoded: string): OwnerKey {
  for (const { kind, prefix, form } of [
    { kind: "ed25519", prefix: ED25519_PREFIX, form: ED25519_KEY },
    { kind: "p256", prefix: P256_PREFIX, form: P256_KEY },
  ] as const) {
    const rest = encoded.startsWith(prefix) ? encoded.slice(prefix.length) : "";
    if (form.test(rest)) {
      return { kind, key: fromHex(rest), fingerprint: toHex(hashFields(LABEL, fromHex(encoded))) };
    }
  }
  throw wrong();
}

/** Check an owner's signature over `digest` (32 bytes). Throws WrongSignature. */
export function checkOwnerSignature(signature: Uint8Array, digest: Uint8Array, owner: OwnerKey): void {
  if (owner.kind === "p256") {
    checkSignature(signature, digest, owner.key);
    return;
  }
  let holds = false;
  try {
    holds = signature.length === SIGNATURE_BYTES && ed25519.verify(signature, digest, owner.key, { zip215: false });
  } catch {
    // no point of the curve
  }
  if (!holds) {
    throw new WrongSignature("wrong signature");
  }
}

function wrong(): RangeError {
  return new RangeError("an owner's key is an Ed25519 or P-256 public key");
}
