/**
 * What is decided without any envelope: an end, a return, trust in a passkey, limits; and a reset, which nobody
 * signs.
 */

import type { Authenticator } from "../authenticators/port.ts";
import { equal } from "../bytes.ts";
import { policyMessage, type Policy } from "../descriptions.ts";
import { ReceiptInvalid, ReplyMismatch } from "../errors.ts";
import { ReopenTarget } from "../gen/strongroom/v1/ceremony_pb.js";
import { ResetVaultReplySchema, VaultService } from "../gen/strongroom/v1/vault_service_pb.js";
import type { AccountMemory } from "../memory.ts";
import type { Mode } from "../modes.ts";
import { pendingNotices } from "../notices.ts";
import { NOTHING_PENDING } from "../pending.ts";
import type { Session } from "../session.ts";
import { optionalMillis, type Millis } from "../timestamps.ts";
import { idsOf, NO_CREDENTIALS } from "../verification/credential-sets.ts";
import { keep, learn, NONCE_BYTES, parse, requireUncontested, tell, verifyAnswer, type Verified } from "./answers.ts";
import { begin, callUntilAnswered, complete, expectedMode, NONCE_KNOWN_MS, type Begun } from "./ceremonies.ts";
import { authorize, type By } from "./signing.ts";

/** Nothing here goes by how the envelope is locked: a vault that was moved to PRF elsewhere will do as well. */
const BETTER = { mayLockBetter: true } as const;

/** Delete the vault. One prompt; never repeated by itself where another change came between (BeginAgain). */
export async function deleteVault(
  session: Session,
  authenticator: Authenticator,
  mode: Mode | undefined,
): Promise<void> {
  requireUncontested(session);
  const begun = await begin(session, { case: "delete", value: {} }, expectedMode(session, mode), BETTER);
  const signed = await authorize(begun, { authenticator });
  const request = { ceremony: begun.checked.ceremony, assertion: signed.message };
  const verified = await complete(session, begun, VaultService.method.deleteVault, request, "delete");
  const forgotten = { mode: undefined, archiveRecipient: undefined, recoveryRecipient: undefined, names: new Map() };
  await learn(session, verified, { ...session.memory, ...forgotten }, { credentials: NO_CREDENTIALS });
}

/**
 * Bring back what a reset has set aside, by one of its passkeys or its recovery key; the newer life is dropped.
 *
 * What this device had opened may be the newer life's, so that it backs up again only once it has restored.
 */
export async function reopenSetAside(session: Session, by: By, mode: Mode | undefined): Promise<void> {
  const { begun, verified } = await reopen(session, by, ReopenTarget.SET_ASIDE, mode);
  const { life } = session.memory;
  const memory = {
    ...session.memory,
    mode: begun.mode,
    life: life === undefined ? undefined : life + 1n,
    pending: { ...NOTHING_PENDING, accountEraseAt: begun.checked.pending.accountEraseAt },
    openedArchiveVersion: 0n,
    archiveRecipient: undefined,
    recoveryRecipient: undefined,
  };
  await learn(session, verified, memory, { credentials: begun.credentials });
}

/** Reopen a vault that closed when its attempts were used up: by a passkey in time, by the recovery key at once. */
export async function reopenClosed(session: Session, by: By, mode: Mode | undefined): Promise<void> {
  const { begun, verified } = await reopen(session, by, ReopenTarget.CLOSED, mode);
  await learn(session, verified, session.memory, { credentials: begun.credentials });
}

async function reopen(
  session: Session,
  by: By,
  target: ReopenTarget,
  mode: Mode | undefined,
): Promise<{ begun: Begun; verified: Verified }> {
  requireUncontested(session);
  const begun = await begin(session, { case: "reopen", value: { target } }, expectedMode(session, mode), BETTER);
  const signed = await authorize(begun, by);
  const request = { ceremony: begun.checked.ceremony, assertion: signed.message };
  return { begun, verified: await complete(session, begun, VaultService.method.reopen, request, "reopen") };
}

/** Trust a quarantined passkey again, by another one. */
export async function liftQuarantine(
  session: Session,
  authenticator: Authenticator,
  { credentialId, mode }: { credentialId: Uint8Array; mode: Mode | undefined },
): Promise<void> {
  requireUncontested(session);
  const begun = await begin(
    session,
    { case: "liftQuarantine", value: { credentialId } },
    expectedMode(session, mode),
    BETTER,
  );
  const allow = idsOf(begun.credentials).filter((id) => !equal(id, credentialId));
  const signed = await authorize(begun, { authenticator, allow });
  const request = { ceremony: begun.checked.ceremony, assertion: signed.message };
  const verified = await complete(session, begun, VaultService.method.liftQuarantine, request, "lift-quarantine");
  await learn(session, verified, session.memory, { credentials: begun.credentials });
}

/** Set all limits of the record. */
export async function setPolicy(
  session: Session,
  authenticator: Authenticator,
  { policy, mode }: { policy: Policy; mode: Mode | undefined },
): Promise<void> {
  requireUncontested(session);
  const operation = { case: "setPolicy", value: { policy: policyMessage(policy) } } as const;
  const begun = await begin(session, operation, expectedMode(session, mode), BETTER);
  const signed = await authorize(begun, { authenticator });
  const request = { ceremony: begun.checked.ceremony, assertion: signed.message };
  const verified = await complete(session, begun, VaultService.method.setPolicy, request, "set-policy");
  await learn(session, verified, session.memory, { credentials: begun.credentials });
}

/**
 * Set the vault aside, and say when it will be erased, unless one of its credentials reopens it before.
 *
 * Throws ScopeMissing: the account token was not made for this; ResetPending; NoVault.
 */
export async function reset(session: Session): Promise<Millis> {
  requireUncontested(session);
  const nonce = session.random(NONCE_BYTES);
  const until = session.clock() + NONCE_KNOWN_MS;
  const answer = await callUntilAnswered(session, VaultService.method.resetVault, { nonce }, until);
  const verified = await verifyAnswer(session, answer, { receiptFor: "reset", challenge: nonce });
  if (verified.position.version <= session.memory.position.version) {
    throw new ReceiptInvalid("the receipt's version is not one that a reset could have made");
  }
  const reply = parse(ResetVaultReplySchema, verified.reply);
  const setAsideEraseAt = optionalMillis(reply.eraseTime, (problem) => new ReplyMismatch(problem));
  if (setAsideEraseAt === undefined) {
    throw new ReplyMismatch("the vault does not say when it will erase what it has set aside");
  }
  const memory = {
    ...session.memory,
    pending: { ...session.memory.pending, setAsideEraseAt },
    mode: undefined,
    openedArchiveVersion: 0n,
    archiveRecipient: undefined,
    recoveryRecipient: undefined,
  };
  await learn(session, verified, memory, { credentials: NO_CREDENTIALS });
  tell(session, pendingNotices(memory.pending));
  return setAsideEraseAt;
}

/**
 * Go on from the contested position, if there is one, and take key bundles of any serial anew, the owners' too: the
 * user's word that the vault's operator restored an older database.
 *
 * The evidence stays where it is. What backups are encrypted to stays as well: it came from this device.
 */
export async function acceptOlderVault(session: Session): Promise<AccountMemory> {
  session.service = undefined;
  const { contested } = session.memory;
  if (contested !== undefined) {
    session.memory = {
      ...session.memory,
      position: contested,
      contested: undefined,
      credentials: undefined,
      setAside: undefined,
      pending: NOTHING_PENDING,
      life: undefined,
      openedArchiveVersion: 0n,
    };
  }
  session.memory = { ...session.memory, bundles: new Map(), ownerBundle: undefined };
  await keep(session, contested && { accepted: contested, at: session.clock() });
  return session.memory;
}
