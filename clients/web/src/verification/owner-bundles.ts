/**
 * What the vault's owners have signed: which identity keys count, for clients that pin the owners' keys.
 *
 * The vault hands out the chain, oldest first. Two distinct owners must have signed each bundle after the one that this
 * device knows, in rising serials, each over the hash of its predecessor; the newest alone must be of this time. A
 * device that knows none begins with the oldest handed out: what the next is signed over says which that is.
 * docs/protocol.md section 5 has the rules.
 */

import { fromBinary } from "@bufbuild/protobuf";
import { sha256 } from "@noble/hashes/sha2.js";

import { equal, toHex } from "../bytes.ts";
import { OwnerBundleInvalid } from "../errors.ts";
import { hashFields } from "../fields.ts";
import { KeyBundleSchema, type KeyBundle, type SignedKeyBundle } from "../gen/strongroom/v1/resources_pb.js";
import type { Millis } from "../timestamps.ts";
import { checkTime, listedIdentityKeys, type Trust, type VerifiedBundle } from "./bundles.ts";
import { checkOwnerSignature, ownerKey } from "./owner-keys.ts";
import { WrongSignature } from "./signatures.ts";

export const OWNERS_NEEDED = 2;
export const MAX_OWNER_BUNDLES = 64;
const LABEL = "strongroom/v1/key-bundle-owners";
const FIRST = new Uint8Array(32);

/** The newest bundle that two owners have signed for this device. */
export interface SeenOwnerBundle {
  readonly serial: bigint;
  readonly sha256: Uint8Array;
  /** Fingerprints (hex) of the identity keys in it: those that count. */
  readonly identityKeys: readonly string[];
  /** Of those that earlier ones had and it has not: they count for old receipts alone. */
  readonly dropped: readonly string[];
}

/** What is believed of the vault at this time. */
export interface Standing {
  /** Names the identity keys that count; never owners. */
  readonly trust: Trust;
  /** The owners' newest; undefined where none is gone by. */
  readonly ownerBundle: SeenOwnerBundle | undefined;
  /** The end of its validity. */
  readonly notAfter: Millis | undefined;
}

interface Entry {
  readonly says: KeyBundle;
  readonly signed: SignedKeyBundle;
  readonly sha256: Uint8Array;
}

/** The digest (32 bytes) that owners sign; `previous` is the hash of the bundle that they signed before. */
export function ownerBundleDigest(bundle: Uint8Array, previous: Uint8Array): Uint8Array {
  return hashFields(LABEL, bundle, previous);
}

/**
 * Which identity keys count, by `trust` and by what the vault handed out as its owners' word.
 *
 * Without owners in `trust` that is what it says, and nothing handed out is looked at. Where both owners and identity
 * keys are pinned, these count until the owners have signed for this device once. Throws OwnerBundleInvalid: two owners
 * have not signed it, it is not of this time, or it does not go on from `known`.
 */
export function standingOf(
  trust: Trust,
  bundles: readonly SignedKeyBundle[],
  { known, now }: { known: SeenOwnerBundle | undefined; now: Millis },
): Standing {
  if ("unpinned" in trust || (trust.owners ?? []).length === 0) {
    return { trust, ownerBundle: known, notAfter: undefined };
  }
  if (bundles.length === 0 && known === undefined && (trust.pins ?? []).length > 0) {
    return { trust: { pins: trust.pins ?? [] }, ownerBundle: undefined, notAfter: undefined };
  }
  if (bundles.length > MAX_OWNER_BUNDLES) {
    throw new OwnerBundleInvalid(`the vault hands out more than ${MAX_OWNER_BUNDLES} bundles of its owners`);
  }
  const chain = bundles.map(parse);
  const newest = chain.at(-1);
  if (newest === undefined) {
    throw new OwnerBundleInvalid("the vault hands out nothing that its owners have signed");
  }
  checkChain(chain, trust.owners ?? [], known);
  const notAfter = checkTime(newest.says, now, { whose: "the owners' key bundle", otherwise: invalid });
  const identityKeys = [...listedIdentityKeys(newest.says, invalid).keys()];
  if (identityKeys.length === 0) {
    throw new OwnerBundleInvalid("the owners' key bundle has no identity key");
  }
  const earlier = new Set([...(known?.identityKeys ?? []), ...(known?.dropped ?? [])]);
  const dropped = [...earlier].filter((key) => !identityKeys.includes(key));
  const ownerBundle = { serial: newest.says.serial, sha256: newest.sha256, identityKeys, dropped };
  return { trust: { pins: identityKeys }, ownerBundle, notAfter };
}

/** The vault's own bundle, as one to be asked for anew once the owners' is over. */
export function limited(bundle: VerifiedBundle, { notAfter }: Standing): VerifiedBundle {
  return notAfter === undefined ? bundle : { ...bundle, notAfter: Math.min(bundle.notAfter, notAfter) };
}

function parse(signed: SignedKeyBundle): Entry {
  try {
    return { says: fromBinary(KeyBundleSchema, signed.bundle), signed, sha256: sha256(signed.bundle) };
  } catch {
    throw new OwnerBundleInvalid("an owners' key bundle does not parse");
  }
}

function checkChain(chain: readonly Entry[], owners: readonly string[], known: SeenOwnerBundle | undefined): void {
  const begin = beginOf(chain, known);
  chain.forEach((entry, place) => {
    const before = chain[place - 1];
    if (before !== undefined && entry.says.serial <= before.says.serial) {
      const serials = `from serial ${before.says.serial} to ${entry.says.serial}`;
      throw new OwnerBundleInvalid(`the owners' key bundles go back, ${serials}`);
    }
  });
  for (let place = begin; place < chain.length; place += 1) {
    checkOwners(chain[place] as Entry, chain[place - 1]?.sha256 ?? FIRST, owners);
  }
}

/** The first entry that must prove itself: it comes after what is known, or after the oldest if others do. */
function beginOf(chain: readonly Entry[], known: SeenOwnerBundle | undefined): number {
  if (known === undefined) {
    return Math.min(1, chain.length - 1);
  }
  const place = chain.findIndex((entry) => equal(entry.sha256, known.sha256));
  if (place >= 0) {
    return place + 1;
  }
  if (chain.some((entry) => entry.says.serial === known.serial)) {
    throw new OwnerBundleInvalid(`there are two key bundles of the owners with serial ${known.serial}`);
  }
  const newest = chain.at(-1)?.says.serial ?? 0n;
  throw new OwnerBundleInvalid(
    newest < known.serial
      ? `the owners' key bundle has serial ${newest}, but this device has seen serial ${known.serial}`
      : `the owners' key bundles up to serial ${newest} do not go on from serial ${known.serial}, known here`,
  );
}

function checkOwners(entry: Entry, previous: Uint8Array, pinned: readonly string[]): void {
  const digest = ownerBundleDigest(entry.signed.bundle, previous);
  const owners = pinned.map(ownerKey);
  const signers = new Set<string>();
  for (const { fingerprint, signature } of entry.signed.signatures) {
    const owner = owners.find((one) => one.fingerprint === toHex(fingerprint));
    if (owner !== undefined) {
      try {
        checkOwnerSignature(signature, digest, owner);
      } catch (error) {
        const who = `owner ${owner.fingerprint.slice(0, 16)}...`;
        const said = `a signature of ${who} is not over key bundle ${entry.says.serial} after the one before it`;
        throw error instanceof WrongSignature ? new OwnerBundleInvalid(said) : error;
      }
      signers.add(owner.fingerprint);
    }
  }
  if (signers.size < OWNERS_NEEDED) {
    const some = `${signers.size} of the owners pinned here have signed key bundle ${entry.says.serial}`;
    throw new OwnerBundleInvalid(`${some}, and ${OWNERS_NEEDED} must`);
  }
}

function invalid(problem: string): OwnerBundleInvalid {
  return new OwnerBundleInvalid(problem);
}
