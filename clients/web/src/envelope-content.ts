/**
 * What an envelope holds, and its bytes: strict and canonical, as in docs/protocol.md section 8. Format 1, or 2 where a
 * passkey has a name.
 *
 * One content has one encoding: the decoder encodes what it has read again and refuses any difference.
 * tests/vectors/envelope.json and envelope_names.json hold examples.
 */

import { AgeKeyError, ArchiveIdentity, decodeRecipient, encodeRecipient } from "./age-keys.ts";
import { compare, equal, toHex, utf8 } from "./bytes.ts";
import { decodeFields, encodeFields, toInteger } from "./fields.ts";
import { checkName } from "./passkey-names.ts";

const LABEL = "strongroom/v1/envelope-content";
const NAMED_LABEL = "strongroom/v1/envelope-content-named";
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

/** What a person calls a passkey: its id (1 to 1023 bytes), and a name as passkey-names.ts allows it. */
export interface PasskeyName {
  readonly credentialId: Uint8Array;
  readonly name: string;
}

/** What the client gives the vault to keep. */
export interface EnvelopeContent {
  /** Newest first, at least one; new archives go to the first one's recipient. */
  readonly archiveIdentities: readonly ArchiveIdentity[];
  /** In rising order of credential id. */
  readonly passkeyRecipients: readonly PasskeyRecipient[];
  /** `age1...` of the recovery key in force. */
  readonly recoveryRecipient: string;
  /** Of passkeys that have one, in rising order of credential id likewise. */
  readonly passkeyNames: readonly PasskeyName[];
}

/** Put passkeys in their one order and refuse what has no encoding. Throws RangeError, of which AgeKeyError is one. */
export function envelopeContent(content: EnvelopeContent): EnvelopeContent {
  const passkeyRecipients = content.passkeyRecipients.toSorted((one, other) =>
    compare(one.credentialId, other.credentialId),
  );
  const ids = passkeyRecipients.map((passkey) => toHex(passkey.credentialId));
  const passkeyNames = content.passkeyNames.toSorted((one, other) => compare(one.credentialId, other.credentialId));
  const names = passkeyNames.map(({ credentialId }) => toHex(credentialId));
  if (content.archiveIdentities.length === 0) {
    throw new RangeError("an envelope holds at least one archive identity");
  }
  if (
    repeats(ids) ||
    repeats(names) ||
    repeats(content.archiveIdentities.map((identity) => toHex(identity.reveal())))
  ) {
    throw new RangeError("an envelope names each archive identity and each credential once");
  }
  if (
    [...passkeyRecipients, ...passkeyNames].some(
      ({ credentialId: { length } }) => length < 1 || length > MAX_CREDENTIAL_ID_BYTES,
    )
  ) {
    throw new RangeError(`a credential id has 1 to ${MAX_CREDENTIAL_ID_BYTES} bytes`);
  }
  const ordered = { ...content, passkeyRecipients, passkeyNames };
  recipientsOf(ordered).forEach(decodeRecipient);
  passkeyNames.forEach(({ name }) => checkName(name));
  return ordered;
}

/** The content with `name` for that passkey; with none where it is empty. */
export function naming(content: EnvelopeContent, credentialId: Uint8Array, name: string): EnvelopeContent {
  const others = content.passkeyNames.filter((one) => !equal(one.credentialId, credentialId));
  return { ...content, passkeyNames: name === "" ? others : [...others, { credentialId, name }] };
}

/** Every recipient that the envelope is encrypted to: each passkey's and the recovery key's. */
export function recipientsOf(content: EnvelopeContent): string[] {
  return [...content.passkeyRecipients.map((passkey) => passkey.recipient), content.recoveryRecipient];
}

/** The one encoding of `content`: secret bytes. */
export function encodeContent(content: EnvelopeContent): Uint8Array {
  const names = content.passkeyNames;
  return encodeFields(
    names.length > 0 ? NAMED_LABEL : LABEL,
    content.archiveIdentities.length,
    ...content.archiveIdentities.map((identity) => identity.reveal()),
    content.passkeyRecipients.length,
    ...content.passkeyRecipients.flatMap((passkey) => [passkey.credentialId, decodeRecipient(passkey.recipient)]),
    decodeRecipient(content.recoveryRecipient),
    ...(names.length > 0 ? [names.length] : []),
    ...names.flatMap(({ credentialId, name }) => [credentialId, utf8(name)]),
  );
}

/** Read what `encodeContent` wrote, and nothing else. Throws EnvelopeCorrupt. */
export function decodeContent(encoded: Uint8Array): EnvelopeContent {
  let content: EnvelopeContent;
  try {
    content = read(decodeFields(encoded));
  } catch (error) {
    if (error instanceof RangeError || error instanceof AgeKeyError) {
      throw new EnvelopeCorrupt("envelope content is in no format that this client knows");
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
  const label = next();
  const isNamed = equal(label, utf8(NAMED_LABEL));
  if (!isNamed && !equal(label, utf8(LABEL))) {
    throw new RangeError("another label");
  }
  const archiveIdentities = list(() => new ArchiveIdentity(next()));
  const passkeyRecipients = list(() => ({ credentialId: next(), recipient: encodeRecipient(next()) }));
  const recoveryRecipient = encodeRecipient(next());
  const passkeyNames = isNamed ? list(() => ({ credentialId: next(), name: textOf(next()) })) : [];
  return envelopeContent({ archiveIdentities, passkeyRecipients, recoveryRecipient, passkeyNames });
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new RangeError("a name is not UTF-8");
  }
}

function repeats(values: readonly string[]): boolean {
  return new Set(values).size !== values.length;
}
