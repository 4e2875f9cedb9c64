/**
 * Lines of the receipt log, format 1: JSON objects whose bytes are lower-case hex, each bound to the line before it.
 *
 *     previous = SHA-256 of fields("strongroom/v1/receipt-line", the line before, without its end); 32 zeros at the
 * start
 *
 * The same lines as the Python client's, so that what a browser hands out as `receipts-000001.jsonl` is examined by
 * `strongroom receipts verify`. What is kept of a receipt is enough to check its signature again.
 */

import { toHex, utf8 } from "./bytes.ts";
import { hashFields } from "./fields.ts";
import type { Millis } from "./timestamps.ts";
import type { Position } from "./verification/positions.ts";
import { receiptLabel, type ReceiptFor } from "./verification/receipts.ts";
import { wholeNumber } from "./strict-json.ts";

export const FORMAT = 1;
const LINE_LABEL = "strongroom/v1/receipt-line";
const FIRST = new Uint8Array(32);

/** A verified receipt, with what it answers. */
export interface KeptReceipt {
  readonly receiptFor: ReceiptFor;
  /** The ceremony's, or the nonce; 32 bytes. */
  readonly challenge: Uint8Array;
  /** The whole ceremony, from which anybody computes the challenge; undefined for a nonce. */
  readonly ceremony: Uint8Array | undefined;
  readonly replySha256: Uint8Array;
  /** The serialized reply; undefined where only its hash is kept. */
  readonly reply: Uint8Array | undefined;
  readonly position: Position;
  /** Public key that signed, uncompressed point. */
  readonly identityKey: Uint8Array;
  /** r || s, 64 bytes. */
  readonly signature: Uint8Array;
  /** This device's time. */
  readonly verifiedAt: Millis;
}

/** The user accepted that the vault goes on from `position`, although it had been further, or elsewhere. */
export interface Accepted {
  readonly accepted: Position;
  readonly at: Millis;
}

/** `entry` as a line, without its end, after the line `previous`. */
export function encodeLine(entry: KeptReceipt | Accepted, previous: string | undefined): string {
  const before = previous === undefined ? FIRST : hashFields(LINE_LABEL, utf8(previous));
  const content = "accepted" in entry ? acceptedDocument(entry) : receiptDocument(entry);
  return JSON.stringify({ format: FORMAT, previous: toHex(before), ...content });
}

function acceptedDocument({ accepted, at }: Accepted): Record<string, unknown> {
  return { entry: "accepted", ...positionDocument(accepted), at };
}

function receiptDocument(receipt: KeptReceipt): Record<string, unknown> {
  return {
    entry: "receipt",
    receipt_for: receiptLabel(receipt.receiptFor),
    challenge: toHex(receipt.challenge),
    ceremony: receipt.ceremony ? toHex(receipt.ceremony) : null,
    reply_sha256: toHex(receipt.replySha256),
    reply: receipt.reply ? toHex(receipt.reply) : null,
    ...positionDocument(receipt.position),
    identity_key: toHex(receipt.identityKey),
    signature: toHex(receipt.signature),
    verified_at: receipt.verifiedAt,
  };
}

function positionDocument({ version, chainHead }: Position): Record<string, unknown> {
  return { version: wholeNumber(version), chain_head: toHex(chainHead) };
}
