/**
 * Statements: what a ceremony is about, checked in clear before the authenticator signs for it.
 *
 *     ceremony  = serialized strongroom.v1.Statement || 32-byte HMAC of the keeper's
 *     challenge = SHA-256 of fields("strongroom/v1/challenge", ceremony)
 *
 * The client cannot check the HMAC and need not: a ceremony that is no keeper's is refused by the keeper. What matters
 * here is that the passkey never signs a challenge that stands for anything but the client's own request.
 */

import { fromBinary } from "@bufbuild/protobuf";

import { equal } from "../bytes.ts";
import { ModeNotExpected, StatementMismatch } from "../errors.ts";
import { hashFields } from "../fields.ts";
import { StatementSchema, type Statement } from "../gen/strongroom/v1/ceremony_pb.js";
import { wireMode, type Mode } from "../modes.ts";
import type { Pending } from "../pending.ts";
import { millisOf, optionalMillis, type Millis } from "../timestamps.ts";
import { checkGoesOn, HEAD_BYTES, samePosition, type Position } from "./positions.ts";

export const FORMAT = 1;
export const MAX_LIFE_MS = 300 * 1000;
export const CLOCK_TOLERANCE_MS = 5 * 60 * 1000;
const TAG_BYTES = 32;
const MAX_CEREMONY_BYTES = 8 * 1024;
const RANDOM_BYTES = 32;
const LABEL = "strongroom/v1/challenge";

/** What a statement must say. */
export interface Expected {
  /** The exact bytes that were sent. */
  readonly request: Uint8Array;
  readonly tenant: string;
  readonly account: string;
  /** As the vault's signed description has it. */
  readonly rpId: string;
  /** The origin that the authenticator will be told. */
  readonly origin: string;
  /** How the envelope may be, or will be, locked. */
  readonly modes: readonly Mode[];
  /** Version and head that this device remembers. */
  readonly known: Position;
  /** Digest of the credentials listed beside the ceremony. */
  readonly listedDigest: Uint8Array;
  /** Digest of the credentials that this device remembers at `known`, where it remembers any. */
  readonly knownDigest: Uint8Array | undefined;
  /** Whether what a reset has set aside is meant; credentials are then those of that life. */
  readonly aboutSetAside: boolean;
  readonly now: Millis;
}

/** A ceremony that may be signed: its bytes, its challenge (32 bytes), where it began and when it ends. */
export interface CheckedCeremony {
  readonly ceremony: Uint8Array;
  readonly challenge: Uint8Array;
  readonly position: Position;
  /** How the envelope is locked, one of those expected. */
  readonly mode: Mode;
  readonly expiresAt: Millis;
  /** What waits to be erased: the keeper's word once it has taken the ceremony. */
  readonly pending: Pending;
}

/** The WebAuthn challenge (32 bytes) of a ceremony. */
export function challengeOf(ceremony: Uint8Array): Uint8Array<ArrayBuffer> {
  return hashFields(LABEL, ceremony);
}

/**
 * Read the statement of a ceremony and compare all of it with what is expected.
 *
 * Throws StatementMismatch: it is about anything else, ModeNotExpected where the vault alone holds the envelope;
 * VaultWentBack: it began at an older version than is known, or at another history.
 */
export function checkCeremony(ceremony: Uint8Array, expected: Expected): CheckedCeremony {
  const statement = read(ceremony);
  const position = { version: statement.version, chainHead: statement.chainHead };
  requireThat(equal(statement.request, expected.request), "the ceremony is about another request than this client's");
  requireEqual("tenant", statement.tenant, expected.tenant);
  requireEqual("account", statement.account, expected.account);
  requireEqual("RP ID", statement.rpId, expected.rpId);
  const mode = checkMode(statement, expected.modes);
  requireThat(statement.origins.includes(expected.origin), "the ceremony does not accept this client's origin");
  checkGoesOn(position, expected.known);
  requireThat(
    equal(statement.credentialSetSha256, expected.listedDigest),
    "the ceremony is about other credentials than were listed with it",
  );
  requireThat(
    !samePosition(position, expected.known) ||
      expected.knownDigest === undefined ||
      equal(expected.knownDigest, expected.listedDigest),
    "the ceremony is about other credentials than this device knows at that version",
  );
  requireThat(
    !expected.aboutSetAside || statement.setAsideEraseTime !== undefined,
    "the ceremony says that nothing is set aside",
  );
  const expiresAt = millisOf(statement.expireTime, mismatch);
  checkExpiry(expiresAt, expected.now);
  return { ceremony, challenge: challengeOf(ceremony), position, mode, expiresAt, pending: pendingOf(statement) };
}

function read(ceremony: Uint8Array): Statement {
  requireThat(
    ceremony.length > TAG_BYTES && ceremony.length <= MAX_CEREMONY_BYTES,
    "the ceremony is not of a ceremony's size",
  );
  let statement: Statement;
  try {
    statement = fromBinary(StatementSchema, ceremony.subarray(0, -TAG_BYTES));
  } catch {
    throw new StatementMismatch("the statement does not parse");
  }
  // A field that this client does not know may change what the signature means.
  const isKnown = statement.format === FORMAT && (statement.$unknown ?? []).length === 0;
  requireThat(isKnown, "the statement is of a format that this client does not know");
  const isComplete = statement.chainHead.length === HEAD_BYTES && statement.keeperRandom.length === RANDOM_BYTES;
  requireThat(isComplete, "the statement is incomplete");
  return statement;
}

function pendingOf(statement: Statement): Pending {
  return {
    setAsideEraseAt: optionalMillis(statement.setAsideEraseTime, mismatch),
    accountEraseAt: optionalMillis(statement.accountEraseTime, mismatch),
  };
}

function checkExpiry(expiresAt: Millis, now: Millis): void {
  requireThat(now < expiresAt + CLOCK_TOLERANCE_MS, "the ceremony is over already; is this device's clock right?");
  requireThat(
    expiresAt <= now + MAX_LIFE_MS + CLOCK_TOLERANCE_MS,
    "the ceremony lives longer than any ceremony may; is this device's clock right?",
  );
}

function checkMode(statement: Statement, expected: readonly Mode[]): Mode {
  const mode = expected.find((one) => wireMode(one) === statement.mode);
  if (mode === undefined && statement.mode === wireMode("vault-held")) {
    throw new ModeNotExpected("the vault says that it alone holds this account's envelope (mode vault-held)");
  }
  if (mode === undefined) {
    throw new StatementMismatch("the ceremony is for an envelope locked in another mode");
  }
  return mode;
}

function requireEqual(what: string, stated: string, expected: string): void {
  requireThat(
    stated === expected,
    `the ceremony is for ${what} ${JSON.stringify(stated.slice(0, 80))}, not ${expected}`,
  );
}

function requireThat(holds: boolean, problem: string): void {
  if (!holds) {
    throw new StatementMismatch(problem);
  }
}

function mismatch(problem: string): StatementMismatch {
  return new StatementMismatch(problem);
}
