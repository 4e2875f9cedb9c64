/** Signed answers: verified, compared with what this device remembers, and remembered themselves. */

import { fromBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { sha256 } from "@noble/hashes/sha2.js";

import { toHex } from "../bytes.ts";
import { describePolicy, type Service } from "../descriptions.ts";
import { OriginNotAccepted, ReplyMismatch, VaultWentBack } from "../errors.ts";
import type { Receipt } from "../gen/strongroom/v1/resources_pb.js";
import { ServiceInfoReplySchema, VaultService, type ServiceInfoReply } from "../gen/strongroom/v1/vault_service_pb.js";
import { encodeMemory, type AccountMemory } from "../memory.ts";
import { ownersChanged, sameNotice, type Notice } from "../notices.ts";
import { encodeLine, type Accepted, type KeptReceipt } from "../receipt-log.ts";
import type { Session } from "../session.ts";
import { millisOf } from "../timestamps.ts";
import { mayCount, pinsOf, verifyBundle, type VerifiedBundle } from "../verification/bundles.ts";
import type { CredentialSet } from "../verification/credential-sets.ts";
import { limited, standingOf } from "../verification/owner-bundles.ts";
import { checkGoesOn, type Position } from "../verification/positions.ts";
import { checkReceipt, type IdentityKeys, type ReceiptFor } from "../verification/receipts.ts";

export const NONCE_BYTES = 32;
const KNOWN_ALGORITHMS: readonly number[] = [-7, -8, -257]; // ES256, EdDSA, RS256 (WebAuthn Level 3, section 5.8.5)
const REPLY_NOT_KEPT: readonly ReceiptFor[] = ["release", "list-events"]; // sealed to a key that is gone; long

/** Every response of the vault but BeginCeremony's. */
export interface SignedAnswer {
  readonly reply: Uint8Array;
  readonly receipt?: Receipt | undefined;
}

/** A verified answer: the reply's bytes, the position that it speaks of, and the receipt, which is kept already. */
export interface Verified {
  readonly reply: Uint8Array;
  readonly position: Position;
  readonly receipt: KeptReceipt;
}

/** Keep what was learned, and what is to be written beside it for good. */
export async function keep(session: Session, entry?: KeptReceipt | Accepted): Promise<void> {
  const memory = encodeMemory(session.memory);
  const line = entry && encodeLine(entry, await session.store.lastLine());
  await session.store.keep(line === undefined ? { memory } : { memory, line });
}

/** The vault's verified description, asked for where there is none or its bundle is over. */
export async function currentService(session: Session): Promise<Service> {
  const service = session.service;
  return service !== undefined && session.clock() <= service.bundle.notAfter ? service : askService(session);
}

/** Ask for the vault's description and keys, verify them, and remember the bundle. */
export async function askService(session: Session): Promise<Service> {
  const nonce = session.random(NONCE_BYTES);
  const answer = await session.connection.call(VaultService.method.getServiceInfo, { nonce });
  const reply = parse(ServiceInfoReplySchema, answer.reply);
  const known = session.memory.ownerBundle;
  const standing = standingOf(session.settings.trust, answer.ownerBundles, { known, now: session.clock() });
  const believed = { trust: standing.trust, seen: session.memory.bundles, now: session.clock() };
  const bundle = verifyBundle(reply.keyBundle, believed);
  const asked = { receiptFor: "get-service-info", challenge: nonce, identityKeys: bundle.identityKeys } as const;
  await keep(session, receiptOf(session, answer, asked));
  const service = describeService(session, reply, limited(bundle, standing));
  session.service = service;
  const bundles = new Map([
    ...session.memory.bundles,
    ...bundle.signers.map((signer) => [signer, bundle.seen] as const),
  ]);
  session.memory = { ...session.memory, pins: pinsOf(standing.trust), bundles, ownerBundle: standing.ownerBundle };
  await keep(session);
  tell(session, ownersChanged(known, standing.ownerBundle));
  return service;
}

/**
 * Verify an answer over `challenge`, that of `ceremony` or a nonce, and keep its receipt.
 *
 * It is kept whatever comes of the answer: where it does not fit what was asked, it proves what the vault did. Throws
 * ReceiptInvalid where it is not signed, as it is, for this question.
 */
export async function verifyAnswer(
  session: Session,
  answer: SignedAnswer,
  asked: { receiptFor: ReceiptFor; challenge: Uint8Array; ceremony?: Uint8Array },
): Promise<Verified> {
  let service = await currentService(session);
  const fingerprint = answer.receipt?.identityFingerprint ?? new Uint8Array(0);
  if (!service.bundle.identityKeys.has(toHex(fingerprint)) && mayCount(session.settings.trust, fingerprint)) {
    service = await askService(session); // a key that counts that came into use since the bundle was read
  }
  const receipt = receiptOf(session, answer, { ...asked, identityKeys: service.bundle.identityKeys });
  await keep(session, receipt);
  return { reply: answer.reply, position: receipt.position, receipt };
}

/**
 * Remember `memory` at the position of a verified answer, if that goes on from what is remembered.
 *
 * `seen` are the credentials that may sign at that position, and those of what is set aside, where the answer tells.
 * Throws VaultWentBack where it does not go on: both positions are kept as evidence, and nothing goes on until the user
 * accepts.
 */
export async function learn(
  session: Session,
  verified: Verified,
  memory: AccountMemory,
  seen?: { credentials: CredentialSet; setAside?: CredentialSet },
): Promise<void> {
  const [shown, known] = [verified.position, session.memory.position];
  try {
    checkGoesOn(shown, known);
  } catch (error) {
    if (error instanceof VaultWentBack) {
      await keepContested(session, verified);
    }
    throw error;
  }
  const credentials = seen && {
    credentials: seen.credentials,
    credentialsVersion: shown.version,
    setAside: seen.setAside,
  };
  session.memory = { ...memory, ...credentials, position: shown };
  await keep(session);
}

async function keepContested(session: Session, verified: Verified): Promise<void> {
  const [known, shown] = [session.memory.position, verified.position];
  const place = ({ version, chainHead }: Position): unknown => ({
    version: Number(version),
    chain_head: toHex(chainHead),
  });
  const receipt: unknown = JSON.parse(encodeLine(verified.receipt, undefined));
  const contested = JSON.stringify({ known: place(known), shown: place(shown), receipt }, undefined, 1);
  session.memory = { ...session.memory, contested: shown };
  await session.store.keep({ memory: encodeMemory(session.memory), contested });
}

/** Tell the user what has not been told in this session. */
export function tell(session: Session, notices: readonly Notice[]): void {
  for (const notice of notices) {
    if (!session.told.some((told) => sameNotice(told, notice))) {
      session.told.push(notice);
      session.notify(notice);
    }
  }
}

/** Stop, with VaultWentBack, where the vault went back earlier and the user has not accepted it. */
export function requireUncontested(session: Session): void {
  if (session.memory.contested !== undefined) {
    checkGoesOn(session.memory.contested, session.memory.position);
  }
}

/** Parse a reply. Throws ReplyMismatch where it is no such message. */
export function parse<Schema extends DescMessage>(schema: Schema, serialized: Uint8Array): MessageShape<Schema> {
  try {
    return fromBinary(schema, serialized);
  } catch {
    throw new ReplyMismatch(`the answer is no ${schema.name}`);
  }
}

/** Refuse a signed answer about another account. */
export function requireOwner(session: Session, named: { tenant: string; account: string }): void {
  const { tenant, account } = session.settings.owner;
  if (named.tenant !== tenant || named.account !== account) {
    throw new ReplyMismatch("the answer is about another account");
  }
}

function receiptOf(
  session: Session,
  answer: SignedAnswer,
  asked: { receiptFor: ReceiptFor; challenge: Uint8Array; ceremony?: Uint8Array; identityKeys: IdentityKeys },
): KeptReceipt {
  const { receiptFor, challenge, identityKeys } = asked;
  const position = checkReceipt(answer.receipt, { receiptFor, challenge, reply: answer.reply, identityKeys });
  const { identityFingerprint, signature } = answer.receipt as Receipt;
  return {
    receiptFor,
    challenge,
    ceremony: asked.ceremony,
    replySha256: sha256(answer.reply),
    reply: REPLY_NOT_KEPT.includes(receiptFor) ? undefined : answer.reply,
    position,
    identityKey: identityKeys.get(toHex(identityFingerprint)) as Uint8Array,
    signature,
    verifiedAt: session.clock(),
  };
}

function describeService(session: Session, reply: ServiceInfoReply, bundle: VerifiedBundle): Service {
  const { owner, rpId, origin = globalThis.location?.origin ?? reply.origins[0] ?? "" } = session.settings;
  if (reply.tenant !== owner.tenant) {
    throw new ReplyMismatch(
      `the vault takes this account token for one of tenant ${JSON.stringify(reply.tenant.slice(0, 64))}`,
    );
  }
  if (rpId !== undefined && rpId !== reply.rpId) {
    throw new ReplyMismatch(`the vault's RP ID is ${JSON.stringify(reply.rpId.slice(0, 253))}, not ${rpId}`);
  }
  if (!reply.origins.includes(origin)) {
    throw new OriginNotAccepted("the vault does not accept this client's origin");
  }
  return {
    tenant: reply.tenant,
    rpId: reply.rpId,
    origin,
    algorithms: reply.algorithms.filter((algorithm) => KNOWN_ALGORITHMS.includes(algorithm)),
    maxEnvelopeBytes: reply.maxEnvelopeBytes,
    policy: reply.policy && describePolicy(reply.policy),
    bundle,
    keeperTime: millisOf(reply.keeperTime, (problem) => new ReplyMismatch(problem)),
    development: reply.development,
  };
}
