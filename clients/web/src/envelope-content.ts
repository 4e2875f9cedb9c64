/**
 * What an envelope holds, and its bytes: format 1, strict and canonical, as in docs/protocol.md section 8.
 *
 * One content has one encoding: the decoder encodes what it has read again and refuses any difference.
 * tests/vectors/envelope.json holds examples.
 */

import { AgeKeyError, ArchiveIdentity, decodeRecipient, encodeRecipient } from "./age-keys.ts";
import { compare, equal, toHex, utf8 } from "./bytes.ts";
import { decodeFields, encodeFields, toInteger } from "./fields.ts";

const LABEL = "strongroom/v1/envelope-content";
const MAX_CREDENTIAL_ID_BYTES = 1023; // WebAuthn Level 3, section 5.8.3 and the limit in 7.1

/** Root of what can be wrong with an envelope. */
export class EnvelopeError extends Error {
  override name = "EnvelopeError";
}

/** The envelope or its content is not what a client writes; the message gives no content. */
export class EnvelopeCorrupt extends EnvelopeError {
  override name = "EnvelopeCorrupt";
}

/** One passkey that opens the envelope: its id (1 to 1023 bytes), and `age1...` derived from its PRF output. */
export interface PasskeyRecipient {
  readonly credentialId: Uint8Array;
  readonly recipient: string;
}

/** What the client gives the vault to keep. */
export interface EnvelopeContent {
  /** Newest first, at least one; new archives go to the first one's recipient. */
  readonly archiveIdentities: readonly ArchiveIdentity[];
  /** In rising order of credential id. */
  readonly passkeyRecipients: readonly PasskeyRecipient[];
  /** `age1...` of the recovery key in force. */
  readonly recoveryRecipient: string;
}

/** Put passkeys in their one order and refuse what has no encoding. Throws RangeError, of which AgeKeyError is one. */
export function envelopeContent(content: EnvelopeContent): EnvelopeContent {
  const passkeyRecipients = content.passkeyRecipients.toSorted((one, other) =>
    compare(one.credentialId, other.credentialId),
  );
  const ids = passkeyRecipients.map((passkey) => toHex(passkey.credentialId));
  if (content.archiveIdentities.length === 0) {
    throw new RangeError("an envelope holds at least one archive identity");
  }
  if (repeats(ids) || repeats(content.archiveIdentities.map((identity) => toHex(identity.reveal())))) {
    throw new RangeError("an envelope names each archive identity and each credential once");
  }
  if (passkeyRecipients.some(({ credentialId: { length } }) => length < 1 || length > MAX_CREDENTIAL_ID_BYTES)) {
    throw new RangeError(`a credential id has 1 to ${MAX_CREDENTIAL_ID_BYTES} bytes`);
  }
  const ordered = { ...content, passkeyRecipients };
  recipientsOf(ordered).forEach(decodeRecipient);
  return ordered;
}

/** Every recipient that the envelope is encrypted to: each passkey's and the recovery key's. */
export function recipientsOf(content: EnvelopeContent): string[] {
  return [...content.passkeyRecipients.map((passkey) => passkey.recipient), content.recoveryRecipient];
}

/** The one encoding of `content`: secret bytes. */
export function encodeContent(content: EnvelopeContent): Uint8Array {
  return encodeFields(
    LABEL,
    content.archiveIdentities.length,
    ...content.archiveIdentities.map((identity) => identity.reveal()),
    content.passkeyRecipients.length,
    ...content.passkeyRecipients.flatMap((passkey) => [passkey.credentialId, decodeRecipient(passkey.recipient)]),
    decodeRecipient(content.recoveryRecipient),
  );
}

/** Read what `encodeContent` wrote, and nothing else. Throws EnvelopeCorrupt. */
export function decodeContent(encoded: Uint8Array): EnvelopeContent {
  let content: EnvelopeContent;
  try {
    content = read(decodeFields(encoded));
  } catch (error) {
    if (error instanceof RangeError || error instanceof AgeKeyError) {
      throw new EnvelopeCorrupt("envelope content is not in format 1");
    }
    throw error;
  }
  if (!equal(encodeContent(content), encoded)) {
    throw new EnvelopeCorrupt("envelope content is not in canonical form");
  }
  return content;
}

function read(fields: readonly Uint8Array[]): EnvelopeContent {
  let place = 0;
  const next = (): Uint8Array => {
    const field = fields[place];
    if (field === undefined) {
      throw new RangeError("a field is missing");
    }
    place += 1;
    return field;
  };
  // Each count is followed by as many fields: what is announced beyond what there is ends with the first missing one.
  const list = <Item>(item: () => Item): Item[] => {
    const items: Item[] = [];
    for (let left = toInteger(next()); left > 0n; left -= 1n) {
      items.push(item());
    }
    return items;
  };
  if (!equal(next(), utf8(LABEL))) {
    throw new RangeError("another label");
  }
  const archiveIdentities = list(() => new ArchiveIdentity(next()));
  const passkeyRecipients = list(() => ({ credentialId: next(), recipient: encodeRecipient(next()) }));
  return envelopeContent({ archiveIdentities, passkeyRecipients, recoveryRecipient: encodeRecipient(next()) });
}

function repeats(values: readonly string[]): boolean {
  return new Set(values).size !== values.length;
}
