/** The public part of a new passkey, out of its attestation object (WebAuthn Level 3, sections 6.1 and 6.5.4). */

import { decode, decodeFirst } from "cborg";

import { equal } from "../bytes.ts";
import type { PublicCredential } from "../verification/credential-sets.ts";
import { AuthenticatorError, type Attestation } from "./port.ts";

const FLAGS = 32;
const ATTESTED = 0x40;
const ID_LENGTH = 53; // after RP ID hash (32), flags (1), counter (4) and AAGUID (16)
const ID = ID_LENGTH + 2;
const STRICT = { useMaps: true, strict: true, rejectDuplicateMapKeys: true } as const;

/**
 * The new passkey as the vault will list it: its id, and its COSE key exactly as the authenticator wrote it.
 *
 * Throws AuthenticatorError where the attestation object does not parse, or is of another credential.
 */
export function publicCredential(attestation: Attestation): PublicCredential {
  let credential: PublicCredential;
  try {
    credential = attestedCredential(authenticatorDataOf(attestation.attestationObject));
  } catch {
    throw new AuthenticatorError("the authenticator's answer cannot be used: it does not parse");
  }
  if (!equal(credential.credentialId, attestation.credentialId)) {
    throw new AuthenticatorError("the authenticator's answer cannot be used: it is of another credential");
  }
  return credential;
}

/** The authenticator data in an attestation object. Throws an error of whichever kind where there is none. */
export function authenticatorDataOf(attestationObject: Uint8Array): Uint8Array {
  const object: unknown = decode(attestationObject, STRICT);
  const data: unknown = object instanceof Map ? object.get("authData") : undefined;
  if (!(data instanceof Uint8Array)) {
    throw new RangeError("no authenticator data");
  }
  return data;
}

/** The credential in authenticator data. Throws an error of whichever kind where there is none. */
export function attestedCredential(data: Uint8Array): PublicCredential {
  if (data.length < ID || ((data[FLAGS] ?? 0) & ATTESTED) === 0) {
    throw new RangeError("no attested credential");
  }
  const idBytes = new DataView(data.buffer, data.byteOffset).getUint16(ID_LENGTH);
  const key = data.subarray(ID + idBytes);
  const [, rest] = decodeFirst(key, STRICT);
  return { credentialId: data.slice(ID, ID + idBytes), coseKey: key.slice(0, key.length - rest.length) };
}
