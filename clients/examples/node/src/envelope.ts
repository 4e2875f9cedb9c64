/** What the vault keeps, locked before it gets there, and the recovery key: docs/protocol.md, section 8. */
import { createPrivateKey, createPublicKey, hkdfSync } from "node:crypto";
import { bech32 } from "@scure/base";
import { Decrypter, Encrypter, identityToRecipient } from "age-encryption";
import { decodeFields, encodeFields, hashFields } from "./fields.ts";

export const PRF_INPUT = hashFields("strongroom/v1/prf-input");
const CONTENT_LABEL = "strongroom/v1/envelope-content";

/** What an envelope holds. Identities are `AGE-SECRET-KEY-1...`, newest first; recipients are `age1...`. */
export interface Content {
  archiveIdentities: string[];
  passkeyRecipients: { credentialId: Buffer; recipient: string }[];
  recoveryRecipient: string;
}

/** The age identity of a passkey, from its PRF output for PRF_INPUT. */
export function passkeyIdentity(prfOutput: Buffer, credentialId: Buffer): string {
  return identityOf(derive(prfOutput, encodeFields("strongroom/v1/passkey-wrap", credentialId)));
}

/** `content`, encrypted to each passkey and to the recovery key. */
export async function sealEnvelope(content: Content): Promise<Buffer> {
  const encrypter = new Encrypter();
  for (const { recipient } of content.passkeyRecipients) encrypter.addRecipient(recipient);
  encrypter.addRecipient(content.recoveryRecipient);
  return Buffer.from(await encrypter.encrypt(await encodeContent(content)));
}

/** The content of an envelope of mode `prf`. */
export async function openEnvelope(envelope: Buffer, identity: string): Promise<Content> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  const encoded = Buffer.from(await decrypter.decrypt(envelope));
  const content = decodeContent(encoded);
  if (!(await encodeContent(content)).equals(encoded)) throw new Error("the envelope's content is not in its one form");
  return content;
}

export async function encodeContent(content: Content): Promise<Buffer> {
  const passkeys = [...content.passkeyRecipients].sort((a, b) => Buffer.compare(a.credentialId, b.credentialId));
  return encodeFields(
    CONTENT_LABEL,
    content.archiveIdentities.length,
    ...content.archiveIdentities.map((identity) => fromBech32("age-secret-key-", identity.toLowerCase())),
    passkeys.length,
    ...passkeys.flatMap(({ credentialId, recipient }) => [credentialId, fromBech32("age", recipient)]),
    fromBech32("age", content.recoveryRecipient),
  );
}

export function decodeContent(encoded: Buffer): Content {
  const fields = decodeFields(encoded);
  const next = (): Buffer => {
    const field = fields.shift();
    if (field === undefined) throw new Error("the envelope's content is cut short");
    return field;
  };
  const list = <Item>(read: () => Item): Item[] => Array.from({ length: Number(next().readBigUInt64BE()) }, read);
  if (next().toString("ascii") !== CONTENT_LABEL) throw new Error("the envelope's content is of another format");
  const archiveIdentities = list(() => identityOf(next()));
  const passkeyRecipients = list(() => ({ credentialId: next(), recipient: bech32.encodeFromBytes("age", next()) }));
  return { archiveIdentities, passkeyRecipients, recoveryRecipient: bech32.encodeFromBytes("age", next()) };
}

/** What follows from a recovery key's seed: its age identity and recipient, and the recovery credential's public key. */
export async function recoveryKey(seed: Buffer) {
  const identity = identityOf(derive(seed, encodeFields("strongroom/v1/recovery-age")));
  const ed25519 = derive(seed, encodeFields("strongroom/v1/recovery-credential"));
  const pkcs8 = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), ed25519]);
  const spki = createPublicKey(createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" })).export({ format: "der", type: "spki" });
  return { identity, recipient: await identityToRecipient(identity), publicKey: spki.subarray(-32) };
}

/** The recovery key as people write it down: 8 rows of 8 hex digits and a check digit over GF(16). */
export function recoveryRows(seed: Buffer): string[] {
  return Array.from({ length: 8 }, (_, row) => {
    const digits = seed.subarray(4 * row, 4 * row + 4).toString("hex");
    const elements = [row + 1, ...[...digits].reverse().map((digit) => Number.parseInt(digit, 16)), 0];
    const check = elements.reduce((total, element) => timesGenerator(total) ^ element, 0);
    return `${digits.slice(0, 4)} ${digits.slice(4)}-${check.toString(16)}`;
  });
}

function timesGenerator(element: number): number {
  return element & 8 ? (element << 1) ^ 0b1_0011 : element << 1; // modulo x^4 + x + 1
}

function identityOf(secret: Buffer): string {
  return bech32.encodeFromBytes("age-secret-key-", secret).toUpperCase();
}

function fromBech32(prefix: string, text: string): Uint8Array {
  const decoded = bech32.decodeToBytes(text);
  if (decoded.prefix !== prefix || decoded.bytes.length !== 32) throw new Error(`text is no key beginning with ${prefix}1`);
  return decoded.bytes;
}

function derive(secret: Buffer, info: Buffer): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, Buffer.alloc(0), info, 32));
}
