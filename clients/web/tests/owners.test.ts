/** What two pinned owners have signed says which identity keys count; anything less is refused by its reason. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { p256 } from "@noble/curves/nist.js";
import { sha256 } from "@noble/hashes/sha2.js";

import { fromHex, toHex } from "../src/bytes.ts";
import { OwnerBundleInvalid, UnpinnedVault } from "../src/errors.ts";
import { KeyBundleSchema, SignedKeyBundleSchema, type SignedKeyBundle } from "../src/gen/strongroom/v1/resources_pb.js";
import { ownersChanged } from "../src/notices.ts";
import { checkTrust, counts, mayCount, verifyBundle, type Trust } from "../src/verification/bundles.ts";
import { limited, ownerBundleDigest, standingOf, type SeenOwnerBundle } from "../src/verification/owner-bundles.ts";
import { ownerKey, ownerKeyOfPem } from "../src/verification/owner-keys.ts";
import { identityFingerprint } from "../src/verification/signatures.ts";
import { ecOwner, edOwner, signed } from "./owner-signers.ts";
import { isError, vectors } from "./support.ts";

const NOW = 1_800_000_000_000;
const DAY_MS = 24 * 3600 * 1000;
const ZEROS = new Uint8Array(32);

const [ada, grace, eve] = [edOwner(), ecOwner(), edOwner()];
const TRUST: Trust = checkTrust({ owners: [ada.key, grace.key] });
const [OLD, NEW] = [1, 2].map((seed) => p256.getPublicKey(new Uint8Array(32).fill(seed), false)) as [
  Uint8Array,
  Uint8Array,
];
const [old, young] = [OLD, NEW].map((key) => toHex(identityFingerprint(key))) as [string, string];

function bundle(serial: number, keys: Uint8Array[], { from = NOW - DAY_MS, to = NOW + DAY_MS } = {}): Uint8Array {
  const identityKeys = keys.map((publicKey) => ({ publicKey, fingerprint: identityFingerprint(publicKey) }));
  const times = { notBeforeTime: timestampFromMs(from), notAfterTime: timestampFromMs(to) };
  const content: MessageInitShape<typeof KeyBundleSchema> = { serial: BigInt(serial), identityKeys, ...times };
  return toBinary(KeyBundleSchema, create(KeyBundleSchema, content));
}

function chained(...contents: Uint8Array[]): SignedKeyBundle[] {
  return contents.map((content, place) => {
    const before = contents[place - 1];
    return signed(content, before === undefined ? ZEROS : sha256(before), [ada, grace]);
  });
}

const ONE = bundle(3, [OLD], { from: NOW - 90 * DAY_MS, to: NOW - 80 * DAY_MS });
const TWO = bundle(9, [OLD, NEW]);
const THREE = bundle(12, [NEW]);
const CHAIN = chained(ONE, TWO, THREE);

function stand(
  bundles: SignedKeyBundle[],
  { trust = TRUST, known, now = NOW }: { trust?: Trust; known?: SeenOwnerBundle; now?: number } = {},
) {
  return standingOf(trust, bundles, { known, now });
}

/** What a device knows that last saw the chain up to its second. */
const known = stand(CHAIN.slice(0, 2)).ownerBundle as SeenOwnerBundle;

test("the newest says which identity keys count, and what was dropped is told", () => {
  assert.deepEqual(known.identityKeys, [old, young]);
  const standing = stand(CHAIN, { known });
  assert.deepEqual(standing.trust, { pins: [young] });
  assert.deepEqual(standing.ownerBundle?.dropped, [old]);
  assert.deepEqual(
    ownersChanged(known, standing.ownerBundle).map(({ kind }) => kind),
    ["identity-key-dropped"],
  );
  assert.equal(limited({ notAfter: NOW + 9 * DAY_MS } as never, standing).notAfter, NOW + DAY_MS);
  assert.deepEqual(stand(CHAIN, { known: standing.ownerBundle as SeenOwnerBundle }).trust, { pins: [young] });
});

test("pins count until the owners have signed for this device once, and without owners nothing handed out does", () => {
  const both = checkTrust({ pins: [old], owners: [ada.key, grace.key] });
  assert.deepEqual(stand([], { trust: both }).trust, { pins: [old] });
  assert.deepEqual(stand(CHAIN, { trust: both }).trust, { pins: [young] });
  assert.throws(() => stand([], { trust: both, known }), isError(OwnerBundleInvalid, /nothing that its owners/));
  assert.deepEqual(stand(CHAIN, { trust: { pins: [old] } }).trust, { pins: [old] });
  assert(mayCount(both, fromHex(young)) && !counts(both, fromHex(young)));
});

test("vectors are taken, with the keys that they name", () => {
  const cases = vectors<{ owners_bundle: { bundle: string; signatures: Record<string, string>[] }[] }>(
    "protocol",
  ).owners_bundle;
  const owners = (cases[0]?.signatures ?? []).map((one) => one["public_key"] as string);
  const handedOut = cases.map(({ bundle: content, signatures }) =>
    create(SignedKeyBundleSchema, {
      bundle: fromHex(content),
      signatures: signatures.map((one) => ({
        fingerprint: fromHex(ownerKey(one["public_key"] as string).fingerprint),
        signature: fromHex(one["signature"] as string),
      })),
    }),
  );
  assert.equal(stand(handedOut, { trust: { owners } }).ownerBundle?.serial, 9n);
});

const REFUSED: readonly [string, RegExp, () => SignedKeyBundle[], SeenOwnerBundle?][] = [
  ["nothing", /nothing that its owners/, () => []],
  ["one owner's word", /1 of the owners/, () => [signed(THREE, ZEROS, [ada])]],
  ["one owner's word twice", /1 of the owners/, () => [signed(THREE, ZEROS, [ada, ada])]],
  ["a stranger's word beside one owner's", /1 of the owners/, () => [signed(THREE, ZEROS, [ada, eve])]],
  ["a wrong signature in an owner's name", /not over key bundle/, () => [forged()]],
  ["a signature over another one before", /not over key bundle/, () => [signed(THREE, sha256(ONE), [ada, grace])]],
  ["serials that go back", /go back/, () => chained(THREE, TWO)],
  ["two with one serial", /two key bundles/, () => chained(ONE, bundle(9, [NEW])), known],
  ["an older one than is known", /has seen serial 9/, () => chained(ONE), known],
  ["a chain without the known one", /do not go on/, () => chained(ONE, THREE), known],
  ["one that is over", /not valid any more/, () => chained(ONE)],
  ["one of too long a validity", /more than 30 days/, () => chained(bundle(1, [NEW], { to: NOW + 40 * DAY_MS }))],
  ["one without an identity key", /no identity key/, () => chained(bundle(1, []))],
  [
    "more than any vault hands out",
    /more than 64/,
    () => Array.from({ length: 65 }, () => CHAIN[0] as SignedKeyBundle),
  ],
  ["what does not parse", /does not parse/, () => [signed(Uint8Array.of(0xff), ZEROS, [ada, grace])]],
];

function forged(): SignedKeyBundle {
  const one = signed(THREE, ZEROS, [ada, grace, eve]);
  (one.signatures[0] as { signature: Uint8Array }).signature = eve.sign(ownerBundleDigest(THREE, ZEROS));
  return one;
}

for (const [what, said, made, remembered] of REFUSED) {
  test(`${what} is refused`, () => {
    const options = remembered === undefined ? {} : { known: remembered };
    assert.throws(() => stand(made(), options), isError(OwnerBundleInvalid, said));
  });
}

test("who pins must pin well", () => {
  assert.throws(() => checkTrust({}), isError(UnpinnedVault, /pin the vault's owners/));
  assert.throws(() => checkTrust({ pins: ["ab"] }), isError(RangeError, /32 bytes/));
  assert.throws(() => checkTrust({ owners: [ada.key] }), isError(RangeError, /one owner's word/));
  assert.throws(() => checkTrust({ owners: [ada.key, ada.key] }), isError(RangeError, /one owner's word/));
  assert.throws(() => checkTrust({ owners: [ada.key, `${grace.key}00`] }), isError(RangeError, /Ed25519 or P-256/));
  const pem = `-----BEGIN PUBLIC KEY-----\n${Buffer.from(fromHex(ada.key)).toString("base64")}\n-----END PUBLIC KEY-----\n`;
  assert.equal(ownerKeyOfPem(pem), ada.key);
  assert.throws(
    () => ownerKeyOfPem("-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----"),
    isError(RangeError, /Ed25519/),
  );
  assert.throws(() => verifyBundle(undefined, { trust: TRUST, seen: new Map(), now: NOW }), /no key bundle/);
});
