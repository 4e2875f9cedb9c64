/** Bytes: joined, compared, written as text; and secret ones, which no log and no JSON shows. */

import { base64urlnopad } from "@scure/base";

/** Join `parts`. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let position = 0;
  for (const part of parts) {
    joined.set(part, position);
    position += part.length;
  }
  return joined;
}

/** Whether both hold the same bytes. For public values: how long it takes tells where they differ. */
export function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, place) => byte === other[place]);
}

/** Order by bytes, a prefix first: as Python orders bytes, and so as the vault orders credential ids. */
export function compare(one: Uint8Array, other: Uint8Array): number {
  const common = Math.min(one.length, other.length);
  for (let place = 0; place < common; place += 1) {
    const difference = (one[place] ?? 0) - (other[place] ?? 0);
    if (difference !== 0) {
      return difference;
    }
  }
  return one.length - other.length;
}

/** Write bytes as lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Read lower-case hex, and nothing else. Throws a RangeError that repeats nothing of the text. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) {
    throw new RangeError("text is not lower-case hex");
  }
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** Write bytes as base64url without padding, as WebAuthn does. */
export function toBase64url(bytes: Uint8Array): string {
  return base64urlnopad.encode(bytes);
}

/** A copy whose buffer holds nothing else: what WebAuthn and Web Crypto are given. */
export function copied(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

/** UTF-8. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return copied(new TextEncoder().encode(text));
}

/** Secret bytes: only `reveal` gives them; JSON, logs and string concatenation show that there is a secret. */
export class SecretBytes {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = copied(bytes);
  }

  /** Give a copy of the bytes. */
  reveal(): Uint8Array<ArrayBuffer> {
    return copied(this.#bytes);
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }
}
