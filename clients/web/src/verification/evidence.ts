/**
 * Evidence: who signed for each event of a history, checked again without any key of the vault's.
 *
 * From the oldest event on, the credentials are followed as registrations and additions bring them (lives.ts), so that
 * every assertion is checked with a key that the account itself brought, over the challenge of a ceremony that began at
 * exactly the state before it. The chain heads are the vault's word, which its receipts hold it to. What is found is
 * named and not thrown.
 */

import { fromBinary } from "@bufbuild/protobuf";
import { sha256 } from "@noble/hashes/sha2.js";

import { equal, toHex } from "../bytes.ts";
import {
  CeremonyRequestSchema,
  ReopenTarget,
  StatementSchema,
  type CeremonyRequest,
  type Statement,
} from "../gen/strongroom/v1/ceremony_pb.js";
import { EventKind, EventOutcome, type Event } from "../gen/strongroom/v1/event_pb.js";
import { digestOf } from "./credential-sets.ts";
import { Account, type Life } from "./lives.ts";
import { GENESIS, samePosition, type Position } from "./positions.ts";
import { challengeOf } from "./statements.ts";
import {
  attestedIn,
  checkAssertion,
  checkAssertionPolicy,
  checkAttestation,
  checkRecoverySignature,
  NotSigned,
} from "./webauthn.ts";

const TAG_BYTES = 32;
const COUNTED: readonly EventOutcome[] = [EventOutcome.FAILED, EventOutcome.EXHAUSTED];
const SIGNED_BY_NOBODY: readonly EventKind[] = [
  EventKind.RESET,
  EventKind.ERASE_ACCOUNT,
  EventKind.CANCEL_ERASE_ACCOUNT,
  EventKind.SWEEP,
  EventKind.REWRAP,
];
const KINDS: Readonly<Record<string, EventKind>> = {
  register: EventKind.REGISTER,
  store: EventKind.STORE,
  release: EventKind.RELEASE,
  delete: EventKind.DELETE,
  addCredential: EventKind.ADD_CREDENTIAL,
  removeCredential: EventKind.REMOVE_CREDENTIAL,
  setRecovery: EventKind.SET_RECOVERY,
  reopen: EventKind.REOPEN,
  liftQuarantine: EventKind.LIFT_QUARANTINE,
  setPolicy: EventKind.SET_POLICY,
};
const OF_RECOVERY: readonly string[] = ["release", "addCredential", "reopen"];

/** An event whose evidence does not hold: its version, and why. */
export interface EvidenceFlaw {
  readonly version: bigint;
  readonly said: string;
}

/** What a ceremony says: its statement, the operation in it, and its challenge. */
interface Asked {
  readonly statement: Statement;
  readonly operation: CeremonyRequest["operation"];
  readonly aboutSetAside: boolean;
  readonly challenge: Uint8Array;
}

/** Where the walk is. */
interface Walk {
  readonly tenant: string;
  readonly name: string;
  readonly account: Account;
  before: Position;
}

/** What does not hold in a whole history, in whichever order it is listed. */
export async function examineEvidence(
  events: readonly Event[],
  owner: { readonly tenant: string; readonly account: string },
): Promise<EvidenceFlaw[]> {
  const flaws: EvidenceFlaw[] = [];
  const walk: Walk = { tenant: owner.tenant, name: owner.account, account: new Account(), before: GENESIS };
  for (const event of events.toSorted((one, other) => (one.version < other.version ? -1 : 1))) {
    try {
      await examine(event, walk);
    } catch (error) {
      if (!(error instanceof NotSigned)) {
        throw error;
      }
      flaws.push({ version: event.version, said: error.message });
    }
    walk.before = { version: event.version, chainHead: event.chainHead };
  }
  return flaws;
}

async function examine(event: Event, walk: Walk): Promise<void> {
  if (SIGNED_BY_NOBODY.includes(event.kind)) {
    walk.account.sweep(event);
    walk.account.followOrder(event);
    return;
  }
  const asked = read(event.ceremony);
  if (event.kind !== KINDS[asked.operation.case ?? ""]) {
    throw new NotSigned(`its ceremony was for another operation (${asked.operation.case ?? "none"})`);
  }
  if (!asked.aboutSetAside) {
    walk.account.settle(asked.statement.credentialSetSha256);
  }
  try {
    checkStatement(asked, walk, event);
    if (event.aboutSetAside !== asked.aboutSetAside) {
      throw new NotSigned("its ceremony was about another life");
    }
    await checkSigned(asked, event, walk);
  } finally {
    walk.account.follow(asked.operation, event); // what the vault did stands, even without a right to it
  }
}

function read(ceremony: Uint8Array): Asked {
  try {
    const statement = fromBinary(StatementSchema, ceremony.subarray(0, -TAG_BYTES));
    const { operation } = fromBinary(CeremonyRequestSchema, statement.request);
    const aboutSetAside = operation.case === "reopen" && operation.value.target === ReopenTarget.SET_ASIDE;
    return { statement, operation, aboutSetAside, challenge: challengeOf(ceremony) };
  } catch {
    throw new NotSigned("its ceremony does not parse");
  }
}

/**
 * Check that a ceremony began for this account, at exactly the state before the event.
 *
 * What was due by the time of the event may have been there still when the ceremony began, or not any more.
 */
function checkStatement(asked: Asked, walk: Walk, swept?: Event): void {
  const { tenant, account, version, chainHead, credentialSetSha256 } = asked.statement;
  if (tenant !== walk.tenant || account !== walk.name) {
    throw new NotSigned("its ceremony was another account's");
  }
  if (!samePosition({ version, chainHead }, walk.before)) {
    throw new NotSigned("its ceremony began at another state than the one before it");
  }
  const digest = (): Uint8Array => digestOf(walk.account.subject(asked.aboutSetAside).credentials());
  const possible = [digest()];
  if (swept !== undefined) {
    walk.account.sweep(swept);
    possible.push(digest());
  }
  if (!possible.some((one) => equal(one, credentialSetSha256))) {
    throw new NotSigned("its ceremony was for other credentials than the history brought");
  }
}

async function checkSigned(asked: Asked, event: Event, walk: Walk): Promise<void> {
  if (event.kind === EventKind.REGISTER) {
    checkAttested(asked, event);
    return;
  }
  const life = walk.account.subject(asked.aboutSetAside);
  if (!COUNTED.includes(event.outcome)) {
    await checkRight(asked, event, life);
    if (event.kind === EventKind.ADD_CREDENTIAL && event.outcome === EventOutcome.GRANTED) {
      checkAddition(asked, event, walk);
    }
    return;
  }
  try {
    await checkRight(asked, event, life);
  } catch (error) {
    if (error instanceof NotSigned) {
      return;
    }
    throw error;
  }
  throw new NotSigned("a failure was counted although the signature is right");
}

function checkAttested({ statement, challenge }: Asked, event: Event): void {
  checkAttestation(event.attestation, { challenge, rpId: statement.rpId, origins: statement.origins });
}

/** Check that the passkey that was let in attested itself for this account, and is the one that was named. */
function checkAddition(asked: Asked, event: Event, walk: Walk): void {
  const attest = read(event.attestCeremony);
  if (attest.operation.case !== "attest") {
    throw new NotSigned("the new passkey attested itself in a ceremony for something else");
  }
  checkStatement(attest, walk);
  checkAttested(attest, event);
  const brought = attestedIn(event.attestation);
  const named = asked.operation.case === "addCredential" ? asked.operation.value : undefined;
  if (named === undefined || !equal(brought.credentialId, named.credentialId)) {
    throw new NotSigned("another passkey was let in than the one that was signed for");
  }
  if (!equal(sha256(brought.coseKey), named.coseKeySha256)) {
    throw new NotSigned("a passkey was let in with another key than was signed for");
  }
}

/** Check that a credential known from the history signed, and where it was granted, by the policy. */
async function checkRight(asked: Asked, event: Event, life: Life): Promise<void> {
  const made = event.assertion?.kind;
  const operation = asked.operation.case ?? "none";
  if (made?.case === "recovery") {
    if (!life.isLive || !equal(made.value.publicKey, life.recovery)) {
      throw new NotSigned("the recovery key that signed is not the account's");
    }
    if (!OF_RECOVERY.includes(operation)) {
      throw new NotSigned(`the recovery key has no say in ${operation}`);
    }
    checkRecoverySignature(made.value, asked.challenge);
    return;
  }
  const id = made?.case === "webauthn" ? toHex(made.value.credentialId) : "";
  const coseKey = life.passkeys.get(id);
  if (made?.case !== "webauthn" || coseKey === undefined || !equal(coseKey, event.coseKey)) {
    throw new NotSigned("the passkey that signed is not one that the history brought");
  }
  const { challenge, statement } = asked;
  await checkAssertion(made.value, { coseKey, challenge, rpId: statement.rpId });
  if (event.outcome === EventOutcome.GRANTED) {
    checkAssertionPolicy(made.value, statement.origins);
    if (life.quarantined.has(id)) {
      throw new NotSigned("the passkey that signed was quarantined");
    }
  }
}
