/**
 * What an authenticator made, as the protocol's messages. There is no field for a PRF output, and none is looked at.
 */

import { create, type MessageInitShape } from "@bufbuild/protobuf";

import type { Assertion, Attestation } from "../authenticators/port.ts";
import {
  AssertionSchema,
  AttestationSchema,
  type Assertion as AssertionMessage,
} from "../gen/strongroom/v1/resources_pb.js";
import type { RecoveryKey } from "../recovery-key.ts";

const MAX_TRANSPORTS = 8;
const MAX_TRANSPORT_CHARACTERS = 32;

/** An assertion by a passkey. Fields are named one by one: nothing of the browser's object goes along. */
export function assertionMessage(assertion: Assertion): AssertionMessage {
  const value = {
    credentialId: assertion.credentialId,
    authenticatorData: assertion.authenticatorData,
    clientDataJson: assertion.clientDataJson,
    signature: assertion.signature,
    userHandle: assertion.userHandle ?? new Uint8Array(0),
  };
  return create(AssertionSchema, { kind: { case: "webauthn", value } });
}

/** An assertion by the recovery credential. */
export function recoveryMessage(key: RecoveryKey, challenge: Uint8Array): AssertionMessage {
  const value = { publicKey: key.publicKey(), signature: key.sign(challenge) };
  return create(AssertionSchema, { kind: { case: "recovery", value } });
}

/** An attestation; transports are hints, so that odd ones are left out. */
export function attestationMessage(attestation: Attestation): MessageInitShape<typeof AttestationSchema> {
  const transports = attestation.transports.filter((name) => name.length <= MAX_TRANSPORT_CHARACTERS);
  return {
    credentialId: attestation.credentialId,
    clientDataJson: attestation.clientDataJson,
    attestationObject: attestation.attestationObject,
    transports: transports.slice(0, MAX_TRANSPORTS),
  };
}
