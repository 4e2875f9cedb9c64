/**
 * Adding a passkey: it attests itself first, then a passkey of the vault, or the recovery key, lets it in.
 *
 * The trial release at the end proves, as at enrollment, that the new passkey's PRF opens what it was added to.
 */

import { sha256 } from "@noble/hashes/sha2.js";

import type { ArchiveIdentity } from "../age-keys.ts";
import { publicCredential } from "../authenticators/attestation.ts";
import type { Attestation, Authenticator } from "../authenticators/port.ts";
import { naming, type EnvelopeContent } from "../envelope-content.ts";
import { PRF_INPUT, WrongPrf } from "../envelope.ts";
import { PrfUnstable } from "../errors.ts";
import type { Mode } from "../modes.ts";
import { checkNameIfAny } from "../passkey-names.ts";
import type { Session } from "../session.ts";
import { credentialSet, idsOf, type PublicCredential } from "../verification/credential-sets.ts";
import { requireUncontested } from "./answers.ts";
import { expectedMode, type Begun } from "./ceremonies.ts";
import { checkPrf, USER_HANDLE_BYTES } from "./enrolling.ts";
import { evaluate } from "./evaluating.ts";
import { lock, prfIdentity } from "./locking.ts";
import { attestationMessage } from "./messages.ts";
import { releaseOnce } from "./releasing.ts";
import { beginChange, completeChange, openCurrent, type Current } from "./rewrapping.ts";
import { authorize, type By } from "./signing.ts";
import type { Stored } from "./storing.ts";

/** A passkey that was added, and the archive version of the envelope that it opens too. */
export interface Addition {
  readonly credentialId: Uint8Array;
  readonly archiveVersion: bigint;
}

/** A further passkey, the ceremony that it attested itself in, and what opens envelopes that are locked for it. */
interface Made {
  readonly begun: Begun;
  readonly attestation: Attestation;
  readonly own: PublicCredential;
  readonly identity: ArchiveIdentity | undefined;
}

/**
 * Add a passkey, on the `further` authenticator, by one of the vault's or by the recovery key.
 *
 * `name` is what its owner calls it; it may have none. Prompts: to open the envelope and to let it in (none for the
 * recovery key); on the further authenticator to create it, to evaluate its PRF, and for the trial. Throws BeginAgain
 * where another change came between, which is never repeated by itself; PrfUnstable where the new passkey's PRF gave
 * two different outputs: if it was added already, remove it.
 */
export async function addPasskey(
  session: Session,
  by: By,
  { further, userName, name, mode }: { further: Authenticator; userName: string; name: string; mode: Mode | undefined },
): Promise<Addition> {
  checkNameIfAny(name);
  requireUncontested(session);
  const chosen = expectedMode(session, mode);
  const current = await openCurrent(session, by, chosen);
  const made = await make(session, further, userName, current.mode);
  const content = naming(current.content, made.own.credentialId, name);
  const stored = await letIn(session, { ...current, content }, made);
  try {
    await releaseOnce(session, { authenticator: further, allow: [made.own.credentialId] }, current.mode);
  } catch (error) {
    if (error instanceof WrongPrf) {
      const said = "the new passkey does not open the envelope that was locked for it: remove it";
      throw new PrfUnstable(said, { cause: error });
    }
    throw error;
  }
  return { credentialId: made.own.credentialId, archiveVersion: stored.archiveVersion };
}

async function make(session: Session, further: Authenticator, userName: string, mode: Mode): Promise<Made> {
  const userHandle = session.random(USER_HANDLE_BYTES);
  const begun = await beginChange(session, { case: "attest", value: { userHandle } }, mode);
  const { rpId, origin, algorithms } = begun.service;
  const attestation = await further.makeCredential({
    rpId,
    origin,
    algorithms,
    challenge: begun.checked.challenge,
    userHandle,
    userName,
    exclude: idsOf(begun.credentials),
    prfInput: PRF_INPUT,
  });
  const own = publicCredential(attestation);
  let identity: ArchiveIdentity | undefined;
  if (mode === "prf") {
    const assertion = await evaluate(session, further, begun.service, own.credentialId);
    checkPrf(attestation, assertion, mode);
    identity = prfIdentity(assertion);
  }
  return { begun, attestation, own, identity };
}

async function letIn(session: Session, current: Current, made: Made): Promise<Stored> {
  const { mode, opener } = current;
  const passkeys = [...current.passkeys, made.own.credentialId];
  const opens = [opener.identity, made.identity];
  const locked = await lock(including(current.content, made), { mode, passkeys, opens });
  const { credentialId, coseKey } = made.own;
  const value = { credentialId, coseKeySha256: sha256(coseKey), envelopeSha256: locked.sha256 };
  const begun = await beginChange(session, { case: "addCredential", value }, mode);
  const signed = await authorize(begun, current.by);
  const before = begun.credentials;
  const credentials = credentialSet([...before.passkeys, made.own], before.recoveryPublicKey);
  const more = { attestCeremony: made.begun.checked.ceremony, attestation: attestationMessage(made.attestation) };
  return completeChange(session, begun, { kind: "add-credential", signed, locked, credentials, more });
}

function including(content: EnvelopeContent, { own, identity }: Made): EnvelopeContent {
  if (identity === undefined) {
    return content;
  }
  const recipient = { credentialId: own.credentialId, recipient: identity.recipient() };
  return { ...content, passkeyRecipients: [...content.passkeyRecipients, recipient] };
}
