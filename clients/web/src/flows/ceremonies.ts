/** Ceremonies: begun, checked before anybody is prompted, completed, and completed again when the answer was lost. */

import {
  create,
  toBinary,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";

import type { Assertion, Authenticator } from "../authenticators/port.ts";
import { AuthenticatorError, NoMatchingCredential } from "../authenticators/port.ts";
import type { Service } from "../descriptions.ts";
import { PRF_INPUT } from "../envelope.ts";
import {
  BeginAgain,
  Exhausted,
  NoVault,
  OutcomeUnknown,
  ReceiptInvalid,
  Unavailable,
  UnpinnedVault,
  VaultClosed,
} from "../errors.ts";
import { CeremonyRequestSchema, ReopenTarget, type CeremonyRequest } from "../gen/strongroom/v1/ceremony_pb.js";
import { VaultService, type BeginCeremonyResponse } from "../gen/strongroom/v1/vault_service_pb.js";
import { knownDigest } from "../memory.ts";
import type { Mode } from "../modes.ts";
import { credentialsChanged, pendingNotices } from "../notices.ts";
import type { Session } from "../session.ts";
import type { Millis } from "../timestamps.ts";
import { digestOf, holds, idsOf, credentialSet, type CredentialSet } from "../verification/credential-sets.ts";
import { samePosition } from "../verification/positions.ts";
import type { ReceiptFor } from "../verification/receipts.ts";
import { checkCeremony, type CheckedCeremony } from "../verification/statements.ts";
import { currentService, tell, verifyAnswer, type SignedAnswer, type Verified } from "./answers.ts";
import { look } from "./reading.ts";

export const CLIENT_RANDOM_BYTES = 32;
/** How long to wait before each further try of a completion whose answer was lost. */
export const RESEND_PAUSES_MS: readonly number[] = [200, 800, 2000];
/** How long the vault knows again the nonce of a change without a ceremony. */
export const NONCE_KNOWN_MS = 120 * 1000;

/** What is asked for, without what every request has. */
export type Operation = CeremonyRequest["operation"];
/** As messages are given to be made: members that are messages themselves may be plain. */
export type OperationInit = NonNullable<MessageInitShape<typeof CeremonyRequestSchema>["operation"]>;

/** A ceremony that may be signed, and the credentials of the life that it is about. */
export interface Begun {
  readonly checked: CheckedCeremony;
  readonly credentials: CredentialSet;
  readonly service: Service;
  /** How the envelope is locked. */
  readonly mode: Mode;
  readonly aboutSetAside: boolean;
}

/**
 * `chosen`, or else what this device locked with before, or else PRF: vault-held is never taken unasked.
 *
 * Throws UnpinnedVault for vault-held, whose only lock is the vault, without a pinned identity key.
 */
export function expectedMode(session: Session, chosen: Mode | undefined): Mode {
  const mode = chosen ?? session.memory.mode ?? "prf";
  if (mode === "vault-held" && "unpinned" in session.settings.trust) {
    throw new UnpinnedVault("mode vault-held rests on the vault alone, so that its identity key must be pinned");
  }
  return mode;
}

/**
 * Begin a ceremony for `operation`, and check that what came back is about exactly that. Throws NotProven.
 *
 * `mayLockBetter`: a vault that was moved from vault-held to PRF elsewhere will do as well; never the other way.
 */
export async function begin(
  session: Session,
  operation: OperationInit,
  mode: Mode,
  { mayLockBetter = false }: { mayLockBetter?: boolean } = {},
): Promise<Begun> {
  const service = await currentService(session);
  const request = toBinary(
    CeremonyRequestSchema,
    create(CeremonyRequestSchema, {
      clientRandom: session.random(CLIENT_RANDOM_BYTES),
      // A registration begins a record's life, in which nothing was opened.
      openedArchiveVersion: operation.case === "register" ? 0n : session.memory.openedArchiveVersion,
      operation,
    }),
  );
  const answer = await ask(session, request);
  const credentials = credentialSet(answer.credentials, answer.recoveryPublicKey);
  const now = session.clock();
  const aboutSetAside = operation.case === "reopen" && operation.value?.target === ReopenTarget.SET_ASIDE;
  const { tenant, account } = session.settings.owner;
  const checked = checkCeremony(answer.ceremony, {
    request,
    tenant,
    account,
    rpId: service.rpId,
    origin: service.origin,
    modes: mayLockBetter ? [mode, "prf"] : [mode],
    known: session.memory.position,
    listedDigest: digestOf(credentials),
    knownDigest: knownDigest(session.memory, aboutSetAside, now),
    aboutSetAside,
    now,
  });
  tell(session, pendingNotices(checked.pending));
  return { checked, credentials, service, mode: checked.mode, aboutSetAside };
}

/** Whether a ceremony began where this session knows what the newest envelope holds. */
export function isOpenedAt(session: Session, begun: Begun): boolean {
  return session.openedAt !== undefined && samePosition(begun.checked.position, session.openedAt);
}

/** Ask for a ceremony. Where the vault says that it has none, find out what it has signed to be there. */
async function ask(session: Session, request: Uint8Array): Promise<BeginCeremonyResponse> {
  try {
    return await session.connection.call(VaultService.method.beginCeremony, { request });
  } catch (error) {
    const saysNothingIsThere = error instanceof NoVault || error instanceof Exhausted || error instanceof VaultClosed;
    if (saysNothingIsThere && session.memory.credentials !== undefined) {
      await look(session);
    }
    throw error;
  }
}

/** Ask the authenticator to sign a ceremony with one of the record's passkeys, or of those in `allow`. */
export async function sign(
  begun: Begun,
  authenticator: Authenticator,
  allow?: readonly Uint8Array[],
): Promise<Assertion> {
  const allowed = allow ?? idsOf(begun.credentials);
  if (allowed.length === 0) {
    throw new NoMatchingCredential("the vault has no passkey that may sign this"); // a browser would take it for "any"
  }
  const assertion = await authenticator.getAssertion({
    rpId: begun.service.rpId,
    origin: begun.service.origin,
    challenge: begun.checked.challenge,
    allow: allowed,
    prfInput: PRF_INPUT,
  });
  if (!holds(allowed, assertion.credentialId)) {
    throw new AuthenticatorError("the authenticator signed with a passkey that the vault does not have");
  }
  return assertion;
}

/**
 * Complete a ceremony and verify the answer. A lost answer is asked for again with the same bytes.
 *
 * That costs neither a prompt nor an attempt: until the ceremony ends, the vault gives a granted completion the same
 * answer again. Throws OutcomeUnknown where no answer came, VaultRefused, or ReceiptInvalid.
 */
export async function complete<Request extends DescMessage, Response extends DescMessage>(
  session: Session,
  begun: Begun,
  method: DescMethodUnary<Request, Response>,
  request: MessageInitShape<Request>,
  receiptFor: ReceiptFor,
): Promise<Verified> {
  const { ceremony, challenge, expiresAt, position, pending } = begun.checked;
  const answer = (await callUntilAnswered(session, method, request, expiresAt)) as unknown as SignedAnswer;
  const verified = await verifyAnswer(session, answer, { receiptFor, challenge, ceremony });
  // A ceremony lives at one version of the record, and completing it makes exactly the next.
  if (verified.position.version !== position.version + 1n) {
    throw new ReceiptInvalid("the receipt's version is not the one that this ceremony made");
  }
  // The keeper has taken the ceremony, so that what its statement says of the record before is the keeper's word.
  session.memory = { ...session.memory, pending };
  const known = session.memory.credentials;
  if (known !== undefined && !begun.aboutSetAside) {
    tell(session, credentialsChanged(known, begun.credentials));
  }
  return verified;
}

/** Call with the same bytes until there is an answer; the vault knows them again before `until`. */
export async function callUntilAnswered<Request extends DescMessage, Response extends DescMessage>(
  session: Session,
  method: DescMethodUnary<Request, Response>,
  request: MessageInitShape<Request>,
  until: Millis,
): Promise<MessageShape<Response>> {
  for (const pause of [...RESEND_PAUSES_MS, undefined]) {
    try {
      return await session.connection.call(method, request);
    } catch (error) {
      if (!(error instanceof Unavailable || error instanceof OutcomeUnknown)) {
        throw error;
      }
    }
    if (pause === undefined || session.clock() + pause >= until) {
      break;
    }
    await session.pause(pause);
  }
  throw new OutcomeUnknown("the vault did not answer; whether it did what was asked is not known");
}

/** Run a flow, and once more where another change came between: that needs a new prompt, so it is done once. */
export async function onceMore<Result>(flow: () => Promise<Result>): Promise<Result> {
  try {
    return await flow();
  } catch (error) {
    if (error instanceof BeginAgain) {
      return flow();
    }
    throw error;
  }
}
