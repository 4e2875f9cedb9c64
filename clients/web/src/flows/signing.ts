/** Who signs for an operation: a passkey of the vault's, or the recovery key, which has a say in few. */

import type { ArchiveIdentity } from "../age-keys.ts";
import type { Authenticator } from "../authenticators/port.ts";
import { equal } from "../bytes.ts";
import { ReplyMismatch } from "../errors.ts";
import type { Assertion as AssertionMessage } from "../gen/strongroom/v1/resources_pb.js";
import type { Mode } from "../modes.ts";
import { RecoveryKey } from "../recovery-key.ts";
import { sign, type Begun } from "./ceremonies.ts";
import { prfIdentity } from "./locking.ts";
import { assertionMessage, recoveryMessage } from "./messages.ts";

/** Who is to sign: the recovery key, without a prompt, or a passkey, of those in `allow` where that is given. */
export type By = RecoveryKey | { readonly authenticator: Authenticator; readonly allow?: readonly Uint8Array[] };

/** A signature, and what the signer opens. */
export interface Signed {
  /** What to send. */
  readonly message: AssertionMessage;
  /** The passkey; empty for the recovery key. */
  readonly credentialId: Uint8Array;
  /** Opens envelopes of mode PRF; undefined where the passkey gives no PRF output. */
  readonly identity: ArchiveIdentity | undefined;
}

/**
 * Have `by` sign a ceremony; in mode `opens`, PRF, also say what opens the envelope.
 *
 * Throws ReplyMismatch where the recovery key is not the one that the vault knows; PrfUnavailable where the passkey
 * gives no PRF output, which `opens` needs. Nothing is sent then: a release that could not be opened would only use up
 * the day's quota.
 */
export async function authorize(begun: Begun, by: By, opens?: Mode): Promise<Signed> {
  if (by instanceof RecoveryKey) {
    if (!equal(by.publicKey(), begun.credentials.recoveryPublicKey)) {
      throw new ReplyMismatch("this recovery key is not the one that the vault knows");
    }
    const identity = by.ageIdentity();
    return { message: recoveryMessage(by, begun.checked.challenge), credentialId: new Uint8Array(0), identity };
  }
  const assertion = await sign(begun, by.authenticator, by.allow);
  const hasPrf = opens === "prf" || assertion.prfOutput !== undefined;
  const identity = hasPrf ? prfIdentity(assertion) : undefined;
  return { message: assertionMessage(assertion), credentialId: assertion.credentialId, identity };
}
