/**
 * Changes of what the envelope is locked with: opened first, locked anew, and stored with the change itself.
 *
 * The passkey or recovery key that opens the envelope also signs for the change: who cannot open it cannot lock it
 * anew. The request names the hash of the new envelope, so that the signature is for exactly that one, and no other
 * passkey need be there: the envelope's content has the recipients of all.
 */

import type { DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";

import type { EnvelopeContent } from "../envelope-content.ts";
import { BeginAgain, NewestUnopened } from "../errors.ts";
import {
  AddCredentialReplySchema,
  RemoveCredentialReplySchema,
  SetRecoveryReplySchema,
  VaultService,
  type AddCredentialRequestSchema,
} from "../gen/strongroom/v1/vault_service_pb.js";
import { sealToVault } from "../hpke.ts";
import type { Mode } from "../modes.ts";
import { RecoveryKey } from "../recovery-key.ts";
import type { Session } from "../session.ts";
import type { CredentialSet } from "../verification/credential-sets.ts";
import { learn, parse } from "./answers.ts";
import { begin, complete, isOpenedAt, type Begun, type OperationInit } from "./ceremonies.ts";
import type { Locked } from "./locking.ts";
import { releaseOnce, rememberOpened } from "./releasing.ts";
import type { By, Signed } from "./signing.ts";
import { checkStored, type Stored } from "./storing.ts";

/** How each change is completed. */
const COMPLETIONS = {
  "add-credential": { method: VaultService.method.addCredential, reply: AddCredentialReplySchema },
  "remove-credential": { method: VaultService.method.removeCredential, reply: RemoveCredentialReplySchema },
  "set-recovery": { method: VaultService.method.setRecovery, reply: SetRecoveryReplySchema },
} as const;

/** What the envelope holds now and how it is locked, and who has opened it and is therefore to sign for the change. */
export interface Current {
  readonly content: EnvelopeContent;
  readonly mode: Mode;
  /** Ids of all that the vault knows. */
  readonly passkeys: readonly Uint8Array[];
  readonly opener: Signed;
  readonly by: By;
}

/**
 * Release and open the newest envelope. One prompt, unless the recovery key opens it.
 *
 * Throws NewestUnopened: only an older one opened, which does not have what the newest may have.
 */
export async function openCurrent(session: Session, by: By, mode: Mode): Promise<Current> {
  const opening = await releaseOnce(session, by, mode);
  const { released, opener, passkeys } = opening;
  if (session.openedAt === undefined) {
    const newest = released.unopened[0]?.archiveVersion ?? 0n;
    throw new NewestUnopened(
      `the newest envelope (archive keys of version ${newest}) does not open, so nothing is changed`,
    );
  }
  const content = { ...released.opened[0].content, archiveIdentities: released.identities };
  const same = by instanceof RecoveryKey ? by : { ...by, allow: [opener.credentialId] };
  return { content, mode: opening.mode, passkeys, opener, by: same };
}

/**
 * Begin a ceremony that replaces the envelope, where this session knows what the newest one holds.
 *
 * Throws BeginAgain: another change came since it was opened; nobody was asked to sign.
 */
export async function beginChange(session: Session, operation: OperationInit, mode: Mode): Promise<Begun> {
  const begun = await begin(session, operation, mode);
  if (!isOpenedAt(session, begun)) {
    throw new BeginAgain("BEGIN_AGAIN");
  }
  return begun;
}

/**
 * Complete a change that leaves `credentials`, and remember that this device can open what is stored now.
 *
 * Throws ReplyMismatch where the vault stored another envelope.
 */
export async function completeChange(
  session: Session,
  begun: Begun,
  change: {
    readonly kind: keyof typeof COMPLETIONS;
    readonly signed: Signed;
    readonly locked: Locked;
    readonly credentials: CredentialSet;
    readonly more?: Pick<
      Exclude<MessageInitShape<typeof AddCredentialRequestSchema>, { $typeName: string }>,
      "attestCeremony" | "attestation"
    >;
  },
): Promise<Stored> {
  const { kind, signed, locked } = change;
  const { transportKey, transportKeyId } = begun.service.bundle;
  const { ceremony, challenge } = begun.checked;
  const sealedEnvelope = await sealToVault(locked.envelope, transportKey, challenge);
  const request = { ceremony, assertion: signed.message, sealedEnvelope, transportKeyId, ...change.more };
  // The three requests have the same members, but for those in `more`, which an addition alone is given.
  const method = COMPLETIONS[kind].method as DescMethodUnary<typeof AddCredentialRequestSchema>;
  const verified = await complete(session, begun, method, request, kind);
  await learn(session, verified, session.memory, { credentials: change.credentials });
  const stored = checkStored(parse(COMPLETIONS[kind].reply, verified.reply), verified, locked);
  session.openedAt = verified.position;
  const opened = { archiveVersion: stored.archiveVersion, confirmed: false, content: locked.content };
  await rememberOpened(session, opened, locked.mode);
  return stored;
}
