/** An authenticator in this process, with PRF (ES256, no attestation), for tests: its private keys are in memory. */

import { p256 } from "@noble/curves/nist.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { encode } from "cborg";

import {
  AuthenticatorError,
  CredentialExcluded,
  NoMatchingCredential,
  type Assertion,
  type AssertionRequest,
  type Attestation,
  type Authenticator,
  type CreationRequest,
} from "../src/authenticators/port.ts";
import { concat, SecretBytes, toBase64url, toHex, utf8 } from "../src/bytes.ts";
import { holds } from "../src/verification/credential-sets.ts";

const ES256 = -7;
const UP_UV = 0x05;
const ATTESTED = 0x40;

interface Credential {
  readonly id: Uint8Array;
  readonly rpId: string;
  readonly userHandle: Uint8Array;
  readonly privateKey: Uint8Array;
  readonly prfSecret: Uint8Array;
  signCount: number;
}

/** What the authenticator is like, where it is not like most. */
export interface Shape {
  /** `never`: has no PRF; `get`: evaluates it for assertions only; `create`: for new passkeys as well. */
  readonly prf?: "never" | "get" | "create";
}

/** Holds passkeys, and counts how often it was asked. */
export class SoftwareAuthenticator implements Authenticator {
  readonly credentials: Credential[] = [];
  /** Every PRF output that it gave, in hex: what must never travel. */
  readonly prfOutputs: string[] = [];
  prompts = 0;
  /** While set, PRF outputs differ from those before, as on platforms that get it wrong. */
  isUnstable = false;
  /** While set, signatures are wrong. */
  signsWrongly = false;
  readonly #shape: Shape;

  constructor(shape: Shape = {}) {
    this.#shape = shape;
  }

  async makeCredential(request: CreationRequest): Promise<Attestation> {
    this.prompts += 1;
    if (this.credentials.some(({ id }) => holds(request.exclude, id))) {
      throw new CredentialExcluded("it already holds a passkey of this vault");
    }
    if (!request.algorithms.includes(ES256)) {
      throw new AuthenticatorError("the authenticator has none of the algorithms that the vault takes");
    }
    const credential: Credential = {
      id: crypto.getRandomValues(new Uint8Array(32)),
      rpId: request.rpId,
      userHandle: request.userHandle,
      privateKey: p256.utils.randomSecretKey(),
      prfSecret: crypto.getRandomValues(new Uint8Array(32)),
      signCount: 0,
    };
    this.credentials.push(credential);
    const authData = concat(
      authenticatorData(credential, UP_UV | ATTESTED),
      new Uint8Array(16),
      Uint8Array.of(0, credential.id.length),
      credential.id,
      coseKey(credential),
    );
    return {
      credentialId: credential.id,
      clientDataJson: clientData("webauthn.create", request),
      attestationObject: encode(
        new Map<string, unknown>([
          ["fmt", "none"],
          ["attStmt", new Map()],
          ["authData", authData],
        ]),
      ),
      transports: ["internal"],
      prfOutput: this.#shape.prf === "create" ? this.#evaluate(credential, request.prfInput) : undefined,
    };
  }

  async getAssertion(request: AssertionRequest): Promise<Assertion> {
    this.prompts += 1;
    const credential = this.credentials.find(({ id, rpId }) => rpId === request.rpId && holds(request.allow, id));
    if (credential === undefined) {
      throw new NoMatchingCredential("it holds no passkey of this vault");
    }
    credential.signCount += 1;
    const data = authenticatorData(credential, UP_UV);
    const clientDataJson = clientData("webauthn.get", request);
    const signed = this.signsWrongly ? utf8("something else") : concat(data, sha256(clientDataJson));
    return {
      credentialId: credential.id,
      authenticatorData: data,
      clientDataJson,
      signature: p256.sign(signed, credential.privateKey, { format: "der" }),
      userHandle: credential.userHandle,
      prfOutput: this.#shape.prf === "never" ? undefined : this.#evaluate(credential, request.prfInput),
    };
  }

  /** WebAuthn Level 3 section 10.1.4, over CTAP's hmac-secret. */
  #evaluate({ prfSecret }: Credential, input: Uint8Array): SecretBytes {
    const noise = this.isUnstable ? crypto.getRandomValues(new Uint8Array(8)) : new Uint8Array(0);
    const output = hmac(sha256, prfSecret, sha256(concat(utf8("WebAuthn PRF\0"), input, noise)));
    this.prfOutputs.push(toHex(output));
    return new SecretBytes(output);
  }
}

function authenticatorData({ rpId, signCount }: Credential, flags: number): Uint8Array {
  const counter = new Uint8Array(4);
  new DataView(counter.buffer).setUint32(0, signCount);
  return concat(sha256(utf8(rpId)), Uint8Array.of(flags), counter);
}

function coseKey({ privateKey }: Credential): Uint8Array {
  const point = p256.getPublicKey(privateKey, false);
  return encode(
    new Map<number, unknown>([
      [1, 2],
      [3, ES256],
      [-1, 1],
      [-2, point.slice(1, 33)],
      [-3, point.slice(33)],
    ]),
  );
}

function clientData(type: string, { challenge, origin }: { challenge: Uint8Array; origin: string }): Uint8Array {
  return utf8(JSON.stringify({ type, challenge: toBase64url(challenge), origin, crossOrigin: false }));
}
