/** Receipts: the identity key's signature over what the keeper told whom (docs/protocol.md section 5). */

import { sha256 } from "@noble/hashes/sha2.js";

import { toHex } from "../bytes.ts";
import { ReceiptInvalid } from "../errors.ts";
import { hashFields } from "../fields.ts";
import type { Receipt } from "../gen/strongroom/v1/resources_pb.js";
import { HEAD_BYTES, type Position } from "./positions.ts";
import { checkSignature, WrongSignature } from "./signatures.ts";

/** The RPC that a receipt belongs to; its label is `strongroom/v1/receipt/` and this. */
export type ReceiptFor =
  | "get-service-info"
  | "get-vault"
  | "register"
  | "store"
  | "release"
  | "delete"
  | "add-credential"
  | "remove-credential"
  | "set-recovery"
  | "reopen"
  | "lift-quarantine"
  | "set-policy"
  | "reset"
  | "list-events";

/** Public keys by fingerprint, in hex: bytes are no keys of a Map. */
export type IdentityKeys = ReadonlyMap<string, Uint8Array>;

/** The label of a receipt. */
export function receiptLabel(receiptFor: ReceiptFor): string {
  return `strongroom/v1/receipt/${receiptFor}`;
}

/** The digest (32 bytes) that a receipt signs; `challenge` is the ceremony's, or the caller's nonce. */
export function receiptDigest(
  receiptFor: ReceiptFor,
  { challenge, replySha256, position }: { challenge: Uint8Array; replySha256: Uint8Array; position: Position },
): Uint8Array {
  return hashFields(receiptLabel(receiptFor), challenge, replySha256, position.version, position.chainHead);
}

/**
 * The position that a receipt speaks of, if one of `identityKeys` signed it.
 *
 * Throws ReceiptInvalid: signed by a key that does not count, or not signed for exactly this answer.
 */
export function checkReceipt(
  receipt: Receipt | undefined,
  asked: { receiptFor: ReceiptFor; challenge: Uint8Array; reply: Uint8Array; identityKeys: IdentityKeys },
): Position {
  const publicKey = receipt === undefined ? undefined : asked.identityKeys.get(toHex(receipt.identityFingerprint));
  if (receipt === undefined || publicKey === undefined) {
    throw new ReceiptInvalid("the receipt is by an identity key that does not count here");
  }
  if (receipt.chainHead.length !== HEAD_BYTES) {
    throw new ReceiptInvalid("the receipt's chain head is not one");
  }
  if (receipt.version > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new ReceiptInvalid("the receipt's version is not one that a record ever comes to");
  }
  const position = { version: receipt.version, chainHead: receipt.chainHead };
  const replySha256 = sha256(asked.reply);
  try {
    const digest = receiptDigest(asked.receiptFor, { challenge: asked.challenge, replySha256, position });
    checkSignature(receipt.signature, digest, publicKey);
  } catch (error) {
    if (error instanceof WrongSignature) {
      throw new ReceiptInvalid("the receipt does not fit this answer to this question");
    }
    throw error;
  }
  return position;
}
