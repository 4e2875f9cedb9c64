/** What the vault says of itself, of a record and of its history, as values. Times are unix milliseconds. */

import { create, type DescEnum } from "@bufbuild/protobuf";

import { toHex } from "./bytes.ts";
import { ReplyMismatch } from "./errors.ts";
import { EventKindSchema, EventOutcomeSchema, SweptSchema, type Event } from "./gen/strongroom/v1/event_pb.js";
import {
  ModeSchema,
  OnExhaustion,
  OnExhaustionSchema,
  PolicySchema,
  VaultStateSchema,
  type ArchiveVersion,
  type Credential,
  type Policy as PolicyMessage,
  type SetAside as SetAsideMessage,
} from "./gen/strongroom/v1/resources_pb.js";
import type { VaultReply } from "./gen/strongroom/v1/vault_service_pb.js";
import type { Pending } from "./pending.ts";
import { millisOf, optionalMillis, type Millis } from "./timestamps.ts";
import type { VerifiedBundle } from "./verification/bundles.ts";
import type { Position } from "./verification/positions.ts";

/** Limits of a record: see strongroom.v1.Policy. */
export interface Policy {
  readonly budget: number;
  readonly coolDownSeconds: readonly number[];
  /** `destroy` or `lock`. */
  readonly onExhaustion: string;
  readonly releasesPerDay: number;
  readonly resetGraceSeconds: number;
}

/** The vault for one tenant. */
export interface Service {
  readonly tenant: string;
  readonly rpId: string;
  /** The one that the authenticator is told. */
  readonly origin: string;
  /** COSE algorithms that both sides know, in the vault's order. */
  readonly algorithms: readonly number[];
  readonly maxEnvelopeBytes: number;
  /** Limits that a new record gets. */
  readonly policy: Policy | undefined;
  /** The vault's keys. */
  readonly bundle: VerifiedBundle;
  /** The keeper's clock when it answered. */
  readonly keeperTime: Millis;
  /** The tenant is marked for development. */
  readonly development: boolean;
}

/** One passkey of the record. */
export interface Passkey {
  readonly credentialId: Uint8Array;
  /** What its owner calls it, as the envelope last opened here has it. */
  readonly name: string | undefined;
  readonly createdAt: Millis;
  /** Undefined before its first assertion. */
  readonly lastUsedAt: Millis | undefined;
  /** Authenticator model as claimed, 16 bytes; zeros where it claims none. */
  readonly aaguid: Uint8Array;
  /** May be synced; and was, when last used. */
  readonly backupEligible: boolean;
  readonly backedUp: boolean;
  /** Set aside, because its counter went back. */
  readonly quarantined: boolean;
}

/** One archive version that the vault holds. */
export interface StoredArchive {
  readonly archiveVersion: bigint;
  /** A client has said that it opened it. */
  readonly confirmed: boolean;
  readonly storedAt: Millis;
  readonly envelopeSha256: Uint8Array;
  readonly mode: string;
}

/** An earlier life that a reset has set aside: it can be reopened by one of its credentials until it is erased. */
export interface SetAside {
  readonly setAsideAt: Millis;
  readonly eraseAt: Millis;
  readonly passkeys: readonly Passkey[];
  readonly hasRecoveryKey: boolean;
  readonly archives: readonly StoredArchive[];
  readonly attemptsLeft: number;
  readonly coolDownEndsAt: Millis | undefined;
}

/** The record, as the vault signed it. */
export interface VaultStatus {
  /** `none`, `inert`, `live`, `exhausted`, `deleted`, `empty` (after a reset) or `erased`. */
  readonly state: string;
  readonly version: bigint;
  readonly chainHead: Uint8Array;
  readonly life: bigint;
  readonly mode: string;
  readonly passkeys: readonly Passkey[];
  readonly hasRecoveryKey: boolean;
  readonly archives: readonly StoredArchive[];
  readonly attemptsLeft: number;
  readonly coolDownEndsAt: Millis | undefined;
  readonly releasesLeft: number;
  /** Undefined where there is no record. */
  readonly policy: Policy | undefined;
  /** All attempts are used up; a passkey reopens it after the cool-down, the recovery key at any time. */
  readonly closed: boolean;
  readonly setAside: SetAside | undefined;
  /** When the tenant's erasure takes effect. */
  readonly accountEraseAt: Millis | undefined;
}

/** Who signed for an event: a passkey, or the recovery key. */
export type Signer = { readonly credentialId: Uint8Array } | "recovery-key";

/** One event. */
export interface HistoryEvent {
  readonly version: bigint;
  readonly chainHead: Uint8Array;
  readonly at: Millis;
  /** `register`, `store`, `release`, `delete`, `add-credential`, `reset` and so on: EventKind in lower case. */
  readonly kind: string;
  /** `granted`, `failed`, `exhausted` or `refused`. */
  readonly outcome: string;
  /** Why, where it was not granted: docs/protocol.md section 10. */
  readonly reason: string;
  readonly failures: number;
  /** Undefined where nobody signed: a reset, an erasure. A registration and its passkey sign for themselves. */
  readonly signedBy: Signer | undefined;
  readonly archiveVersions: readonly bigint[];
  /** It concerned what a reset had set aside. */
  readonly aboutSetAside: boolean;
  /** What it erased because its time had come: `set-aside` or `account`. */
  readonly swept: readonly string[];
  /** When what it set aside, or the account, will be erased. */
  readonly eraseAt: Millis | undefined;
  /** The evidence: ceremony, assertion or attestation, and COSE key. */
  readonly message: Event;
}

const otherwise = (problem: string): ReplyMismatch => new ReplyMismatch(problem);

/** What waits to be erased. */
export function pendingOf(status: VaultStatus): Pending {
  return { setAsideEraseAt: status.setAside?.eraseAt, accountEraseAt: status.accountEraseAt };
}

/** The limits in `message`. */
export function describePolicy(message: PolicyMessage): Policy {
  return {
    budget: message.budget,
    coolDownSeconds: message.coolDownSeconds.map(Number),
    onExhaustion: word(OnExhaustionSchema, message.onExhaustion),
    releasesPerDay: message.releasesPerDay,
    resetGraceSeconds: Number(message.resetGraceSeconds),
  };
}

/** `policy` as a message. Throws RangeError where `onExhaustion` is neither `destroy` nor `lock`. */
export function policyMessage(policy: Policy): PolicyMessage {
  const known: Record<string, OnExhaustion> = { destroy: OnExhaustion.DESTROY, lock: OnExhaustion.LOCK };
  const onExhaustion = known[policy.onExhaustion];
  if (onExhaustion === undefined) {
    throw new RangeError("onExhaustion is destroy or lock");
  }
  return create(PolicySchema, {
    ...policy,
    onExhaustion,
    coolDownSeconds: policy.coolDownSeconds.map(BigInt),
    resetGraceSeconds: BigInt(policy.resetGraceSeconds),
  });
}

/**
 * The record in `reply`, whose receipt speaks of `position`; `names` of passkeys by credential id (hex).
 *
 * Throws ReplyMismatch where a time in it is not one.
 */
export function describeVault(reply: VaultReply, position: Position, names: ReadonlyMap<string, string>): VaultStatus {
  const named = (one: Credential): Passkey => ({ ...passkey(one), name: names.get(toHex(one.credentialId)) });
  return {
    state: word(VaultStateSchema, reply.state),
    version: position.version,
    chainHead: position.chainHead,
    life: reply.life,
    mode: word(ModeSchema, reply.mode),
    passkeys: reply.credentials.map(named),
    hasRecoveryKey: reply.recoveryPublicKey.length > 0,
    archives: reply.archives.map(archive),
    attemptsLeft: reply.attemptsLeft,
    coolDownEndsAt: optionalMillis(reply.coolDownEndTime, otherwise),
    releasesLeft: reply.releasesLeft,
    policy: reply.policy && describePolicy(reply.policy),
    closed: reply.closed,
    setAside: reply.setAside && setAside(reply.setAside),
    accountEraseAt: optionalMillis(reply.accountEraseTime, otherwise),
  };
}

/** One event of a checked page. Throws ReplyMismatch where its time is not one. */
export function describeEvent(message: Event): HistoryEvent {
  return {
    version: message.version,
    chainHead: message.chainHead,
    at: millisOf(message.eventTime, otherwise),
    kind: word(EventKindSchema, message.kind),
    outcome: word(EventOutcomeSchema, message.outcome),
    reason: message.reason,
    failures: message.failures,
    signedBy: signer(message),
    archiveVersions: message.archiveVersions,
    aboutSetAside: message.aboutSetAside,
    swept: message.swept.map((one) => word(SweptSchema, one)),
    eraseAt: optionalMillis(message.eraseTime, otherwise),
    message,
  };
}

function signer(message: Event): Signer | undefined {
  const kind = message.assertion?.kind;
  if (kind?.case === "recovery") {
    return "recovery-key";
  }
  const credentialId = kind?.case === "webauthn" ? kind.value.credentialId : message.attestation?.credentialId;
  return credentialId && { credentialId };
}

function setAside(message: SetAsideMessage): SetAside {
  return {
    setAsideAt: millisOf(message.setAsideTime, otherwise),
    eraseAt: Math.max(0, millisOf(message.eraseTime, otherwise)),
    passkeys: message.credentials.map(passkey),
    hasRecoveryKey: message.recoveryPublicKey.length > 0,
    archives: message.archives.map(archive),
    attemptsLeft: message.attemptsLeft,
    coolDownEndsAt: optionalMillis(message.coolDownEndTime, otherwise),
  };
}

function passkey(credential: Credential): Passkey {
  return {
    credentialId: credential.credentialId,
    name: undefined,
    createdAt: millisOf(credential.createTime, otherwise),
    lastUsedAt: optionalMillis(credential.lastUseTime, otherwise),
    aaguid: credential.aaguid,
    backupEligible: credential.backupEligible,
    backedUp: credential.backupState,
    quarantined: credential.quarantined,
  };
}

function archive(message: ArchiveVersion): StoredArchive {
  return {
    archiveVersion: message.archiveVersion,
    confirmed: message.confirmed,
    storedAt: millisOf(message.storeTime, otherwise),
    envelopeSha256: message.envelopeSha256,
    mode: word(ModeSchema, message.mode),
  };
}

/** An enum value in lower case, without its prefix; a number for one that a newer vault knows. */
function word(schema: DescEnum, number: number): string {
  const name = schema.value[number]?.localName;
  return name === undefined ? String(number) : name.toLowerCase().replaceAll("_", "-");
}
