/** Another recovery key in place of the one before: new archives and envelopes are for the new one. */

import { ArchiveIdentity, KEY_BYTES } from "../age-keys.ts";
import type { Authenticator } from "../authenticators/port.ts";
import type { Mode } from "../modes.ts";
import { RecoveryKey, SEED_BYTES } from "../recovery-key.ts";
import type { Session } from "../session.ts";
import { credentialSet } from "../verification/credential-sets.ts";
import { requireUncontested } from "./answers.ts";
import { expectedMode } from "./ceremonies.ts";
import { lock } from "./locking.ts";
import { withFirst } from "./renewing.ts";
import { beginChange, completeChange, openCurrent } from "./rewrapping.ts";
import { authorize } from "./signing.ts";

/** What came of it: the new recovery key, to be shown to the user once, and the envelope's archive version. */
export interface RecoveryChange {
  readonly recoveryKey: RecoveryKey;
  readonly archiveVersion: bigint;
}

/**
 * Replace the recovery key, by a passkey: two prompts. Without `recoveryKey` one is generated.
 *
 * Archives made before still open with the old key, and with it only beside the vault. The new envelope begins with a
 * fresh archive identity: who had the old key may have released the identities that there were. Throws BeginAgain
 * where another change came between, which is never repeated by itself.
 */
export async function setRecovery(
  session: Session,
  authenticator: Authenticator,
  { recoveryKey, mode }: { recoveryKey: RecoveryKey | undefined; mode: Mode | undefined },
): Promise<RecoveryChange> {
  requireUncontested(session);
  const chosen = expectedMode(session, mode);
  const key = recoveryKey ?? new RecoveryKey(session.random(SEED_BYTES));
  const current = await openCurrent(session, { authenticator }, chosen);
  const fresh = new ArchiveIdentity(session.random(KEY_BYTES));
  const content = withFirst(fresh, { ...current.content, recoveryRecipient: key.ageIdentity().recipient() });
  const opens = [current.opener.identity, key.ageIdentity()];
  const locked = await lock(content, { mode: current.mode, passkeys: current.passkeys, opens });
  const value = { recoveryPublicKey: key.publicKey(), envelopeSha256: locked.sha256 };
  const begun = await beginChange(session, { case: "setRecovery", value }, current.mode);
  const signed = await authorize(begun, current.by);
  const credentials = credentialSet(begun.credentials.passkeys, key.publicKey());
  const stored = await completeChange(session, begun, { kind: "set-recovery", signed, locked, credentials });
  return { recoveryKey: key, archiveVersion: stored.archiveVersion };
}
