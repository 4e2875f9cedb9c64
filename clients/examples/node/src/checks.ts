/** What must hold before this client believes the vault: docs/protocol.md, sections 2 to 5. All of it throws or returns. */
import { createPublicKey, verify, type KeyObject } from "node:crypto";
import { encodeFields, hashFields, sha256 } from "./fields.ts";
import { isAllKnown, parse } from "./protos.ts";
import type { BeginCeremonyResponse, Credential, KeyBundle, SignedKeyBundle, SignedReply, Statement, Timestamp } from "./protos.ts";

/** The vault said something that is not proven, or not what was asked. Nothing may go on from there. */
export class NotProven extends Error {}

/** Where a record is in its history. */
export interface Position {
  version: bigint;
  chainHead: Buffer;
}
export const GENESIS: Position = { version: 0n, chainHead: Buffer.alloc(32) };

export interface Bundle {
  serial: bigint;
  identityKeys: Map<string, KeyObject>; // by fingerprint, those that are pinned
  transportKey: Buffer;
  transportKeyId: Buffer;
}

export interface Expected {
  request: Buffer;
  tenant: string;
  account: string;
  rpId: string;
  origin: string;
  mode: string;
  known: Position;
}

/** What the passkey may sign, and what the statement says besides. */
export interface Ceremony {
  ceremony: Buffer;
  challenge: Buffer;
  version: bigint;
  credentials: Credential[];
  warnings: string[];
}

const CLOCK_TOLERANCE = 300; // seconds
const LONGEST_CEREMONY = 300;
const LONGEST_BUNDLE = 30 * 24 * 3600;

/** The vault's keys, if an identity key that is pinned (64 hex digits) has signed them and they are of this time. */
export function checkBundle(signed: SignedKeyBundle, pins: string[], seenSerial: bigint): Bundle {
  const bundle = parse<KeyBundle>("KeyBundle", signed.bundle);
  const identityKeys = new Map<string, KeyObject>();
  for (const { publicKey } of bundle.identityKeys) {
    const fingerprint = hashFields("strongroom/v1/identity-key", publicKey).toString("hex");
    if (pins.includes(fingerprint)) identityKeys.set(fingerprint, p256Key(publicKey));
  }
  const said = encodeFields("strongroom/v1/key-bundle", signed.bundle);
  const isByPinned = ({ fingerprint, signature }: { fingerprint: Buffer; signature: Buffer }): boolean => {
    const key = identityKeys.get(fingerprint.toString("hex"));
    return key !== undefined && isSignature(key, said, signature);
  };
  require(signed.signatures.some(isByPinned), "the key bundle is not signed by an identity key that is pinned here");
  const [from, until] = [seconds(bundle.notBeforeTime), seconds(bundle.notAfterTime)];
  require(from <= now() && now() <= until && until - from <= LONGEST_BUNDLE, "the key bundle is not of this time");
  const serial = BigInt(bundle.serial);
  require(serial >= seenSerial, "the key bundle is older than one that this device has seen");
  const transport = bundle.transportKeys.find((key) => key.suite === "HPKE_SUITE_X25519_SHA256_AES256GCM");
  require(transport !== undefined, "the key bundle has no transport key of a suite that is known here");
  const transportKeyId = hashFields("strongroom/v1/transport-key-id", transport.publicKey).subarray(0, 16);
  return { serial, identityKeys, transportKey: transport.publicKey, transportKeyId };
}

/** The position that a receipt speaks of, if a pinned key signed exactly this reply to this challenge or nonce. */
export function checkReceipt({ reply, receipt }: SignedReply, receiptFor: string, challenge: Buffer, bundle: Bundle): Position {
  require(receipt !== null, "the answer has no receipt");
  const key = bundle.identityKeys.get(receipt.identityFingerprint.toString("hex"));
  require(key !== undefined, "the receipt is by an identity key that is not pinned here");
  const position = { version: BigInt(receipt.version), chainHead: receipt.chainHead };
  const label = `strongroom/v1/receipt/${receiptFor}`;
  const said = encodeFields(label, challenge, sha256(reply), position.version, position.chainHead);
  require(isSignature(key, said, receipt.signature), "the receipt does not fit this answer to this question");
  return position;
}

/** A ceremony that may be signed: its statement is about exactly what was asked, and nothing that is known was lost. */
export function checkCeremony(begun: BeginCeremonyResponse, expected: Expected): Ceremony {
  const { ceremony, credentials, recoveryPublicKey } = begun;
  const serialized = ceremony.subarray(0, -32); // what follows is the keeper's HMAC, for the keeper
  // A field that this client does not know may change what the signature means.
  require(isAllKnown("Statement", serialized), "the statement has parts that are not known here");
  const statement = parse<Statement>("Statement", serialized);
  require(statement.format === 1, "the statement is of another format");
  require(statement.request.equals(expected.request), "the ceremony is about another request than this client's");
  require(statement.tenant === expected.tenant, "the ceremony is for another tenant");
  require(statement.account === expected.account, "the ceremony is for another account");
  require(statement.rpId === expected.rpId, "the ceremony is for another RP ID");
  require(statement.mode === expected.mode, "the ceremony is for an envelope locked in another mode");
  require(statement.origins.includes(expected.origin), "the ceremony does not accept this client's origin");
  require(statement.keeperRandom.length === 32, "the statement is incomplete");
  const expiry = seconds(statement.expireTime);
  require(now() < expiry + CLOCK_TOLERANCE, "the ceremony is over already");
  require(expiry <= now() + LONGEST_CEREMONY + CLOCK_TOLERANCE, "the ceremony lives longer than any may");
  const listed = credentialSetDigest(credentials, recoveryPublicKey);
  require(listed.equals(statement.credentialSetSha256), "the ceremony is about other credentials than were listed with it");
  const version = BigInt(statement.version);
  checkGoesOn({ version, chainHead: statement.chainHead }, expected.known);
  const challenge = hashFields("strongroom/v1/challenge", ceremony);
  return { ceremony, challenge, version, credentials, warnings: pending(statement) };
}

/** A history may only go on: no version lost, and no other one in the place of one that is known. */
export function checkGoesOn(shown: Position, known: Position): void {
  const same = shown.version === known.version && shown.chainHead.equals(known.chainHead);
  require(shown.version > known.version || same, "the vault went back: it has lost what this device knows of it");
}

/** The digest of the credentials that may sign. */
export function credentialSetDigest(listed: Credential[], recoveryPublicKey: Buffer): Buffer {
  const sorted = [...listed].sort((a, b) => Buffer.compare(a.credentialId, b.credentialId));
  const pairs = sorted.flatMap(({ credentialId, coseKey }) => [credentialId, coseKey]);
  return hashFields("strongroom/v1/credential-set", ...pairs, recoveryPublicKey);
}

export function require(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new NotProven(otherwise);
}

/** What waits to be erased: the person must hear of it, since a thief of the login may have asked for it. */
function pending({ setAsideEraseTime, accountEraseTime }: Statement): string[] {
  const told = (what: string, time: Timestamp | null): string[] =>
    time === null ? [] : [`${what} on ${new Date(1000 * seconds(time)).toISOString()}`];
  return [
    ...told("a reset has set an earlier vault of this account aside; it is erased", setAsideEraseTime),
    ...told("the account's vault is erased at the product's request", accountEraseTime),
  ];
}

function p256Key(point: Buffer): KeyObject {
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((bytes) => bytes.toString("base64url"));
  return createPublicKey({ key: { kty: "EC", crv: "P-256", x: x as string, y: y as string }, format: "jwk" });
}

function isSignature(key: KeyObject, said: Buffer, signature: Buffer): boolean {
  return signature.length === 64 && verify("sha256", said, { key, dsaEncoding: "ieee-p1363" }, signature);
}

function seconds(time: Timestamp | null): number {
  return Number(time?.seconds ?? 0);
}

function now(): number {
  return Date.now() / 1000;
}
