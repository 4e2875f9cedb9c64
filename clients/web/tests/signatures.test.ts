/** Signatures of passkeys: the standard's own vectors, and each algorithm that the vault offers. */

import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";
import { sha256 } from "@noble/hashes/sha2.js";
import { encode } from "cborg";

import { concat, fromHex, toBase64url, toHex, utf8 } from "../src/bytes.ts";
import { AttestationSchema, WebAuthnAssertionSchema } from "../src/gen/strongroom/v1/resources_pb.js";
import { attestedIn, checkAssertion, checkAssertionPolicy, NotSigned } from "../src/verification/webauthn.ts";
import { isError, vectors } from "./support.ts";

type Hex = Readonly<Record<string, string>>;

test("the standard's own assertions are right, and no other", async () => {
  const l3 = vectors<{ rp_id: string; vectors: (Hex & { create: Hex; get: Hex })[] }>("webauthn_l3");
  assert(l3.vectors.length > 2);
  for (const vector of l3.vectors) {
    const { get } = vector as { get: Hex };
    const attestation = create(AttestationSchema, {
      credentialId: fromHex(vector["credential_id"] ?? ""),
      attestationObject: fromHex((vector.create as Hex)["attestationObject"] ?? ""),
    });
    assert.equal(toHex(attestedIn(attestation).coseKey), vector["cose_key"]);
    const assertion = create(WebAuthnAssertionSchema, {
      clientDataJson: fromHex(get["clientDataJSON"] ?? ""),
      authenticatorData: fromHex(get["authenticatorData"] ?? ""),
      signature: fromHex(get["signature"] ?? ""),
    });
    const asked = {
      coseKey: fromHex(vector["cose_key"] ?? ""),
      challenge: fromHex(get["challenge"] ?? ""),
      rpId: l3.rp_id,
    };
    await checkAssertion(assertion, asked);
    const altered = { ...assertion, signature: assertion.signature.with(9, (assertion.signature[9] ?? 0) ^ 1) };
    await assert.rejects(checkAssertion(altered, asked), isError(NotSigned, /not the passkey's/));
    await assert.rejects(
      checkAssertion(assertion, { ...asked, rpId: "example.com" }),
      isError(NotSigned, /relying party/),
    );
    await assert.rejects(
      checkAssertion(assertion, { ...asked, challenge: new Uint8Array(16) }),
      isError(NotSigned, /ceremony/),
    );
  }
});

test("an RSA signature is right, and its key is what says so", async () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const { n = "", e = "" } = publicKey.export({ format: "jwk" }) as { n?: string; e?: string };
  const part = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64url"));
  const key = (algorithm: number): Uint8Array =>
    encode(
      new Map<number, unknown>([
        [1, 3],
        [3, algorithm],
        [-1, part(n)],
        [-2, part(e)],
      ]),
    );
  const challenge = new Uint8Array(32).fill(1);
  const clientDataJson = utf8(
    JSON.stringify({ type: "webauthn.get", challenge: toBase64url(challenge), origin: "https://notes.example" }),
  );
  const authenticatorData = concat(sha256(utf8("notes.example")), Uint8Array.of(5, 0, 0, 0, 1));
  const signed = concat(authenticatorData, sha256(clientDataJson));
  const signature = new Uint8Array(sign("sha256", signed, privateKey));
  const assertion = create(WebAuthnAssertionSchema, { clientDataJson, authenticatorData, signature });
  const asked = { coseKey: key(-257), challenge, rpId: "notes.example" };
  await checkAssertion(assertion, asked);
  for (const coseKey of [key(-7), key(-37), Uint8Array.of(0xa0), new Uint8Array(0)]) {
    await assert.rejects(checkAssertion(assertion, { ...asked, coseKey }), isError(NotSigned, /not the passkey's/));
  }
  checkAssertionPolicy(assertion, ["https://notes.example"]);
  const unverified = { ...assertion, authenticatorData: authenticatorData.with(32, 1) };
  assert.throws(() => checkAssertionPolicy(unverified, ["https://notes.example"]), isError(NotSigned, /not verified/));
  assert.throws(
    () => checkAssertionPolicy(assertion, ["https://notes.example.org"]),
    isError(NotSigned, /another origin/),
  );
});
