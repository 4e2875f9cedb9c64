/** Owners of a vault, with keys of both kinds, who sign key bundles. */

import { create } from "@bufbuild/protobuf";
import { ed25519 } from "@noble/curves/ed25519.js";
import { p256 } from "@noble/curves/nist.js";

import { fromHex, toHex } from "../src/bytes.ts";
import { SignedKeyBundleSchema, type SignedKeyBundle } from "../src/gen/strongroom/v1/resources_pb.js";
import { ownerBundleDigest } from "../src/verification/owner-bundles.ts";
import { ownerKey } from "../src/verification/owner-keys.ts";

/** An owner. */
export interface Owner {
  /** As it is pinned. */
  readonly key: string;
  sign(digest: Uint8Array): Uint8Array;
}

/** An owner with an Ed25519 key. */
export function edOwner(): Owner {
  const { secretKey, publicKey } = ed25519.keygen();
  return { key: `302a300506032b6570032100${toHex(publicKey)}`, sign: (digest) => ed25519.sign(digest, secretKey) };
}

/** An owner with a P-256 key. */
export function ecOwner(): Owner {
  const secret = p256.utils.randomSecretKey();
  const point = toHex(p256.getPublicKey(secret, false));
  const key = `3059301306072a8648ce3d020106082a8648ce3d030107034200${point}`;
  return { key, sign: (digest) => p256.sign(digest, secret, { prehash: false }) };
}

/** `content`, signed by owners after the one whose hash is `before`. */
export function signed(content: Uint8Array, before: Uint8Array, by: readonly Owner[]): SignedKeyBundle {
  const signatures = by.map((owner) => ({
    fingerprint: fromHex(ownerKey(owner.key).fingerprint),
    signature: owner.sign(ownerBundleDigest(content, before)),
  }));
  return create(SignedKeyBundleSchema, { bundle: content, signatures });
}
