/**
 * age X25519 identities and recipients (age-encryption.org/v1, "The X25519 recipient type").
 *
 * An identity is 32 secret bytes, written in Bech32 as `AGE-SECRET-KEY-1...`; its recipient is the X25519 public key,
 * written as `age1...`. Any 32 bytes are an identity: X25519 clamps them when they are used (RFC 7748, section 5).
 */

import { x25519 } from "@noble/curves/ed25519.js";
import { bech32 } from "@scure/base";

import { copied, equal, SecretBytes } from "./bytes.ts";

export const KEY_BYTES = 32;
const IDENTITY_PREFIX = "age-secret-key-";
const RECIPIENT_PREFIX = "age";

/** Text is not an age X25519 identity or recipient. The message never repeats the text. */
export class AgeKeyError extends RangeError {
  override name = "AgeKeyError";
}

/** The secret that opens what is encrypted to its recipient. */
export class ArchiveIdentity extends SecretBytes {
  /** Throws AgeKeyError for a secret that is not 32 bytes. */
  constructor(secret: Uint8Array) {
    super(required(secret, "an age identity"));
  }

  /** The secret as `AGE-SECRET-KEY-1...`, for an identity file or an age tool. */
  text(): string {
    return encode(IDENTITY_PREFIX, this.reveal()).toUpperCase();
  }

  /** The recipient, `age1...`, that this identity opens. */
  recipient(): string {
    return encodeRecipient(x25519.getPublicKey(this.reveal()));
  }

  /** Whether both are the same identity. */
  is(other: ArchiveIdentity): boolean {
    return equal(this.reveal(), other.reveal());
  }
}

/** Read `AGE-SECRET-KEY-1...`. Throws AgeKeyError. */
export function parseIdentity(text: string): ArchiveIdentity {
  return new ArchiveIdentity(decode(IDENTITY_PREFIX, text.trim()));
}

/** Write an X25519 public key (32 bytes) as `age1...`. Throws AgeKeyError. */
export function encodeRecipient(publicKey: Uint8Array): string {
  return encode(RECIPIENT_PREFIX, required(publicKey, "an age recipient"));
}

/** The X25519 public key (32 bytes) in `age1...`. Throws AgeKeyError. */
export function decodeRecipient(recipient: string): Uint8Array<ArrayBuffer> {
  return decode(RECIPIENT_PREFIX, recipient);
}

function required(key: Uint8Array, what: string): Uint8Array {
  if (key.length !== KEY_BYTES) {
    throw new AgeKeyError(`${what} is ${KEY_BYTES} bytes, not ${key.length}`);
  }
  return key;
}

function encode(prefix: string, key: Uint8Array): string {
  return bech32.encode(prefix, bech32.toWords(key), false);
}

function decode(expectedPrefix: string, text: string): Uint8Array<ArrayBuffer> {
  const decoded = bech32.decodeUnsafe(text, false);
  // Padding must be zero bits (BIP 173), so that a key has one spelling only.
  const key = decoded?.prefix === expectedPrefix ? bech32.fromWordsUnsafe(decoded.words) : undefined;
  if (!(key instanceof Uint8Array) || key.length !== KEY_BYTES) {
    throw new AgeKeyError(`text is not an age key with the prefix ${expectedPrefix}`);
  }
  return copied(key);
}
