/**
 * Key bundles: the vault's public keys for at most 30 days, believed for a pinned identity key's signature only.
 *
 * A bundle never introduces an identity key: it brings the public key for a fingerprint that is pinned already. Serials
 * count per fingerprint, and a lower one is refused: an old bundle may name a transport key that was lost since.
 */

import { fromBinary } from "@bufbuild/protobuf";
import { sha256 } from "@noble/hashes/sha2.js";

import { equal, fromHex, toHex } from "../bytes.ts";
import { BundleInvalid, UnpinnedVault } from "../errors.ts";
import { hashFields } from "../fields.ts";
import { HpkeSuite, KeyBundleSchema, type KeyBundle, type SignedKeyBundle } from "../gen/strongroom/v1/resources_pb.js";
import { millisOf, type Millis } from "../timestamps.ts";
import type { IdentityKeys } from "./receipts.ts";
import { checkSignature, identityFingerprint, WrongSignature } from "./signatures.ts";

export const FINGERPRINT_BYTES = 32;
export const MAX_VALIDITY_MS = 30 * 24 * 3600 * 1000;
const KEY_BYTES = 32;
const TRANSPORT_ID_BYTES = 16;
const BUNDLE_LABEL = "strongroom/v1/key-bundle";
const TRANSPORT_ID_LABEL = "strongroom/v1/transport-key-id";

/** Which identity keys count: those with a fingerprint in `pins` (hex), or with `unpinned` whichever a bundle names. */
export type Trust = { readonly pins: readonly string[] } | { readonly unpinned: true };

/** `trust`, looked at. Throws UnpinnedVault where nothing is pinned and that was not chosen, RangeError for no pin. */
export function checkTrust(trust: Trust): Trust {
  if ("unpinned" in trust) {
    return { unpinned: true };
  }
  if (trust.pins.length === 0) {
    throw new UnpinnedVault("pin an identity key of the vault, or say that it is to be used unpinned");
  }
  if (trust.pins.some((pin) => fromHex(pin).length !== FINGERPRINT_BYTES)) {
    throw new RangeError(`a pin is ${FINGERPRINT_BYTES} bytes, in hex`);
  }
  return { pins: [...trust.pins] };
}

/** The pins, in hex; none where the vault is used unpinned. */
export function pinsOf(trust: Trust): readonly string[] {
  return "unpinned" in trust ? [] : trust.pins;
}

/** Whether signatures of the identity key with this fingerprint count. */
export function counts(trust: Trust, fingerprint: Uint8Array): boolean {
  return "unpinned" in trust || trust.pins.includes(toHex(fingerprint));
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
  const notAfter = checkTime(bundle, now);
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

function identityKeysOf(bundle: KeyBundle, trust: Trust): IdentityKeys {
  if (bundle.identityKeys.some((key) => !equal(identityFingerprint(key.publicKey), key.fingerprint))) {
    throw new BundleInvalid("an identity key is listed under another key's fingerprint");
  }
  const counting = bundle.identityKeys.filter((key) => counts(trust, key.fingerprint));
  return new Map(counting.map((key) => [toHex(key.fingerprint), key.publicKey]));
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

/** The end of its validity. */
function checkTime(bundle: KeyBundle, now: Millis): Millis {
  const otherwise = (problem: string): BundleInvalid => new BundleInvalid(problem);
  const notBefore = millisOf(bundle.notBeforeTime, otherwise);
  const notAfter = millisOf(bundle.notAfterTime, otherwise);
  if (notAfter <= notBefore || notAfter - notBefore > MAX_VALIDITY_MS) {
    throw new BundleInvalid("the key bundle claims to be valid for more than 30 days");
  }
  if (now < notBefore || now > notAfter) {
    const when = now < notBefore ? "not valid yet" : "not valid any more";
    throw new BundleInvalid(`the key bundle is ${when}; is this device's clock right?`);
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
