/** The formats by the vectors of tests/vectors, which hold every implementation together. Run: node --test */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { identityToRecipient } from "age-encryption";
import { credentialSetDigest } from "../src/checks.ts";
import { decodeContent, encodeContent, openEnvelope, passkeyIdentity, PRF_INPUT, recoveryKey, recoveryRows } from "../src/envelope.ts";
import { decodeFields, encodeFields, hashFields } from "../src/fields.ts";

const vectors = (name: string) => JSON.parse(readFileSync(new URL(`../../../../tests/vectors/${name}.json`, import.meta.url), "utf8"));
const hex = (text: string) => Buffer.from(text, "hex");

test("fields are encoded, hashed and read again", () => {
  for (const { label, fields, encoded, sha256 } of vectors("fields")) {
    const values = fields.map((field: { bytes?: string; integer?: string }) => field.bytes === undefined ? BigInt(field.integer as string) : hex(field.bytes));
    assert.equal(encodeFields(label, ...values).toString("hex"), encoded);
    assert.equal(hashFields(label, ...values).toString("hex"), sha256);
    assert.equal(decodeFields(hex(encoded)).length, fields.length + 1);
  }
});

test("a list of fields that is cut short is refused", () => {
  assert.throws(() => decodeFields(encodeFields("label", hex("0102")).subarray(0, -1)), /runs past the end/);
});

test("credential sets have one digest", () => {
  for (const { credentials, recovery_public_key, digest } of vectors("protocol").credential_set) {
    const listed = credentials.map((one: { credential_id: string; cose_key: string }) => ({
      credentialId: hex(one.credential_id), coseKey: hex(one.cose_key),
    }));
    assert.equal(credentialSetDigest(listed.reverse(), hex(recovery_public_key)).toString("hex"), digest);
  }
});

test("the challenge is the ceremony's hash", () => {
  for (const { ceremony, challenge } of vectors("protocol").ceremony) {
    assert.equal(hashFields("strongroom/v1/challenge", hex(ceremony)).toString("hex"), challenge);
  }
});

test("a passkey's age identity follows from its PRF output", async () => {
  assert.equal(PRF_INPUT.toString("hex"), vectors("envelope").prf_input);
  for (const { prf_output, credential_id, identity, recipient } of vectors("envelope").passkey_identities) {
    assert.equal(passkeyIdentity(hex(prf_output), hex(credential_id)), identity);
    assert.equal(await identityToRecipient(identity), recipient);
  }
});

test("envelopes of the Python client open, and their content has one form", async () => {
  for (const { content } of vectors("envelope").contents) {
    assert.equal((await encodeContent(decodeContent(hex(content)))).toString("hex"), content);
  }
  for (const { prf_output, credential_id, content, envelope } of vectors("envelope").envelopes) {
    const opened = await openEnvelope(hex(envelope), passkeyIdentity(hex(prf_output), hex(credential_id)));
    assert.equal((await encodeContent(opened)).toString("hex"), content);
  }
});

test("a recovery key is written and used as by the Python client", async () => {
  for (const { seed, rows, age_identity, age_recipient, credential_public_key } of vectors("recovery_key").keys) {
    assert.deepEqual(recoveryRows(hex(seed)), rows);
    const key = await recoveryKey(hex(seed));
    assert.deepEqual([key.identity, key.recipient, key.publicKey.toString("hex")], [age_identity, age_recipient, credential_public_key]);
  }
});
