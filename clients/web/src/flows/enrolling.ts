/**
 * Enrollment: a passkey, a first envelope, and a trial release that proves that the envelope opens.
 *
 * Two PRF evaluations must agree, which some platforms get wrong; the trial finds that out while nothing is lost yet.
 */

import { ArchiveIdentity, KEY_BYTES } from "../age-keys.ts";
import { publicCredential } from "../authenticators/attestation.ts";
import type { Assertion, Attestation, Authenticator } from "../authenticators/port.ts";
import { equal } from "../bytes.ts";
import { envelopeContent, naming } from "../envelope-content.ts";
import { PRF_INPUT, WrongPrf } from "../envelope.ts";
import { PrfUnavailable, PrfUnstable, ReplyMismatch, StatementMismatch } from "../errors.ts";
import { RegistrationReplySchema, VaultService } from "../gen/strongroom/v1/vault_service_pb.js";
import { wireMode, type Mode } from "../modes.ts";
import { checkNameIfAny } from "../passkey-names.ts";
import { RecoveryKey, SEED_BYTES } from "../recovery-key.ts";
import type { Session } from "../session.ts";
import { credentialSet, NO_CREDENTIALS, sameSet, type PublicCredential } from "../verification/credential-sets.ts";
import { learn, parse, requireUncontested } from "./answers.ts";
import { begin, complete, expectedMode } from "./ceremonies.ts";
import { prfIdentity } from "./locking.ts";
import { attestationMessage } from "./messages.ts";
import { releaseOnce } from "./releasing.ts";
import { storeOnce, type ContentFor } from "./storing.ts";

export const USER_HANDLE_BYTES = 32;

/** A vault that holds a first envelope, which has been opened once. */
export interface Enrollment {
  /** To be shown to the user once, and then forgotten. */
  readonly recoveryKey: RecoveryKey;
  readonly credentialId: Uint8Array;
  readonly archiveVersion: bigint;
  /** `age1...` that archives are encrypted to from now on, and that of the recovery key, which they are as well. */
  readonly archiveRecipient: string;
  readonly recoveryRecipient: string;
  /** For a caller that wants to open an archive right away. */
  readonly archiveIdentity: ArchiveIdentity;
}

/** What a person is told, and what is chosen. */
export interface EnrollmentChoice {
  /** Shown beside the passkey, on the device that keeps it. */
  readonly userName: string;
  /** What its owner calls the passkey, in the envelope; it may have none. */
  readonly name?: string;
  readonly mode?: Mode;
  /** Without one, a new one is generated. */
  readonly recoveryKey?: RecoveryKey;
}

/**
 * Enroll the account: three prompts (create, store, trial release).
 *
 * Throws PrfUnavailable: mode PRF, and the passkey gives no PRF output; nothing was stored, enrolling again is free.
 * PrfUnstable: its PRF gave two different outputs. UnpinnedVault: mode vault-held without a pinned identity key.
 */
export async function enroll(
  session: Session,
  authenticator: Authenticator,
  choice: EnrollmentChoice,
): Promise<Enrollment> {
  checkNameIfAny(choice.name ?? "");
  requireUncontested(session);
  const mode = expectedMode(session, choice.mode ?? "prf");
  const recoveryKey = choice.recoveryKey ?? new RecoveryKey(session.random(SEED_BYTES));
  const { attestation, own } = await register(session, authenticator, { userName: choice.userName, mode, recoveryKey });
  const archiveIdentity = new ArchiveIdentity(session.random(KEY_BYTES));
  const recoveryRecipient = recoveryKey.ageIdentity().recipient();
  const contentFor: ContentFor = (begun, assertion) => {
    if (!sameSet(begun.credentials, credentialSet([own], NO_CREDENTIALS.recoveryPublicKey))) {
      throw new StatementMismatch("the vault lists other credentials than the one just registered");
    }
    checkPrf(attestation, assertion, mode);
    const recipient = mode === "prf" ? prfIdentity(assertion).recipient() : "";
    const passkeyRecipients = mode === "prf" ? [{ credentialId: assertion.credentialId, recipient }] : [];
    const first = { archiveIdentities: [archiveIdentity], passkeyRecipients, recoveryRecipient, passkeyNames: [] };
    return envelopeContent(naming(first, assertion.credentialId, choice.name ?? ""));
  };
  const effective = credentialSet([own], recoveryKey.publicKey());
  const { stored } = await storeOnce(session, authenticator, { contentFor, mode, effective });
  await tryRelease(session, authenticator, { mode, archiveIdentity, archiveVersion: stored.archiveVersion });
  return {
    recoveryKey,
    credentialId: own.credentialId,
    archiveVersion: stored.archiveVersion,
    archiveRecipient: archiveIdentity.recipient(),
    recoveryRecipient,
    archiveIdentity,
  };
}

async function tryRelease(
  session: Session,
  authenticator: Authenticator,
  expected: { mode: Mode; archiveIdentity: ArchiveIdentity; archiveVersion: bigint },
): Promise<void> {
  let newest;
  try {
    newest = (await releaseOnce(session, { authenticator }, expected.mode)).released.opened[0];
  } catch (error) {
    if (error instanceof WrongPrf) {
      const said =
        "the envelope does not open with the passkey that locked it: delete this vault, and enroll another passkey";
      throw new PrfUnstable(said, { cause: error });
    }
    throw error;
  }
  const [identity, ...others] = newest.content.archiveIdentities;
  const isOwn = identity?.is(expected.archiveIdentity) === true && others.length === 0;
  if (newest.archiveVersion !== expected.archiveVersion || !isOwn) {
    throw new ReplyMismatch("the vault released another envelope than the one just stored");
  }
}

async function register(
  session: Session,
  authenticator: Authenticator,
  { userName, mode, recoveryKey }: { userName: string; mode: Mode; recoveryKey: RecoveryKey },
): Promise<{ attestation: Attestation; own: PublicCredential }> {
  const userHandle = session.random(USER_HANDLE_BYTES);
  const value = { userHandle, mode: wireMode(mode), recoveryPublicKey: recoveryKey.publicKey() };
  const begun = await begin(session, { case: "register", value }, mode);
  const { rpId, origin, algorithms } = begun.service;
  const { ceremony, challenge } = begun.checked;
  const asked = { rpId, origin, algorithms, challenge, userHandle, userName, exclude: [], prfInput: PRF_INPUT };
  const attestation = await authenticator.makeCredential(asked);
  const own = publicCredential(attestation);
  const request = { ceremony, attestation: attestationMessage(attestation) };
  const verified = await complete(session, begun, VaultService.method.completeRegistration, request, "register");
  const { life } = session.memory;
  const memory = { ...session.memory, mode, life: life === undefined ? undefined : life + 1n };
  await learn(session, verified, memory, { credentials: credentialSet([own], NO_CREDENTIALS.recoveryPublicKey) });
  if (!equal(parse(RegistrationReplySchema, verified.reply).credentialId, own.credentialId)) {
    throw new ReplyMismatch("the vault signed that it registered another passkey");
  }
  return { attestation, own };
}

/** Find out before anything is stored that this passkey's PRF will not do. */
export function checkPrf(attestation: Attestation, assertion: Assertion, mode: Mode): void {
  if (mode === "vault-held") {
    return;
  }
  if (assertion.prfOutput === undefined) {
    throw new PrfUnavailable("this passkey gives no PRF output: use another one, or choose the mode vault-held");
  }
  if (attestation.prfOutput !== undefined && !equal(attestation.prfOutput.reveal(), assertion.prfOutput.reveal())) {
    throw new PrfUnstable("the passkey's PRF gave another output than at its creation: use another passkey");
  }
}
