/** Evaluating a passkey's PRF by a signature for nobody: its challenge is this device's own, and stays here. */

import type { Assertion, Authenticator } from "../authenticators/port.ts";
import type { Service } from "../descriptions.ts";
import { PRF_INPUT } from "../envelope.ts";
import type { Session } from "../session.ts";

const LOCAL_CHALLENGE_BYTES = 32;

/** Ask the authenticator for this passkey's PRF output. One prompt. */
export function evaluate(
  session: Session,
  authenticator: Authenticator,
  { rpId, origin }: Service,
  credentialId: Uint8Array,
): Promise<Assertion> {
  const challenge = session.random(LOCAL_CHALLENGE_BYTES);
  return authenticator.getAssertion({ rpId, origin, challenge, allow: [credentialId], prfInput: PRF_INPUT });
}
