/** Members of a JSON document, each of exactly its type. Throws RangeError or TypeError, which callers translate. */

import { fromHex } from "./bytes.ts";

/** Read null as undefined, or what `decode` reads. */
export function optional<Value>(value: unknown, decode: (value: unknown) => Value): Value | undefined {
  return value === null ? undefined : decode(value);
}

/** Read an object with exactly these members. */
export function members<Name extends string>(value: unknown, names: readonly Name[]): Record<Name, unknown> {
  const found = mapping(value);
  if (Object.keys(found).length !== names.length || names.some((name) => !Object.hasOwn(found, name))) {
    throw new RangeError("other members");
  }
  return found as Record<Name, unknown>;
}

/** Read an object. */
export function mapping(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError("no object");
  }
  return value as Record<string, unknown>;
}

/** Read an array. */
export function elements(value: unknown): unknown[] {
  if (!Array.isArray(value)) {
    throw new TypeError("no array");
  }
  return value;
}

/** Read a string. */
export function text(value: unknown): string {
  if (typeof value !== "string") {
    throw new TypeError("no string");
  }
  return value;
}

/** Read a whole number, not negative, that was not rounded. */
export function count(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw new RangeError("no whole number");
  }
  return value;
}

/** As `count`, for numbers that are u64 in the protocol. */
export function bigCount(value: unknown): bigint {
  return BigInt(count(value));
}

/** A u64 as a JSON number. Throws RangeError where it would be rounded. */
export function wholeNumber(value: bigint): number {
  return count(Number(value));
}

/** Read lower-case hex, of `length` bytes where one is given. */
export function octets(value: unknown, length?: number): Uint8Array {
  const read = fromHex(text(value));
  if (length !== undefined && read.length !== length) {
    throw new RangeError("another length");
  }
  return read;
}
