/**
 * The envelope: the client's archive identities, locked by the client before the vault sees them.
 *
 * Its first byte tells the mode: `prf` (default) is an age file and begins with `a`; `vault-held` is 0x01 and the
 * content in clear, written and read by functions of their own, so that no caller accepts it by accident. A passkey's
 * age identity is HKDF-SHA256 of its PRF output for the constant input (docs/protocol.md section 8).
 */

import { Decrypter, Encrypter } from "age-encryption";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";

import { ArchiveIdentity, KEY_BYTES } from "./age-keys.ts";
import { concat, type SecretBytes } from "./bytes.ts";
import {
  decodeContent,
  encodeContent,
  EnvelopeCorrupt,
  EnvelopeError,
  recipientsOf,
  type EnvelopeContent,
} from "./envelope-content.ts";
import { encodeFields, hashFields } from "./fields.ts";

export const MAX_ENVELOPE_BYTES = 16 * 1024;
export const PRF_OUTPUT_BYTES = 32;
/** `prf.eval.first` of every assertion (WebAuthn Level 3, section 10.1.4), 32 bytes. */
export const PRF_INPUT = hashFields("strongroom/v1/prf-input");

const WRAP_LABEL = "strongroom/v1/passkey-wrap";
const AGE_FIRST_BYTE = 0x61;
const VAULT_HELD_FIRST_BYTE = 0x01;
/** age-encryption's text for a file that none of the identities opens; it gives no other sign. Pinned by a test. */
export const NO_MATCH = "no identity matched any of the file's recipients";

/** The envelope exceeds the vault's 16 KiB; fewer old identities or passkeys make it fit. */
export class EnvelopeTooLarge extends EnvelopeError {
  override name = "EnvelopeTooLarge";
}

/**
 * The identity does not open this envelope: this passkey's PRF gave another value than when it was added.
 *
 * The vault released it, so no attempt was lost.
 */
export class WrongPrf extends EnvelopeError {
  override name = "WrongPrf";
}

/** The envelope is of another mode than the caller expects. */
export class WrongEnvelopeMode extends EnvelopeError {
  override name = "WrongEnvelopeMode";
}

/** The age identity of a passkey, from its PRF output (32 bytes) for `PRF_INPUT`. */
export function passkeyIdentity(prfOutput: SecretBytes, credentialId: Uint8Array): ArchiveIdentity {
  const output = prfOutput.reveal();
  if (output.length !== PRF_OUTPUT_BYTES) {
    throw new RangeError(`a PRF output is ${PRF_OUTPUT_BYTES} bytes, not ${output.length}`);
  }
  return new ArchiveIdentity(hkdf(sha256, output, undefined, encodeFields(WRAP_LABEL, credentialId), KEY_BYTES));
}

/** `content` encrypted to each of its passkeys and its recovery recipient, mode `prf`. Throws EnvelopeTooLarge. */
export async function sealEnvelope(content: EnvelopeContent): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  recipientsOf(content).forEach((recipient) => encrypter.addRecipient(recipient));
  return checkedSize(await encrypter.encrypt(encodeContent(content)));
}

/**
 * The content of an envelope of mode `prf`, with a passkey's or the recovery key's identity.
 *
 * Throws WrongPrf where `identity` does not open it, else WrongEnvelopeMode, EnvelopeCorrupt or EnvelopeTooLarge.
 */
export async function openEnvelope(envelope: Uint8Array, identity: ArchiveIdentity): Promise<EnvelopeContent> {
  requireMode(envelope, AGE_FIRST_BYTE);
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity.text());
  let content: Uint8Array;
  try {
    content = await decrypter.decrypt(envelope);
  } catch (error) {
    if (error instanceof Error && error.message === NO_MATCH) {
      throw new WrongPrf("this identity does not open the envelope");
    }
    throw new EnvelopeCorrupt("the envelope is not a whole age file");
  }
  return decodeContent(content);
}

/** `content` in clear, mode `vault-held`: whoever gets past the vault has the archive identities. */
export function encodeVaultHeldEnvelope(content: EnvelopeContent): Uint8Array {
  return checkedSize(concat(Uint8Array.of(VAULT_HELD_FIRST_BYTE), encodeContent(content)));
}

/** The content of an envelope of mode `vault-held`; only for an account that chose that mode. */
export function decodeVaultHeldEnvelope(envelope: Uint8Array): EnvelopeContent {
  requireMode(envelope, VAULT_HELD_FIRST_BYTE);
  return decodeContent(envelope.subarray(1));
}

function requireMode(envelope: Uint8Array, firstByte: number): void {
  if (checkedSize(envelope)[0] !== firstByte) {
    throw new WrongEnvelopeMode("the envelope is of another mode than expected");
  }
}

function checkedSize(envelope: Uint8Array): Uint8Array {
  if (envelope.length > MAX_ENVELOPE_BYTES) {
    throw new EnvelopeTooLarge(`an envelope has at most ${MAX_ENVELOPE_BYTES} bytes, this one ${envelope.length}`);
  }
  return envelope;
}
