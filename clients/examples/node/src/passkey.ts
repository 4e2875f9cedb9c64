/**
 * A software passkey: ES256, user verification taken for granted, PRF computed here. INSECURE: for tests and demonstrations.
 * Its file is that of the Python client's software authenticator, so that either opens what the other has stored.
 */
import { createECDH, createHmac, createPrivateKey, randomBytes, sign, type KeyObject } from "node:crypto";
import { readOptional, writePrivate } from "./files.ts";
import { sha256, uint32 } from "./fields.ts";

export interface Attestation {
  credentialId: Buffer;
  clientDataJson: Buffer;
  attestationObject: Buffer;
  coseKey: Buffer;
}
export interface Assertion {
  credentialId: Buffer;
  authenticatorData: Buffer;
  clientDataJson: Buffer;
  signature: Buffer;
  userHandle: Buffer;
  prfOutput: Buffer;
}
interface Stored {
  credential_id: string;
  rp_id: string;
  user_handle: string;
  algorithm: number;
  private_key: string;
  prf_secret: string;
  sign_count: number;
}

const ES256 = -7;
const NOTICE = "INSECURE: private keys in clear, for tests and demonstrations only";
const [USER_PRESENT, USER_VERIFIED, ATTESTED] = [0x01, 0x04, 0x40];

export class SoftwarePasskeys {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** navigator.credentials.create(): a new passkey, with self attestation (WebAuthn Level 3, section 8.2). */
  create(rpId: string, origin: string, challenge: Buffer, userHandle: Buffer): Attestation {
    const credentialId = randomBytes(32);
    const pair = createECDH("prime256v1");
    const point = pair.generateKeys();
    const coseKey = cborMap([[1, 2], [3, ES256], [-1, 1], [-2, point.subarray(1, 33)], [-3, point.subarray(33)]]);
    const scalar = Buffer.concat([Buffer.alloc(32), pair.getPrivateKey()]).subarray(-32);
    const clientDataJson = clientData("webauthn.create", challenge, origin);
    const attested = Buffer.concat([Buffer.alloc(16), Buffer.from([0, credentialId.length]), credentialId, coseKey]);
    const data = Buffer.concat([authenticatorData(rpId, USER_PRESENT | USER_VERIFIED | ATTESTED, 1), attested]);
    const signature = signature256(scalar, Buffer.concat([data, sha256(clientDataJson)]));
    const statement = cborMap([["alg", ES256], ["sig", signature]]);
    const attestationObject = cborMap([["fmt", "packed"], ["attStmt", new Raw(statement)], ["authData", data]]);
    this.#save([...this.#load(), {
      credential_id: credentialId.toString("base64"),
      rp_id: rpId,
      user_handle: userHandle.toString("base64"),
      algorithm: ES256,
      private_key: scalar.toString("base64"),
      prf_secret: randomBytes(32).toString("base64"),
      sign_count: 1,
    }]);
    return { credentialId, clientDataJson, attestationObject, coseKey };
  }

  /** navigator.credentials.get(): an assertion by one of `allowed`, with the PRF evaluated at `prfInput`. */
  get(rpId: string, origin: string, challenge: Buffer, allowed: Buffer[], prfInput: Buffer): Assertion {
    const ids = allowed.map((id) => id.toString("base64"));
    const passkeys = this.#load();
    const passkey = passkeys.find((each) => each.rp_id === rpId && ids.includes(each.credential_id));
    if (passkey === undefined) throw new Error("this device has none of the passkeys that may sign");
    passkey.sign_count += 1;
    this.#save(passkeys); // before the signature leaves: a counter that goes back looks like a cloned passkey
    const clientDataJson = clientData("webauthn.get", challenge, origin);
    const data = authenticatorData(rpId, USER_PRESENT | USER_VERIFIED, passkey.sign_count);
    const scalar = Buffer.from(passkey.private_key, "base64");
    const salt = sha256(Buffer.concat([Buffer.from("WebAuthn PRF\0"), prfInput])); // WebAuthn Level 3, section 10.1.4
    return {
      credentialId: Buffer.from(passkey.credential_id, "base64"),
      authenticatorData: data,
      clientDataJson,
      signature: signature256(scalar, Buffer.concat([data, sha256(clientDataJson)])),
      userHandle: Buffer.from(passkey.user_handle, "base64"),
      prfOutput: createHmac("sha256", Buffer.from(passkey.prf_secret, "base64")).update(salt).digest(),
    };
  }

  #load(): Stored[] {
    return JSON.parse(readOptional(this.#file) ?? '{"credentials": []}').credentials;
  }

  #save(credentials: Stored[]): void {
    writePrivate(this.#file, JSON.stringify({ notice: NOTICE, version: 1, credentials }, null, 1));
  }
}

function clientData(type: string, challenge: Buffer, origin: string): Buffer {
  return Buffer.from(JSON.stringify({ type, challenge: challenge.toString("base64url"), origin, crossOrigin: false }));
}

function authenticatorData(rpId: string, flags: number, signCount: number): Buffer {
  return Buffer.concat([sha256(Buffer.from(rpId)), Buffer.from([flags]), uint32(signCount)]);
}

function signature256(scalar: Buffer, signed: Buffer): Buffer {
  return sign("sha256", signed, { key: es256Key(scalar), dsaEncoding: "der" });
}

function es256Key(scalar: Buffer): KeyObject {
  const pair = createECDH("prime256v1");
  pair.setPrivateKey(scalar);
  const point = pair.getPublicKey();
  const [d, x, y] = [scalar, point.subarray(1, 33), point.subarray(33)].map((bytes) => bytes.toString("base64url"));
  return createPrivateKey({ key: { kty: "EC", crv: "P-256", d: d as string, x: x as string, y: y as string }, format: "jwk" });
}

/** Bytes that are CBOR already. */
class Raw {
  readonly bytes: Buffer;
  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
}
type Cbor = number | string | Buffer | Raw;

/** The little of CBOR (RFC 8949) that WebAuthn writes; entries are given in canonical order. */
function cborMap(entries: [Cbor, Cbor][]): Buffer {
  return Buffer.concat([cborHead(5, entries.length), ...entries.flat().map(cborItem)]);
}

function cborItem(item: Cbor): Buffer {
  if (item instanceof Raw) return item.bytes;
  if (typeof item === "number") return item < 0 ? cborHead(1, -1 - item) : cborHead(0, item);
  const bytes = Buffer.from(item as string);
  return Buffer.concat([cborHead(typeof item === "string" ? 3 : 2, bytes.length), bytes]);
}

function cborHead(major: number, value: number): Buffer {
  if (value < 24) return Buffer.from([(major << 5) | value]);
  return value < 256 ? Buffer.from([(major << 5) | 24, value]) : Buffer.from([(major << 5) | 25, value >> 8, value & 255]);
}
