/** Questions about the record and its history. They change nothing at the vault. */

import { describeEvent, describeVault, pendingOf, type HistoryEvent, type VaultStatus } from "../descriptions.ts";
import { ReplyMismatch, VaultRefused, VaultTrouble } from "../errors.ts";
import type { Event } from "../gen/strongroom/v1/event_pb.js";
import { VaultState } from "../gen/strongroom/v1/resources_pb.js";
import { ListEventsReplySchema, VaultReplySchema, VaultService } from "../gen/strongroom/v1/vault_service_pb.js";
import { changesSeen, statusNotices } from "../notices.ts";
import type { Session } from "../session.ts";
import { credentialSet } from "../verification/credential-sets.ts";
import { checkPage, pageEnd } from "../verification/histories.ts";
import type { Position } from "../verification/positions.ts";
import {
  learn,
  NONCE_BYTES,
  parse,
  requireOwner,
  requireUncontested,
  tell,
  verifyAnswer,
  type Verified,
} from "./answers.ts";

/** Where a page of the history begins: its token, and the position that it must begin at, where that is known. */
interface PageStart {
  readonly token: Uint8Array;
  readonly start: Position | undefined;
}

interface Page {
  readonly verified: Verified;
  readonly events: readonly Event[];
  readonly next: PageStart | undefined;
}

/**
 * Ask for the record, verify the answer, and remember its position and credentials.
 *
 * Throws NotProven where the answer cannot be believed; VaultWentBack where it is older than what is remembered.
 */
export async function askVault(session: Session): Promise<VaultStatus> {
  requireUncontested(session);
  const nonce = session.random(NONCE_BYTES);
  const answer = await session.connection.call(VaultService.method.getVault, { nonce });
  const verified = await verifyAnswer(session, answer, { receiptFor: "get-vault", challenge: nonce });
  const reply = parse(VaultReplySchema, verified.reply);
  requireOwner(session, reply);
  if ((reply.state === VaultState.NONE) !== (verified.position.version === 0n)) {
    throw new ReplyMismatch("the vault's answer has a version without a record, or a record without a version");
  }
  const known = session.memory;
  const status = describeVault(reply, verified.position, known.names);
  const credentials = credentialSet(reply.credentials, reply.recoveryPublicKey);
  const aside = reply.setAside;
  const setAside = credentialSet(aside?.credentials ?? [], aside?.recoveryPublicKey ?? new Uint8Array(0));
  const memory = { ...known, pending: pendingOf(status), life: reply.life };
  await learn(session, verified, memory, { credentials, setAside });
  tell(session, statusNotices(status));
  tell(session, changesSeen(known, session.memory, status));
  return status;
}

/** Learn what the record is now, and tell what has become of it; an answer that does not come is not waited for. */
export async function look(session: Session): Promise<void> {
  try {
    await askVault(session);
  } catch (error) {
    if (!(error instanceof VaultTrouble || error instanceof VaultRefused)) {
      throw error;
    }
  }
}

/**
 * Ask for every page of the history, newest first, and check that it is whole and passes through what is known.
 *
 * Throws NotProven: an answer cannot be believed, an event is missing, or the history is another than remembered.
 */
export async function askHistory(session: Session): Promise<HistoryEvent[]> {
  requireUncontested(session);
  const events: HistoryEvent[] = [];
  const known = session.memory.position;
  let place: PageStart | undefined = { token: new Uint8Array(0), start: undefined };
  while (place !== undefined) {
    const page: Page = await askPage(session, place, known);
    await learn(session, page.verified, session.memory);
    events.push(...page.events.map(describeEvent));
    place = page.next;
  }
  return events;
}

/** Ask for one page, and check that it is whole and passes through `known` if that lies in it. */
async function askPage(session: Session, place: PageStart, known: Position): Promise<Page> {
  const nonce = session.random(NONCE_BYTES);
  const answer = await session.connection.call(VaultService.method.listEvents, { nonce, pageToken: place.token });
  const verified = await verifyAnswer(session, answer, { receiptFor: "list-events", challenge: nonce });
  const reply = parse(ListEventsReplySchema, verified.reply);
  requireOwner(session, reply);
  const start = place.start ?? verified.position;
  const end = pageEnd(reply.nextPageToken, reply.firstVersion);
  if (end.version >= start.version && start.version > 0n) {
    throw new ReplyMismatch("the history's next page does not lie before this one");
  }
  checkPage(reply.events, { start, end, known });
  const next = reply.nextPageToken.length > 0 ? { token: reply.nextPageToken, start: end } : undefined;
  return { verified, events: reply.events, next };
}
