/**
 * The one encoding under every hash, signature and derivation context, as in docs/protocol.md section 1.
 *
 * A list of fields, each a big-endian u32 length followed by that many bytes. The first one is the label that names the
 * use, so that no input of one use can ever equal an input of another; lengths make the encoding injective.
 * tests/vectors/fields.json holds it together with the service's and the Python client's.
 */

import { sha256 } from "@noble/hashes/sha2.js";

import { concat, copied, utf8 } from "./bytes.ts";

const LENGTH_BYTES = 4;
const INTEGER_BYTES = 8;
const MAX_INTEGER = 2n ** 64n - 1n;

/** Bytes are not a list of length-prefixed fields; the message gives no content. */
export class FieldsError extends RangeError {
  override name = "FieldsError";
}

/**
 * Encode `label` (ASCII) and `fields` (bytes, or whole numbers as u64). Throws a RangeError for what has no encoding.
 */
export function encodeFields(
  label: string,
  ...fields: readonly (Uint8Array | bigint | number)[]
): Uint8Array<ArrayBuffer> {
  if (!/^[\0-\x7f]*$/.test(label)) {
    throw new RangeError("a label is ASCII");
  }
  const parts = [utf8(label), ...fields.map(toBytes)];
  return concat(...parts.flatMap((part) => [lengthOf(part), part]));
}

/** SHA-256 (32 bytes) over `encodeFields(label, ...fields)`. */
export function hashFields(
  label: string,
  ...fields: readonly (Uint8Array | bigint | number)[]
): Uint8Array<ArrayBuffer> {
  return copied(sha256(encodeFields(label, ...fields)));
}

/** The fields of `encoded`, the label first. Throws FieldsError where a length runs past the end. */
export function decodeFields(encoded: Uint8Array): Uint8Array<ArrayBuffer>[] {
  const view = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  const fields: Uint8Array<ArrayBuffer>[] = [];
  let position = 0;
  while (position < encoded.length) {
    const start = position + LENGTH_BYTES;
    const end = start > encoded.length ? start : start + view.getUint32(position);
    if (end > encoded.length) {
      throw new FieldsError(`field ${fields.length} runs past the end`);
    }
    fields.push(encoded.slice(start, end) as Uint8Array<ArrayBuffer>);
    position = end;
  }
  return fields;
}

/** Read a field that is a u64. */
export function toInteger(field: Uint8Array): bigint {
  if (field.length !== INTEGER_BYTES) {
    throw new FieldsError("a whole number is a u64");
  }
  return new DataView(field.buffer, field.byteOffset, field.byteLength).getBigUint64(0);
}

function toBytes(field: Uint8Array | bigint | number): Uint8Array {
  if (field instanceof Uint8Array) {
    return field;
  }
  const number = BigInt(field);
  if (number < 0n || number > MAX_INTEGER) {
    throw new RangeError("a whole number is out of the range of u64");
  }
  const encoded = new Uint8Array(INTEGER_BYTES);
  new DataView(encoded.buffer).setBigUint64(0, number);
  return encoded;
}

function lengthOf(part: Uint8Array): Uint8Array {
  const encoded = new Uint8Array(LENGTH_BYTES);
  new DataView(encoded.buffer).setUint32(0, part.length);
  return encoded;
}
