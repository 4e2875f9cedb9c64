/** Every hash, derivation, statement and receipt against the vectors that service and Python client are tested with. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Aes256Gcm, CipherSuite, HkdfSha256 } from "@hpke/core";
import { DhkemX25519HkdfSha256 } from "@hpke/dhkem-x25519";
import { fromBinary } from "@bufbuild/protobuf";
import { sha256 } from "@noble/hashes/sha2.js";

import { parseIdentity } from "../src/age-keys.ts";
import { fromHex, SecretBytes, toHex } from "../src/bytes.ts";
import { decodeContent, encodeContent, EnvelopeCorrupt } from "../src/envelope-content.ts";
import { openEnvelope, passkeyIdentity, PRF_INPUT, sealEnvelope, WrongPrf } from "../src/envelope.ts";
import { ReplyMismatch } from "../src/errors.ts";
import { decodeFields, encodeFields, FieldsError, hashFields } from "../src/fields.ts";
import { StatementSchema } from "../src/gen/strongroom/v1/ceremony_pb.js";
import { openFromVault, sealToVault } from "../src/hpke.ts";
import { BadPasskeyName, checkName } from "../src/passkey-names.ts";
import { checkDigit, checkRow, parseRecoveryKey, RecoveryKey, RecoveryKeyTypo } from "../src/recovery-key.ts";
import { bundleDigest, transportKeyId } from "../src/verification/bundles.ts";
import { credentialSet, digestOf } from "../src/verification/credential-sets.ts";
import { nextPageStart } from "../src/verification/histories.ts";
import { ownerBundleDigest } from "../src/verification/owner-bundles.ts";
import { checkOwnerSignature, ownerKey } from "../src/verification/owner-keys.ts";
import { receiptDigest, type ReceiptFor } from "../src/verification/receipts.ts";
import { identityFingerprint, WrongSignature } from "../src/verification/signatures.ts";
import { challengeOf, checkCeremony } from "../src/verification/statements.ts";
import { isError, vectors } from "./support.ts";

type Hex = Record<string, string>;
const protocol = vectors<{
  credential_set: { credentials: Hex[]; recovery_public_key: string; digest: string }[];
  ceremony: (Hex & { version: number; mode: number; origins: string[]; expires_at: number })[];
  receipt: (Hex & { version: number })[];
  page_token: (Hex & { version: number })[];
  bundle: Hex[];
  transport_key_id: Hex[];
  identity_fingerprint: Hex[];
  owner_fingerprint: Hex[];
  owners_bundle: { bundle: string; previous: string; digest: string; signatures: Hex[] }[];
  hpke: Hex[];
}>("protocol");

/** A member of a vector, as bytes. */
function bytes(vector: Readonly<Record<string, unknown>>, name: string): Uint8Array {
  return fromHex(vector[name] as string);
}

test("fields are encoded, hashed and read back as everywhere", () => {
  const cases = vectors<{ label: string; fields: Hex[]; encoded: string; sha256: string }[]>("fields");
  assert(cases.length > 5);
  for (const { label, fields, encoded, sha256: hash } of cases) {
    const values = fields.map((field) =>
      "bytes" in field ? bytes(field, "bytes") : BigInt(field["integer"] as string),
    );
    assert.equal(toHex(encodeFields(label, ...values)), encoded);
    assert.equal(toHex(hashFields(label, ...values)), hash);
    assert.equal(decodeFields(fromHex(encoded)).length, fields.length + 1);
  }
  assert.throws(() => decodeFields(fromHex("00000005ab")), isError(FieldsError, /runs past the end/));
  assert.throws(() => decodeFields(fromHex("000000")), isError(FieldsError, /runs past the end/));
  assert.throws(() => encodeFields("x", 2n ** 64n), isError(RangeError, /u64/));
});

test("credential sets have one digest, in whichever order they come", () => {
  for (const { credentials, recovery_public_key, digest } of protocol.credential_set) {
    const passkeys = credentials.map((one) => ({
      credentialId: bytes(one, "credential_id"),
      coseKey: bytes(one, "cose_key"),
    }));
    for (const given of [passkeys, passkeys.toReversed()]) {
      assert.equal(toHex(digestOf(credentialSet(given, fromHex(recovery_public_key)))), digest);
    }
  }
});

test("a ceremony is read, and its challenge is what a passkey signs", () => {
  for (const vector of protocol.ceremony) {
    const ceremony = bytes(vector, "ceremony");
    assert.equal(toHex(challengeOf(ceremony)), vector["challenge"]);
    const statement = fromBinary(StatementSchema, bytes(vector, "statement"));
    assert.deepEqual(statement.origins, vector.origins);
    const checked = checkCeremony(ceremony, {
      request: bytes(vector, "request"),
      tenant: vector["tenant"] as string,
      account: vector["account"] as string,
      rpId: vector["rp_id"] as string,
      origin: vector.origins[0] as string,
      modes: [vector.mode === 1 ? "prf" : "vault-held"],
      known: { version: BigInt(vector.version), chainHead: bytes(vector, "chain_head") },
      listedDigest: bytes(vector, "credential_set_sha256"),
      knownDigest: bytes(vector, "credential_set_sha256"),
      aboutSetAside: false,
      now: vector.expires_at - 60_000,
    });
    assert.equal(toHex(checked.challenge), vector["challenge"]);
    assert.equal(checked.expiresAt, vector.expires_at);
  }
});

test("receipts, bundles, fingerprints and page tokens are hashed and read as everywhere", () => {
  for (const vector of protocol.receipt) {
    const position = { version: BigInt(vector.version), chainHead: bytes(vector, "chain_head") };
    const asked = { challenge: bytes(vector, "challenge"), replySha256: sha256(bytes(vector, "reply")), position };
    assert.equal(toHex(receiptDigest(vector["kind"] as ReceiptFor, asked)), vector["digest"]);
  }
  for (const vector of protocol.bundle) {
    assert.equal(toHex(bundleDigest(bytes(vector, "bundle"))), vector["digest"]);
  }
  for (const vector of protocol.transport_key_id) {
    assert.equal(toHex(transportKeyId(bytes(vector, "public_key"))), vector["key_id"]);
  }
  for (const vector of protocol.identity_fingerprint) {
    assert.equal(toHex(identityFingerprint(bytes(vector, "public_key"))), vector["fingerprint"]);
  }
  for (const vector of protocol.page_token) {
    const start = nextPageStart(bytes(vector, "token"));
    assert.deepEqual([start.version, toHex(start.chainHead)], [BigInt(vector.version), vector["chain_head"]]);
  }
});

test("owners' keys are read, and their signatures checked", () => {
  for (const vector of protocol.owner_fingerprint) {
    assert.equal(ownerKey(vector["public_key"] as string).fingerprint, vector["fingerprint"]);
  }
  for (const { bundle, previous, digest, signatures } of protocol.owners_bundle) {
    const before = previous === "" ? new Uint8Array(32) : sha256(fromHex(previous));
    assert.equal(toHex(ownerBundleDigest(fromHex(bundle), before)), digest);
    for (const one of signatures) {
      const owner = ownerKey(one["public_key"] as string);
      checkOwnerSignature(bytes(one, "signature"), fromHex(digest), owner);
      const other = fromHex(digest).with(0, (fromHex(digest)[0] ?? 0) ^ 1);
      assert.throws(() => checkOwnerSignature(bytes(one, "signature"), other, owner), isError(WrongSignature, /./));
    }
  }
});

test("HPKE opens what is sealed for its direction and challenge, and nothing else", async () => {
  const kem = new DhkemX25519HkdfSha256();
  const suite = new CipherSuite({ kem, kdf: new HkdfSha256(), aead: new Aes256Gcm() });
  for (const vector of protocol.hpke) {
    const key = await kem.deserializePrivateKey(new Uint8Array(bytes(vector, "private_key")).buffer);
    const [sealed, challenge] = [bytes(vector, "sealed"), bytes(vector, "challenge")];
    if (vector["direction"] === "to-client") {
      assert.equal(toHex(await openFromVault(sealed, key, challenge)), vector["plaintext"]);
      const other = challenge.with(0, (challenge[0] ?? 0) ^ 1);
      await assert.rejects(openFromVault(sealed, key, other), isError(ReplyMismatch, /not sealed to this request/));
    } else {
      await assert.rejects(openFromVault(sealed, key, challenge), isError(ReplyMismatch, /not sealed to this request/));
      const info = bytes(vector, "info").slice().buffer as ArrayBuffer;
      const own = await sealToVault(bytes(vector, "plaintext"), await publicKeyOf(kem, vector), challenge);
      for (const one of [sealed, own]) {
        const opening = { recipientKey: key, enc: one.slice(0, 32).buffer as ArrayBuffer, info };
        const opened = new Uint8Array(await suite.open(opening, one.slice(32).buffer as ArrayBuffer));
        assert.equal(toHex(opened), vector["plaintext"]);
      }
    }
  }
});

async function publicKeyOf(kem: DhkemX25519HkdfSha256, vector: Hex): Promise<Uint8Array> {
  const { x25519 } = await import("@noble/curves/ed25519.js");
  assert.equal(kem.publicKeySize, 32);
  return x25519.getPublicKey(bytes(vector, "private_key"));
}

test("recovery keys are shown, read and used as everywhere, and typing mistakes are located", () => {
  const cases = vectors<{ keys: (Hex & { rows: string[] })[] }>("recovery_key").keys;
  for (const vector of cases) {
    const key = new RecoveryKey(bytes(vector, "seed"));
    assert.deepEqual(key.rows(), vector.rows);
    assert.equal(key.ageIdentity().text(), vector["age_identity"]);
    assert.equal(key.ageIdentity().recipient(), vector["age_recipient"]);
    assert.equal(toHex(key.publicKey()), vector["credential_public_key"]);
    assert.equal(toHex(key.sign(bytes(vector, "challenge"))), vector["assertion"]);
    const typed = [vector.rows.join("\n"), vector.rows.join(" "), vector.rows.join("\r\n").toUpperCase()];
    typed.forEach((text) => assert.deepEqual(parseRecoveryKey(text).rows(), vector.rows));
  }
  const rows = (cases[1] as { rows: string[] }).rows;
  const typed =
    (change: (rows: string[]) => string[]): (() => unknown) =>
    () =>
      parseRecoveryKey(change(rows).join("\n"));
  const rowsOf =
    (wrong: number[]) =>
    (error: unknown): boolean => {
      assert(error instanceof RecoveryKeyTypo);
      assert.deepEqual(error.rows, wrong);
      return true;
    };
  assert.throws(
    typed((all) => all.with(2, "0809 0a0c-3")),
    rowsOf([3]),
  );
  assert.throws(
    typed((all) => all.with(2, all[3] as string).with(3, all[2] as string)),
    rowsOf([3, 4]),
  );
  assert.throws(
    typed((all) => all.with(0, "OOO1 0203-d")),
    rowsOf([1]),
  );
  assert.throws(
    typed((all) => all.with(7, "1c1d 1e1f")),
    rowsOf([8]),
  );
  assert.throws(
    typed((all) => all.slice(1)),
    rowsOf([]),
  );
  assert.equal(checkDigit("00010203", 1), "d");
  rows.forEach((row, place) => checkRow(row.toUpperCase(), place + 1));
  assert.throws(() => checkRow(rows[1] as string, 3), rowsOf([3]));
});

test("envelopes are opened as everywhere, by the right passkey alone", async () => {
  const cases = vectors<{
    prf_input: string;
    passkey_identities: Hex[];
    contents: {
      content: string;
      archive_identities: string[];
      passkey_recipients: Hex[];
      recovery_recipient: string;
    }[];
    envelopes: Hex[];
  }>("envelope");
  assert.equal(toHex(PRF_INPUT), cases.prf_input);
  for (const vector of cases.passkey_identities) {
    const identity = passkeyIdentity(new SecretBytes(bytes(vector, "prf_output")), bytes(vector, "credential_id"));
    assert.deepEqual([identity.text(), identity.recipient()], [vector["identity"], vector["recipient"]]);
  }
  for (const vector of cases.contents) {
    const content = decodeContent(fromHex(vector.content));
    assert.deepEqual(
      content.archiveIdentities.map((one) => one.text()),
      vector.archive_identities,
    );
    assert.equal(content.recoveryRecipient, vector.recovery_recipient);
    assert.equal(toHex(encodeContent(content)), vector.content);
    assert.throws(() => decodeContent(fromHex(`${vector.content}00000000`)), isError(EnvelopeCorrupt, /canonical/));
    assert.throws(
      () => decodeContent(fromHex(vector.content).slice(0, -1)),
      isError(EnvelopeCorrupt, /no format that/),
    );
  }
  for (const vector of cases.envelopes) {
    const secret = new SecretBytes(bytes(vector, "prf_output"));
    const identity = passkeyIdentity(secret, bytes(vector, "credential_id"));
    const content = await openEnvelope(bytes(vector, "envelope"), identity);
    assert.equal(toHex(encodeContent(content)), vector["content"]);
    assert.equal(toHex(encodeContent(await openEnvelope(await sealEnvelope(content), identity))), vector["content"]);
    const other = parseIdentity((cases.passkey_identities[0] as Hex)["identity"] as string);
    const opened = passkeyIdentity(secret, Uint8Array.of(1));
    await assert.rejects(openEnvelope(bytes(vector, "envelope"), opened), isError(WrongPrf, /does not open/));
    const cut = bytes(vector, "envelope").slice(0, -1);
    await assert.rejects(openEnvelope(cut, identity), isError(EnvelopeCorrupt, /not a whole age file/));
    assert(!other.is(identity) || vector["credential_id"] === (cases.passkey_identities[0] as Hex)["credential_id"]);
  }
});

test("names of passkeys are read as everywhere, and what is no name is refused", () => {
  const cases = vectors<{ contents: { content: string; passkey_names: Hex[] }[] }>("envelope_names").contents;
  assert(cases.length > 1);
  for (const vector of cases) {
    const content = decodeContent(fromHex(vector.content));
    const names = content.passkeyNames.map((one) => ({ credential_id: toHex(one.credentialId), name: one.name }));
    assert.deepEqual(names, vector.passkey_names);
    assert.equal(toHex(encodeContent(content)), vector.content);
  }
  for (const name of ["", " a", "a ", "a\nb", "a\u200bb", "a\u202eb", "\u0085", "\ud800", "ü".repeat(65)]) {
    assert.throws(() => checkName(name), isError(BadPasskeyName, /a passkey's name must/), JSON.stringify(name));
  }
  ["a", "ü".repeat(64), "Zoë's phone ✓"].forEach(checkName);
});

test("secrets are shown to nobody who did not ask", () => {
  const secret = new SecretBytes(Uint8Array.of(0xab, 0xcd));
  const key = new RecoveryKey(new Uint8Array(32).fill(0xab));
  for (const shown of [JSON.stringify({ secret, key, id: key.ageIdentity() }), `${secret}${key.ageIdentity()}`]) {
    assert.doesNotMatch(shown, /ab|171|AGE-SECRET/);
  }
});
