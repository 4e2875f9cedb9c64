/** Storing an envelope: only who began the ceremony can fill it, since the request names the hash of a fresh secret. */

import { sha256 } from "@noble/hashes/sha2.js";

import type { Assertion, Authenticator } from "../authenticators/port.ts";
import { concat, equal } from "../bytes.ts";
import type { EnvelopeContent } from "../envelope-content.ts";
import { encodeVaultHeldEnvelope, openEnvelope, sealEnvelope } from "../envelope.ts";
import { ReplyMismatch } from "../errors.ts";
import { hashFields } from "../fields.ts";
import { StoreReplySchema, VaultService } from "../gen/strongroom/v1/vault_service_pb.js";
import { sealToVault } from "../hpke.ts";
import { wireMode, type Mode } from "../modes.ts";
import type { Session } from "../session.ts";
import type { CredentialSet } from "../verification/credential-sets.ts";
import { learn, parse, requireUncontested, type Verified } from "./answers.ts";
import { begin, complete, expectedMode, onceMore, sign, type Begun } from "./ceremonies.ts";
import { assertionMessage } from "./messages.ts";
import { prfIdentity } from "./signing.ts";

const SECRET_BYTES = 32;
const SECRET_LABEL = "strongroom/v1/store-secret";

/** What a store makes of the ceremony and the assertion. */
export type ContentFor = (begun: Begun, assertion: Assertion) => EnvelopeContent;

/** The archive version that the vault gave an envelope. */
export interface Stored {
  readonly archiveVersion: bigint;
}

/**
 * Store `content` as a new archive version. One prompt; a second one if another change came between.
 *
 * Throws WrongPrf where the passkey used does not open the envelope, so that it was not sent.
 */
export async function store(
  session: Session,
  authenticator: Authenticator,
  content: EnvelopeContent,
  mode: Mode | undefined,
): Promise<Stored> {
  requireUncontested(session);
  const chosen = expectedMode(session, mode);
  return onceMore(() => storeOnce(session, authenticator, { contentFor: () => content, mode: chosen }));
}

/**
 * Store in one ceremony. `effective` are the credentials after a first store, which makes the recovery one effective.
 */
export async function storeOnce(
  session: Session,
  authenticator: Authenticator,
  { contentFor, mode, effective }: { contentFor: ContentFor; mode: Mode; effective?: CredentialSet },
): Promise<Stored> {
  const secret = session.random(SECRET_BYTES);
  const value = { secretSha256: hashFields(SECRET_LABEL, secret), mode: wireMode(mode) };
  const begun = await begin(session, { case: "store", value }, mode);
  const assertion = await sign(begun, authenticator);
  const envelope = await lockEnvelope(contentFor(begun, assertion), mode, assertion);
  const { transportKey, transportKeyId } = begun.service.bundle;
  const { ceremony, challenge } = begun.checked;
  const sealedEnvelope = await sealToVault(concat(secret, envelope), transportKey, challenge);
  const request = { ceremony, assertion: assertionMessage(assertion), sealedEnvelope, transportKeyId };
  const verified = await complete(session, begun, VaultService.method.storeEnvelope, request, "store");
  await learn(session, verified, { ...session.memory, mode }, { credentials: effective ?? begun.credentials });
  return checkStored(parse(StoreReplySchema, verified.reply), verified, envelope);
}

/** The archive version that the vault has signed for, of exactly `envelope`. Throws ReplyMismatch. */
export function checkStored(
  reply: { archiveVersion: bigint; envelopeSha256: Uint8Array },
  verified: Verified,
  envelope: Uint8Array,
): Stored {
  if (!equal(reply.envelopeSha256, sha256(envelope))) {
    throw new ReplyMismatch("the vault signed that it stored another envelope than this client sent");
  }
  if (reply.archiveVersion !== verified.position.version) {
    throw new ReplyMismatch("the vault gave the envelope another archive version than its record's");
  }
  return { archiveVersion: reply.archiveVersion };
}

/** `content` locked in `mode`; in PRF mode only if the passkey just used opens it: else PrfUnavailable or WrongPrf. */
async function lockEnvelope(content: EnvelopeContent, mode: Mode, assertion: Assertion): Promise<Uint8Array> {
  if (mode === "vault-held") {
    return encodeVaultHeldEnvelope(content);
  }
  const envelope = await sealEnvelope(content);
  await openEnvelope(envelope, prfIdentity(assertion));
  return envelope;
}
