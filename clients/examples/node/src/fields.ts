/** The one encoding under every hash, signature and derivation: docs/protocol.md, section 1. */
import { createHash } from "node:crypto";

export type Field = Uint8Array | bigint | number;

/** Each part a big-endian u32 length and its bytes; the label comes first, integers are u64. */
export function encodeFields(label: string, ...fields: Field[]): Buffer {
  const parts = [Buffer.from(label, "ascii"), ...fields.map(toBytes)];
  return Buffer.concat(parts.flatMap((part) => [uint32(part.length), part]));
}

/** H(label, ...): SHA-256 over the encoded fields. */
export function hashFields(label: string, ...fields: Field[]): Buffer {
  return sha256(encodeFields(label, ...fields));
}

/** The fields of `encoded`, the label first. */
export function decodeFields(encoded: Uint8Array): Buffer[] {
  const bytes = Buffer.from(encoded);
  const fields: Buffer[] = [];
  for (let position = 0; position < bytes.length; ) {
    const end = position + 4 + bytes.readUInt32BE(position);
    if (end > bytes.length) throw new Error("a field runs past the end");
    fields.push(bytes.subarray(position + 4, end));
    position = end;
  }
  return fields;
}

export function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function toBytes(field: Field): Uint8Array {
  if (field instanceof Uint8Array) return field;
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(field));
  return bytes;
}
