/** Removing a passkey: what comes after is encrypted to a key that it never opens. */

import { ArchiveIdentity, KEY_BYTES } from "../age-keys.ts";
import type { Authenticator } from "../authenticators/port.ts";
import { equal } from "../bytes.ts";
import { naming } from "../envelope-content.ts";
import type { Mode } from "../modes.ts";
import type { Session } from "../session.ts";
import { credentialSet, idsOf } from "../verification/credential-sets.ts";
import { requireUncontested } from "./answers.ts";
import { expectedMode } from "./ceremonies.ts";
import { askVault } from "./reading.ts";
import { lock, type Locked } from "./locking.ts";
import { beginChange, completeChange, openCurrent, type Current } from "./rewrapping.ts";
import { authorize } from "./signing.ts";
import type { Stored } from "./storing.ts";

/**
 * Remove a passkey. Two prompts, both by one other passkey, or by itself where it is the last.
 *
 * The new envelope begins with a fresh archive identity, used from now on; older ones are kept for older archives.
 * Throws BeginAgain where another change came between, which is never repeated by itself.
 */
export async function removePasskey(
  session: Session,
  authenticator: Authenticator,
  { credentialId, mode }: { credentialId: Uint8Array; mode: Mode | undefined },
): Promise<Stored> {
  requireUncontested(session);
  const chosen = expectedMode(session, mode);
  if (session.memory.credentials === undefined) {
    await askVault(session);
  }
  const known = session.memory.credentials;
  const others = (known ? idsOf(known) : []).filter((id) => !equal(id, credentialId));
  const current = await openCurrent(
    session,
    others.length > 0 ? { authenticator, allow: others } : { authenticator },
    chosen,
  );
  const locked = await without(current, credentialId, new ArchiveIdentity(session.random(KEY_BYTES)));
  const value = { credentialId, envelopeSha256: locked.sha256 };
  const begun = await beginChange(session, { case: "removeCredential", value }, current.mode);
  const signed = await authorize(begun, current.by);
  const passkeys = begun.credentials.passkeys.filter((one) => !equal(one.credentialId, credentialId));
  const credentials = credentialSet(passkeys, begun.credentials.recoveryPublicKey);
  return completeChange(session, begun, { kind: "remove-credential", signed, locked, credentials });
}

function without(current: Current, credentialId: Uint8Array, fresh: ArchiveIdentity): Promise<Locked> {
  const { content, opener, mode } = current;
  const left = {
    ...content,
    archiveIdentities: [fresh, ...content.archiveIdentities],
    passkeyRecipients: content.passkeyRecipients.filter((one) => !equal(one.credentialId, credentialId)),
  };
  const unnamed = naming(left, credentialId, "");
  const opens = equal(opener.credentialId, credentialId) ? [] : [opener.identity];
  return lock(unnamed, { mode, passkeys: current.passkeys.filter((id) => !equal(id, credentialId)), opens });
}
