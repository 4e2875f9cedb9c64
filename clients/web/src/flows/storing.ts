/** Storing an envelope: only who began the ceremony can fill it, since the request names the hash of a fresh secret. */

import type { Assertion, Authenticator } from "../authenticators/port.ts";
import { concat, equal } from "../bytes.ts";
import type { EnvelopeContent } from "../envelope-content.ts";
import { BeginAgain, NewestUnopened, ReplyMismatch, VaultRefused } from "../errors.ts";
import { hashFields } from "../fields.ts";
import { StoreReplySchema, VaultService } from "../gen/strongroom/v1/vault_service_pb.js";
import { sealToVault } from "../hpke.ts";
import { wireMode, type Mode } from "../modes.ts";
import type { Session } from "../session.ts";
import { idsOf, type CredentialSet } from "../verification/credential-sets.ts";
import { keep, learn, parse, requireUncontested, type Verified } from "./answers.ts";
import { begin, complete, expectedMode, isOpenedAt, sign, type Begun } from "./ceremonies.ts";
import { lock, prfIdentity, type Locked } from "./locking.ts";
import { assertionMessage } from "./messages.ts";

const SECRET_BYTES = 32;
const SECRET_LABEL = "strongroom/v1/store-secret";

/** What a store makes of the ceremony and the assertion. */
export type ContentFor = (begun: Begun, assertion: Assertion) => EnvelopeContent;

/** The archive version that the vault gave an envelope. */
export interface Stored {
  readonly archiveVersion: bigint;
}

/**
 * Store `content` as a new archive version, in place of what this session has opened before. One prompt.
 *
 * Throws NewestUnopened: this session has not opened the newest envelope, which `content` would replace. BeginAgain:
 * another change came since it did; nobody was asked to sign: release, and decide anew. ReplyMismatch: `content` is not
 * for exactly the passkeys that the vault knows. WrongPrf: the passkey used does not open the envelope, which therefore
 * was not sent.
 */
export async function store(
  session: Session,
  authenticator: Authenticator,
  content: EnvelopeContent,
  mode: Mode | undefined,
): Promise<Stored> {
  requireUncontested(session);
  const chosen = expectedMode(session, mode);
  if (session.openedAt === undefined) {
    throw new NewestUnopened("release first: what is stored replaces the newest envelope, whatever that holds");
  }
  const { stored } = await storeOnce(session, authenticator, { contentFor: () => content, mode: chosen });
  return stored;
}

/**
 * Store in one ceremony. `to` is the mode that it is locked in, else `mode`, that of the envelope before. `allow` are
 * the passkeys that may sign, else all. `effective` are the credentials after a first store, which makes the recovery
 * one effective.
 *
 * Before a store in mode vault-held is sent, this device remembers that it accepts that mode: if the answer is lost, or
 * the page is closed, it still goes on with what the vault then has, the old envelope or the new one.
 */
export async function storeOnce(
  session: Session,
  authenticator: Authenticator,
  what: {
    readonly contentFor: ContentFor;
    readonly mode: Mode;
    readonly to?: Mode;
    readonly allow?: readonly Uint8Array[];
    readonly effective?: CredentialSet;
  },
): Promise<{ locked: Locked; stored: Stored }> {
  const { contentFor, mode, to = mode, effective } = what;
  const secret = session.random(SECRET_BYTES);
  const value = { secretSha256: hashFields(SECRET_LABEL, secret), mode: wireMode(to) };
  const begun = await begin(session, { case: "store", value }, mode);
  if (effective === undefined && !isOpenedAt(session, begun)) {
    throw new BeginAgain("BEGIN_AGAIN");
  }
  const assertion = await sign(begun, authenticator, what.allow);
  const content = contentFor(begun, assertion);
  const opens = to === "prf" ? [prfIdentity(assertion)] : [];
  const locked = await lock(content, { mode: to, passkeys: idsOf(begun.credentials), opens });
  const verified = await send(session, begun, { assertion, secret, locked });
  await learn(session, verified, { ...session.memory, mode: to }, { credentials: effective ?? begun.credentials });
  const stored = checkStored(parse(StoreReplySchema, verified.reply), verified, locked);
  session.openedAt = verified.position;
  return { locked, stored };
}

async function send(
  session: Session,
  begun: Begun,
  { assertion, secret, locked }: { assertion: Assertion; secret: Uint8Array; locked: Locked },
): Promise<Verified> {
  const { transportKey, transportKeyId } = begun.service.bundle;
  const { ceremony, challenge } = begun.checked;
  const before = session.memory.mode;
  const sealedEnvelope = await sealToVault(concat(secret, locked.envelope), transportKey, challenge);
  const request = { ceremony, assertion: assertionMessage(assertion), sealedEnvelope, transportKeyId };
  if (locked.mode === "vault-held") {
    await rememberMode(session, locked.mode);
  }
  try {
    return await complete(session, begun, VaultService.method.storeEnvelope, request, "store");
  } catch (error) {
    if (error instanceof VaultRefused) {
      await rememberMode(session, before);
    }
    throw error;
  }
}

async function rememberMode(session: Session, mode: Mode | undefined): Promise<void> {
  if (session.memory.mode !== mode) {
    session.memory = { ...session.memory, mode };
    await keep(session);
  }
}

/** The archive version that the vault has signed for, of exactly the envelope that was sent. Throws ReplyMismatch. */
export function checkStored(
  reply: { archiveVersion: bigint; envelopeSha256: Uint8Array },
  verified: Verified,
  locked: Locked,
): Stored {
  if (!equal(reply.envelopeSha256, locked.sha256)) {
    throw new ReplyMismatch("the vault signed that it stored another envelope than this client sent");
  }
  if (reply.archiveVersion !== verified.position.version) {
    throw new ReplyMismatch("the vault gave the envelope another archive version than its record's");
  }
  return { archiveVersion: reply.archiveVersion };
}
