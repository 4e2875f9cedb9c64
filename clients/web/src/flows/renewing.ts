/**
 * Renewing what the envelope holds: a fresh archive key, a passkey's name, or another mode; no passkey comes or goes.
 *
 * The order is what keeps archives open: the vault signs that it has stored the new envelope before this device
 * remembers the new key, so that nothing is ever encrypted to a key that only this device had. Until then the old key
 * counts, and the envelope of an older confirmed version stays beside the new one until a client has opened that.
 * Older identities stay in the envelope, and so do older archives open.
 */

import { ArchiveIdentity, KEY_BYTES } from "../age-keys.ts";
import { NoMatchingCredential, type Authenticator } from "../authenticators/port.ts";
import { equal, toHex } from "../bytes.ts";
import { naming, type EnvelopeContent, type PasskeyRecipient } from "../envelope-content.ts";
import { ModeAlready, NoSuchPasskey, PrfUnavailable } from "../errors.ts";
import type { Mode } from "../modes.ts";
import { checkNameIfAny } from "../passkey-names.ts";
import { RecoveryKey } from "../recovery-key.ts";
import type { Session } from "../session.ts";
import { holds } from "../verification/credential-sets.ts";
import { currentService, requireUncontested } from "./answers.ts";
import { expectedMode } from "./ceremonies.ts";
import { evaluate } from "./evaluating.ts";
import { prfIdentity } from "./locking.ts";
import { rememberOpened } from "./releasing.ts";
import { openCurrent, type Current } from "./rewrapping.ts";
import { storeOnce, type Stored } from "./storing.ts";

/** A fresh archive key: the archive version of its envelope, and the `age1...` that archives go to from now on. */
export interface Renewal {
  readonly archiveVersion: bigint;
  readonly archiveRecipient: string;
}

/**
 * Take a fresh archive key for what is backed up from now on. Two prompts, both by the same passkey.
 *
 * Throws BeginAgain where another change came between, which is never repeated by itself.
 */
export async function renew(session: Session, authenticator: Authenticator, mode: Mode | undefined): Promise<Renewal> {
  requireUncontested(session);
  const current = await openCurrent(session, { authenticator }, expectedMode(session, mode));
  const fresh = new ArchiveIdentity(session.random(KEY_BYTES));
  const stored = await storeAnew(session, authenticator, current, withFirst(fresh, current.content));
  return { archiveVersion: stored.archiveVersion, archiveRecipient: fresh.recipient() };
}

/**
 * Give a passkey a name, or with an empty one take it away. Two prompts, both by the same passkey.
 *
 * Throws BadPasskeyName, NoSuchPasskey, or BeginAgain as above.
 */
export async function renamePasskey(
  session: Session,
  authenticator: Authenticator,
  { credentialId, name, mode }: { credentialId: Uint8Array; name: string; mode: Mode | undefined },
): Promise<Stored> {
  checkNameIfAny(name);
  requireUncontested(session);
  const current = await openCurrent(session, { authenticator }, expectedMode(session, mode));
  if (!holds(current.passkeys, credentialId)) {
    throw new NoSuchPasskey("the vault has no such passkey (any more)");
  }
  return storeAnew(session, authenticator, current, naming(current.content, credentialId, name));
}

/**
 * Lock the envelope in another mode; archives stay as they are. The vault drops every envelope of the mode before.
 *
 * To PRF: every passkey must be there, one prompt each to evaluate its PRF beside the two of every change, since what
 * the vault alone held may name other recipients than its owner's; and a fresh archive key comes first.
 *
 * Throws UnpinnedVault: to vault-held without a pinned identity key; ModeAlready; to PRF also NoMatchingCredential: a
 * passkey is not there, and PrfUnavailable: one gives no PRF output; BeginAgain as above.
 */
export async function changeMode(
  session: Session,
  authenticator: Authenticator,
  { to, mode }: { to: Mode; mode: Mode | undefined },
): Promise<Stored> {
  requireUncontested(session);
  expectedMode(session, to);
  const current = await openCurrent(session, { authenticator }, expectedMode(session, mode));
  if (current.mode === to) {
    throw new ModeAlready(`the envelope is locked in mode ${to} already`);
  }
  if (to === "vault-held") {
    return storeAnew(session, authenticator, current, { ...current.content, passkeyRecipients: [] }, to);
  }
  const passkeyRecipients = await everyRecipient(session, authenticator, current);
  const fresh = new ArchiveIdentity(session.random(KEY_BYTES));
  return storeAnew(session, authenticator, current, withFirst(fresh, { ...current.content, passkeyRecipients }), to);
}

/** The content with a fresh identity first. */
export function withFirst(fresh: ArchiveIdentity, content: EnvelopeContent): EnvelopeContent {
  return { ...content, archiveIdentities: [fresh, ...content.archiveIdentities] };
}

/** Store `content` in place of what was opened, and only then remember what it holds. */
async function storeAnew(
  session: Session,
  authenticator: Authenticator,
  { mode, by }: Current,
  content: EnvelopeContent,
  to?: Mode,
): Promise<Stored> {
  const allow = by instanceof RecoveryKey ? undefined : by.allow;
  const { locked, stored } = await storeOnce(session, authenticator, {
    contentFor: () => content,
    mode,
    to: to ?? mode,
    ...(allow === undefined ? {} : { allow }),
  });
  const opened = { archiveVersion: stored.archiveVersion, confirmed: false, content: locked.content };
  await rememberOpened(session, opened, locked.mode);
  return stored;
}

/** A recipient for each passkey: who has just opened, and the others, asked one by one. */
async function everyRecipient(
  session: Session,
  authenticator: Authenticator,
  { passkeys, opener }: Current,
): Promise<PasskeyRecipient[]> {
  const service = await currentService(session);
  const recipients: PasskeyRecipient[] = [];
  for (const credentialId of passkeys) {
    let identity = equal(credentialId, opener.credentialId) ? opener.identity : undefined;
    try {
      identity ??= prfIdentity(await evaluate(session, authenticator, service, credentialId));
    } catch (error) {
      const which = `passkey ${toHex(credentialId).slice(0, 16)}...`;
      const said = error instanceof Error ? `${which}: ${error.message}; bring it, or remove it first` : which;
      if (error instanceof NoMatchingCredential) {
        throw new NoMatchingCredential(said, { cause: error });
      }
      throw error instanceof PrfUnavailable ? new PrfUnavailable(said, { cause: error }) : error;
    }
    recipients.push({ credentialId, recipient: identity.recipient() });
  }
  return recipients;
}
