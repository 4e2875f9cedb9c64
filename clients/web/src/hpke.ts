/**
 * HPKE (RFC 9180), base mode, both ways: envelopes to the vault, replies to this client.
 *
 * Suite 1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. Sealed bytes are enc (32) || ciphertext. Each sealed
 * message belongs to one ceremony and one direction, by its `info`.
 */

import { Aes256Gcm, CipherSuite, HkdfSha256 } from "@hpke/core";
import { DhkemX25519HkdfSha256 } from "@hpke/dhkem-x25519";

import { concat, copied, utf8 } from "./bytes.ts";
import { ReplyMismatch } from "./errors.ts";
import { encodeFields } from "./fields.ts";

export const SUITE_ID = 1;
const LABEL = "strongroom/v1/hpke";
const ENC_BYTES = 32;
const SUITE = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });

/** A recipient key for one ceremony; the private part stays in here. */
export interface Recipient {
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly privateKey: CryptoKey;
}

/** Make a recipient key. */
export async function generateRecipient(): Promise<Recipient> {
  const pair = await SUITE.kem.generateKeyPair();
  return { publicKey: new Uint8Array(await SUITE.kem.serializePublicKey(pair.publicKey)), privateKey: pair.privateKey };
}

/** Seal `plaintext` to a transport key of the vault (X25519, 32 bytes) for the ceremony of `challenge`. */
export async function sealToVault(
  plaintext: Uint8Array,
  transportKey: Uint8Array,
  challenge: Uint8Array,
): Promise<Uint8Array> {
  const recipientPublicKey = await SUITE.kem.deserializePublicKey(buffer(transportKey));
  const { enc, ct } = await SUITE.seal({ recipientPublicKey, info: info("to-keeper", challenge) }, buffer(plaintext));
  return concat(new Uint8Array(enc), new Uint8Array(ct));
}

/** Open what the vault sealed to this ceremony's recipient key. Throws ReplyMismatch where it was not. */
export async function openFromVault(
  sealed: Uint8Array,
  recipientKey: CryptoKey,
  challenge: Uint8Array,
): Promise<Uint8Array> {
  const opening = { recipientKey, enc: buffer(sealed.subarray(0, ENC_BYTES)), info: info("to-client", challenge) };
  try {
    return new Uint8Array(await SUITE.open(opening, buffer(sealed.subarray(ENC_BYTES))));
  } catch {
    throw new ReplyMismatch("the released envelopes are not sealed to this request");
  }
}

function info(direction: "to-keeper" | "to-client", challenge: Uint8Array): ArrayBuffer {
  return encodeFields(LABEL, utf8(direction), SUITE_ID, challenge).buffer;
}

function buffer(bytes: Uint8Array): ArrayBuffer {
  return copied(bytes).buffer;
}
