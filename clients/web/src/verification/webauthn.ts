/**
 * What passkeys signed, checked as W3C Web Authentication Level 3 sections 7.1 and 7.2 have it, for evidence.
 *
 * Anybody can do this: a public key, the challenge, and the statement's RP ID and origins are all that is needed.
 */

import { ed25519 } from "@noble/curves/ed25519.js";
import { p256 } from "@noble/curves/nist.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { decode } from "cborg";

import { attestedCredential, authenticatorDataOf } from "../authenticators/attestation.ts";
import { concat, copied, equal, toBase64url, utf8 } from "../bytes.ts";
import { encodeFields } from "../fields.ts";
import type { Attestation, RecoverySignature, WebAuthnAssertion } from "../gen/strongroom/v1/resources_pb.js";
import { BadClientData, readClientData } from "./client-data.ts";
import type { PublicCredential } from "./credential-sets.ts";

const RECOVERY_LABEL = "strongroom/v1/recovery-assertion";
const HASH_BYTES = 32;
const HEADER_BYTES = 37; // RP ID hash, flags and counter
const PRESENT_AND_VERIFIED = 0x05;
const [ES256, EDDSA, RS256] = [-7, -8, -257];

/** What was made by an authenticator is not what it must be; says why. */
export class NotSigned extends Error {
  override name = "NotSigned";
}

/** The public part of a new passkey as the vault lists it. Throws NotSigned. */
export function attestedIn(attestation: Attestation | undefined): PublicCredential {
  let credential: PublicCredential;
  try {
    credential = attestedCredential(authenticatorDataOf(attestation?.attestationObject ?? new Uint8Array(0)));
  } catch {
    throw new NotSigned("the attestation object does not parse");
  }
  if (!equal(credential.credentialId, attestation?.credentialId ?? new Uint8Array(0))) {
    throw new NotSigned("the attestation object is of another credential");
  }
  return credential;
}

/** The passkey that an attestation over `challenge` brought. Throws NotSigned: it is for something else. */
export function checkAttestation(
  attestation: Attestation | undefined,
  { challenge, rpId, origins }: { challenge: Uint8Array; rpId: string; origins: readonly string[] },
): PublicCredential {
  const credential = attestedIn(attestation);
  const { clientDataJson, attestationObject } = attestation as Attestation;
  checkClientData(clientDataJson, "webauthn.create", challenge);
  checkOrigin(clientDataJson, origins);
  const data = authenticatorDataOf(attestationObject);
  checkRpId(data, rpId);
  checkFlags(data);
  return credential;
}

/** Check that the passkey of `coseKey` signed `challenge` for `rpId`; by which policy is another question. */
export async function checkAssertion(
  assertion: WebAuthnAssertion,
  { coseKey, challenge, rpId }: { coseKey: Uint8Array; challenge: Uint8Array; rpId: string },
): Promise<void> {
  checkClientData(assertion.clientDataJson, "webauthn.get", challenge);
  checkRpId(assertion.authenticatorData, rpId);
  const signed = concat(assertion.authenticatorData, sha256(assertion.clientDataJson));
  let holds: boolean;
  try {
    holds = await verifies(
      decode(coseKey, { useMaps: true }) as ReadonlyMap<number, unknown>,
      signed,
      assertion.signature,
    );
  } catch {
    holds = false; // no key, or no signature
  }
  if (!holds) {
    throw new NotSigned("the signature is not the passkey's");
  }
}

/** Check that a right assertion was made at one of `origins`, in no frame, with the user verified. */
export function checkAssertionPolicy(assertion: WebAuthnAssertion, origins: readonly string[]): void {
  checkOrigin(assertion.clientDataJson, origins);
  checkFlags(assertion.authenticatorData);
}

/** Check that the recovery credential named in `signature` signed `challenge`. */
export function checkRecoverySignature({ publicKey, signature }: RecoverySignature, challenge: Uint8Array): void {
  let holds: boolean;
  try {
    holds = ed25519.verify(signature, encodeFields(RECOVERY_LABEL, challenge), publicKey, { zip215: false });
  } catch {
    holds = false;
  }
  if (!holds) {
    throw new NotSigned("the signature is not the recovery key's");
  }
}

/** RFC 9053, sections 2.1 and 2.2; RFC 8812, section 2. */
async function verifies(
  key: ReadonlyMap<number, unknown>,
  signed: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const part = (label: number): Uint8Array => key.get(label) as Uint8Array;
  switch (key.get(3)) {
    case ES256: {
      const point = concat(Uint8Array.of(4), part(-2), part(-3));
      return key.get(-1) === 1 && p256.verify(signature, signed, point, { format: "der", lowS: false, prehash: true });
    }
    case EDDSA:
      return key.get(-1) === 6 && ed25519.verify(signature, signed, part(-2), { zip215: false });
    case RS256: {
      const jwk = { kty: "RSA", alg: "RS256", n: toBase64url(part(-1)), e: toBase64url(part(-2)) };
      const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
      const imported = await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["verify"]);
      return crypto.subtle.verify(algorithm, imported, copied(signature), copied(signed));
    }
    default:
      return false;
  }
}

function clientData(encoded: Uint8Array): Record<string, unknown> {
  try {
    return readClientData(encoded);
  } catch (error) {
    throw error instanceof BadClientData ? new NotSigned(error.message) : error;
  }
}

function checkClientData(encoded: Uint8Array, kind: string, challenge: Uint8Array): void {
  const document = clientData(encoded);
  if (document["type"] !== kind || document["challenge"] !== toBase64url(challenge)) {
    throw new NotSigned("it was made for another ceremony");
  }
}

function checkOrigin(encoded: Uint8Array, origins: readonly string[]): void {
  const document = clientData(encoded);
  const isAmong = origins.some((origin) => origin === document["origin"]);
  if (!isAmong || (document["crossOrigin"] ?? false) !== false) {
    throw new NotSigned("it was made at another origin");
  }
  if ("topOrigin" in document) {
    throw new NotSigned("it was made in a frame");
  }
}

function checkRpId(data: Uint8Array, rpId: string): void {
  if (data.length < HEADER_BYTES) {
    throw new NotSigned("the authenticator data does not parse");
  }
  if (!equal(data.subarray(0, HASH_BYTES), sha256(utf8(rpId)))) {
    throw new NotSigned("it was made for another relying party");
  }
}

function checkFlags(data: Uint8Array): void {
  if (((data[HASH_BYTES] ?? 0) & PRESENT_AND_VERIFIED) !== PRESENT_AND_VERIFIED) {
    throw new NotSigned("the user was not verified");
  }
}
