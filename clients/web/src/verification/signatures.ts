/**
 * Signatures of the vault's identity keys: ECDSA P-256, r || s (64 bytes), over a SHA-256 digest.
 *
 * fingerprint = SHA-256 of fields("strongroom/v1/identity-key", uncompressed point): what clients pin
 */

import { p256 } from "@noble/curves/nist.js";

import { hashFields } from "../fields.ts";

const SIGNATURE_BYTES = 64;
const POINT_BYTES = 65;
const IDENTITY_LABEL = "strongroom/v1/identity-key";

/** A signature does not verify. Never leaves `verification`: callers say what was signed. */
export class WrongSignature extends Error {
  override name = "WrongSignature";
}

/** The fingerprint (32 bytes) of an identity key (uncompressed point, 65 bytes). */
export function identityFingerprint(publicKey: Uint8Array): Uint8Array {
  return hashFields(IDENTITY_LABEL, publicKey);
}

/** Check `signature` over `digest` (32 bytes) by `publicKey` (uncompressed point). Throws WrongSignature. */
export function checkSignature(signature: Uint8Array, digest: Uint8Array, publicKey: Uint8Array): void {
  // Both halves of r and s are taken (no low-S rule), as tokens make both; a signature is never used as a name.
  const options = { prehash: false, lowS: false, format: "compact" } as const;
  let holds = false;
  if (signature.length === SIGNATURE_BYTES && publicKey.length === POINT_BYTES) {
    try {
      holds = p256.verify(signature, digest, publicKey, options);
    } catch {
      // no point of P-256, or no scalars: noble throws for some of these, and returns false for others
    }
  }
  if (!holds) {
    throw new WrongSignature("wrong signature");
  }
}
