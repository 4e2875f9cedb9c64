/**
 * Pages of history: newest first, without a gap from where the page must begin, through what the device remembers.
 *
 * The keeper has checked each page against the chain; the client checks that the pages fit together, and that the
 * history passes through the position that it remembers.
 */

import { equal } from "../bytes.ts";
import { ReplyMismatch } from "../errors.ts";
import { toInteger } from "../fields.ts";
import type { Event } from "../gen/strongroom/v1/event_pb.js";
import { checkGoesOn, GENESIS, HEAD_BYTES, type Position } from "./positions.ts";

const VERSION_BYTES = 8;
const TAG_BYTES = 32;

/** Where the page of `token` begins; the genesis for the empty token at the end of the history. */
export function nextPageStart(token: Uint8Array): Position {
  if (token.length === 0) {
    return GENESIS;
  }
  if (token.length !== VERSION_BYTES + HEAD_BYTES + TAG_BYTES) {
    throw new ReplyMismatch("the history's page token is not one");
  }
  const version = toInteger(token.subarray(0, VERSION_BYTES));
  return { version, chainHead: token.slice(VERSION_BYTES, VERSION_BYTES + HEAD_BYTES) };
}

/**
 * The position before a page's oldest event.
 *
 * A history need not reach back to the genesis: the vault says in its signed reply which event is the first that it
 * keeps. What its chain head is before that is not told, and nothing is compared with it.
 */
export function pageEnd(token: Uint8Array, firstVersion: bigint): Position {
  if (firstVersion === 0n) {
    return nextPageStart(token);
  }
  if (token.length > 0) {
    throw new ReplyMismatch("the history has both a first event and a further page");
  }
  return { version: firstVersion - 1n, chainHead: GENESIS.chainHead };
}

/** Check that a page goes from `start` down to just above `end`, and through `known` if that lies in it. */
export function checkPage(
  events: readonly Event[],
  { start, end, known }: { start: Position; end: Position; known: Position },
): void {
  const length = start.version > end.version ? start.version - end.version : 0n;
  const isWhole = BigInt(events.length) === length;
  if (!isWhole || events.some((event, place) => event.version !== start.version - BigInt(place))) {
    throw new ReplyMismatch(`the history from version ${start.version} to ${end.version + 1n} has a gap`);
  }
  const newest = events[0];
  if (newest !== undefined && !equal(newest.chainHead, start.chainHead)) {
    throw new ReplyMismatch(`the history does not continue at version ${start.version}`);
  }
  for (const event of events) {
    if (event.version === known.version) {
      checkGoesOn({ version: event.version, chainHead: event.chainHead }, known);
    }
  }
}
