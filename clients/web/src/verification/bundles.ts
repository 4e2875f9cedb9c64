/**
 * Key bundles: the vault's public keys for at most 30 days, believed for a pinned identity key's signature only.
 *
 * A bundle that an identity key signed never introduces another: it brings the public key for a fingerprint that counts
 * already. Serials count per fingerprint, and a lower one is refused: an old bundle may name a transport key that was
 * lost since. What two owners have signed may introduce one: owner-bundles.ts.
 */

import { fromBinary } from "@bufbuild/protobuf";
import { sha256 } from "@noble/hashes/sha2.js";

import { equal, fromHex, toHex } from "../bytes.ts";
import { BundleInvalid, UnpinnedVault, type NotProven } from "../errors.ts";
import { hashFields } from "../fields.ts";
import { HpkeSuite, KeyBundleSchema, type KeyBundle, type SignedKeyBundle } from "../gen/strongroom/v1/resources_pb.js";
import { millisOf, type Millis } from "../timestamps.ts";
import type { IdentityKeys } from "./receipts.ts";
import { ownerKey } from "./owner-keys.ts";
import { checkSignature, identityFingerprint, WrongSignature } from "./signatures.ts";

export const FINGERPRINT_BYTES = 32;
export const MAX_VALIDITY_MS = 30 * 24 * 3600 * 1000;
const KEY_BYTES = 32;
const TRANSPORT_ID_BYTES = 16;
const BUNDLE_LABEL = "strongroom/v1/key-bundle";
const TRANSPORT_ID_LABEL = "strongroom/v1/transport-key-id";

/**
 * Which identity keys count: those with a fingerprint in `pins` (hex), or with `unpinned` whichever a bundle names.
 *
 * With `owners` (public keys as `ownerKeyOfPem` gives them, two or more) those that two of these have signed for; then
 * `pins` count only until these have.
 */
export type Trust =
  { readonly pins?: readonly string[]; readonly owners?: readonly string[] } | { readonly unpinned: true };

/**
 * `trust`, looked at. Throws UnpinnedVault where nothing is pinned, unasked; RangeError for what is no pin or owner.
 */
export function checkTrust(trust: Trust): Trust {
  if ("unpinned" in trust) {
    return { unpinned: true };
  }
  const { pins = [], owners = [] } = trust;
  if (pins.length === 0 && owners.length === 0) {
    throw new UnpinnedVault("pin the vault's owners or an identity key, or say that it is to be used unpinned");
  }
  if (pins.some((pin) => fromHex(pin).length !== FINGERPRINT_BYTES)) {
    throw new RangeError(`a pin is ${FINGERPRINT_BYTES} bytes, in hex`);
  }
  if (owners.length > 0 && new Set(owners.map((owner) => ownerKey(owner).fingerprint)).size < 2) {
    throw new RangeError("one owner's word is not enough: pin two or more, each with another key");
  }
  return { pins: [...pins], owners: [...owners] };
}

/** The pins, in hex; none where the vault is used unpinned. */
export function pinsOf(trust: Trust): readonly string[] {
  return "unpinned" in trust ? [] : (trust.pins ?? []);
}

/** Whether signatures of the identity key with this fingerprint count, by the pins alone. */
export function counts(trust: Trust, fingerprint: Uint8Array): boolean {
  return "unpinned" in trust || pinsOf(trust).includes(toHex(fingerprint));
}

/** Whether they may count by now: the owners can have signed for it. */
export function mayCount(trust: Trust, fingerprint: Uint8Array): boolean {
  return counts(trust, fingerprint) || (!("unpinned" in trust) && (trust.owners ?? []).length > 0);
}

/** Serial and SHA-256 of the newest bundle that an identity key has signed for this device. */
export interface SeenBundle {
  readonly serial: bigint;
  readonly sha256: Uint8Array;
}

/** What a checked bundle gives. */
export interface VerifiedBundle {
  /** Its serial and SHA-256, to be remembered for each of `signers`. */
  readonly seen: SeenBundle;
  /** Fingerprints in hex, of keys that count, that signed it. */
  readonly signers: readonly string[];
  readonly identityKeys: IdentityKeys;
  /** X25519, 32 bytes: seal to it. */
  readonly transportKey: Uint8Array;
  /** 16 bytes. */
  readonly transportKeyId: Uint8Array;
  readonly notAfter: Millis;
}

/** The digest (32 bytes) that signatures of a serialized bundle are over. */
export function bundleDigest(bundle: Uint8Array): Uint8Array {
  return hashFields(BUNDLE_LABEL, bundle);
}

/** The id (16 bytes) of a transport key (X25519, 32 bytes). */
export function transportKeyId(publicKey: Uint8Array): Uint8Array {
  return hashFields(TRANSPORT_ID_LABEL, publicKey).slice(0, TRANSPORT_ID_BYTES);
}

/**
 * Check a bundle against `trust`, the bundles `seen` so far (by fingerprint, in hex) and the time.
 *
 * Throws BundleInvalid: unsigned by a key that counts, not of this time, older than one seen, or malformed.
 */
export function verifyBundle(
  signed: SignedKeyBundle | undefined,
  { trust, seen, now }: { trust: Trust; seen: ReadonlyMap<string, SeenBundle>; now: Millis },
): VerifiedBundle {
  if (signed === undefined) {
    throw new BundleInvalid("there is no key bundle");
  }
  const bundle = parse(signed.bundle);
  const identityKeys = identityKeysOf(bundle, trust);
  const signers = checkSignatures(signed, identityKeys);
  const notAfter = checkTime(bundle, now, { whose: "the key bundle", otherwise: invalid });
  const current = { serial: bundle.serial, sha256: sha256(signed.bundle) };
  signers.forEach((signer) => checkSerial(current, seen.get(signer)));
  const transportKey = transportKeyOf(bundle);
  return { seen: current, signers, identityKeys, transportKey, transportKeyId: transportKeyId(transportKey), notAfter };
}

function parse(bundle: Uint8Array): KeyBundle {
  try {
    return fromBinary(KeyBundleSchema, bundle);
  } catch {
    throw new BundleInvalid("the key bundle does not parse");
  }
}

/** A bundle's identity keys, by fingerprint; throws what `otherwise` makes of one under another's fingerprint. */
export function listedIdentityKeys(bundle: KeyBundle, otherwise: (problem: string) => NotProven): IdentityKeys {
  if (bundle.identityKeys.some((key) => !equal(identityFingerprint(key.publicKey), key.fingerprint))) {
    throw otherwise("an identity key is listed under another key's fingerprint");
  }
  return new Map(bundle.identityKeys.map((key) => [toHex(key.fingerprint), key.publicKey]));
}

function identityKeysOf(bundle: KeyBundle, trust: Trust): IdentityKeys {
  const listed = listedIdentityKeys(bundle, invalid);
  return new Map([...listed].filter(([fingerprint]) => counts(trust, fromHex(fingerprint))));
}

/** Who signed, of the keys that count: at least one. A wrong signature in such a key's name refuses all. */
function checkSignatures(signed: SignedKeyBundle, identityKeys: IdentityKeys): string[] {
  const digest = bundleDigest(signed.bundle);
  const signers = signed.signatures.flatMap(({ fingerprint, signature }) => {
    const publicKey = identityKeys.get(toHex(fingerprint));
    if (publicKey === undefined) {
      return [];
    }
    try {
      checkSignature(signature, digest, publicKey);
    } catch (error) {
      throw error instanceof WrongSignature ? new BundleInvalid("a signature of the key bundle is wrong") : error;
    }
    return [toHex(fingerprint)];
  });
  if (signers.length === 0) {
    throw new BundleInvalid("the key bundle is not signed by an identity key that counts here");
  }
  return signers;
}

/**
 * The end of a bundle's validity; throws what `otherwise` makes of it where that does not include now, or is too
 * long.
 */
export function checkTime(
  bundle: KeyBundle,
  now: Millis,
  { whose, otherwise }: { whose: string; otherwise: (problem: string) => NotProven },
): Millis {
  const notBefore = millisOf(bundle.notBeforeTime, otherwise);
  const notAfter = millisOf(bundle.notAfterTime, otherwise);
  if (notAfter <= notBefore || notAfter - notBefore > MAX_VALIDITY_MS) {
    throw otherwise(`${whose} claims to be valid for more than 30 days`);
  }
  if (now < notBefore || now > notAfter) {
    const when = now < notBefore ? "not valid yet" : "not valid any more";
    throw otherwise(`${whose} is ${when}; is this device's clock right?`);
  }
  return notAfter;
}

function checkSerial(current: SeenBundle, seen: SeenBundle | undefined): void {
  if (seen === undefined || current.serial > seen.serial) {
    return;
  }
  if (current.serial < seen.serial) {
    throw new BundleInvalid(
      `the key bundle has serial ${current.serial}, but this device has seen serial ${seen.serial}`,
    );
  }
  if (!equal(current.sha256, seen.sha256)) {
    throw new BundleInvalid(`the identity key signed two key bundles with serial ${current.serial}`);
  }
}

function transportKeyOf(bundle: KeyBundle): Uint8Array {
  const key = bundle.transportKeys.find(({ suite }) => suite === HpkeSuite.X25519_SHA256_AES256GCM);
  if (key === undefined) {
    throw new BundleInvalid("the key bundle has no transport key of a suite that this client knows");
  }
  if (key.publicKey.length !== KEY_BYTES || !equal(transportKeyId(key.publicKey), key.keyId)) {
    throw new BundleInvalid("a transport key is listed under another key's id");
  }
  return key.publicKey;
}

function invalid(problem: string): BundleInvalid {
  return new BundleInvalid(problem);
}
