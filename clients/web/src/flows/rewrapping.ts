/**
 * Changes of what the envelope is locked with: opened first, locked anew, and stored with the change itself.
 *
 * The passkey or recovery key that opens the envelope also signs for the change: who cannot open it cannot lock it
 * anew. The request names the hash of the new envelope, so that the signature is for exactly that one, and no other
 * passkey need be there: the envelope's content has the recipients of all.
 */

import type { DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";
import { sha256 } from "@noble/hashes/sha2.js";

import type { ArchiveIdentity } from "../age-keys.ts";
import { envelopeContent, type EnvelopeContent } from "../envelope-content.ts";
import { encodeVaultHeldEnvelope, openEnvelope, sealEnvelope } from "../envelope.ts";
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
import { complete, type Begun } from "./ceremonies.ts";
import { releaseOnce, rememberOpened } from "./releasing.ts";
import type { By, Signed } from "./signing.ts";
import { checkStored, type Stored } from "./storing.ts";

/** How each change is completed. */
const COMPLETIONS = {
  "add-credential": { method: VaultService.method.addCredential, reply: AddCredentialReplySchema },
  "remove-credential": { method: VaultService.method.removeCredential, reply: RemoveCredentialReplySchema },
  "set-recovery": { method: VaultService.method.setRecovery, reply: SetRecoveryReplySchema },
} as const;

/** What the envelope holds now, who has opened it, and who therefore is to sign for the change. */
export interface Current {
  readonly content: EnvelopeContent;
  readonly opener: Signed;
  readonly by: By;
}

/** The new content, the envelope that it is locked in, and its SHA-256, which the request names. */
export interface Rewrapped {
  readonly content: EnvelopeContent;
  readonly envelope: Uint8Array;
  readonly sha256: Uint8Array;
  readonly mode: Mode;
}

/** Release and open the envelope. One prompt, unless the recovery key opens it. */
export async function openCurrent(session: Session, by: By, mode: Mode): Promise<Current> {
  const { released, signed } = await releaseOnce(session, by, mode);
  const content = { ...released.opened[0].content, archiveIdentities: released.identities };
  const same = by instanceof RecoveryKey ? by : { ...by, allow: [signed.credentialId] };
  return { content, opener: signed, by: same };
}

/** Lock `content` anew, in mode PRF only so that all identities in `opens` do open it: else WrongPrf. */
export async function rewrap(
  content: EnvelopeContent,
  mode: Mode,
  opens: readonly (ArchiveIdentity | undefined)[],
): Promise<Rewrapped> {
  const ordered = envelopeContent(content);
  const envelope = mode === "vault-held" ? encodeVaultHeldEnvelope(ordered) : await sealEnvelope(ordered);
  for (const identity of mode === "prf" ? opens : []) {
    if (identity !== undefined) {
      await openEnvelope(envelope, identity);
    }
  }
  return { content: ordered, envelope, sha256: sha256(envelope), mode };
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
    readonly rewrapped: Rewrapped;
    readonly credentials: CredentialSet;
    readonly more?: Pick<
      Exclude<MessageInitShape<typeof AddCredentialRequestSchema>, { $typeName: string }>,
      "attestCeremony" | "attestation"
    >;
  },
): Promise<Stored> {
  const { kind, signed, rewrapped } = change;
  const { transportKey, transportKeyId } = begun.service.bundle;
  const { ceremony, challenge } = begun.checked;
  const sealedEnvelope = await sealToVault(rewrapped.envelope, transportKey, challenge);
  const request = { ceremony, assertion: signed.message, sealedEnvelope, transportKeyId, ...change.more };
  // The three requests have the same members, but for those in `more`, which an addition alone is given.
  const method = COMPLETIONS[kind].method as DescMethodUnary<typeof AddCredentialRequestSchema>;
  const verified = await complete(session, begun, method, request, kind);
  await learn(session, verified, session.memory, { credentials: change.credentials });
  const stored = checkStored(parse(COMPLETIONS[kind].reply, verified.reply), verified, rewrapped.envelope);
  const opened = { archiveVersion: stored.archiveVersion, confirmed: false, content: rewrapped.content };
  await rememberOpened(session, opened, rewrapped.mode);
  return stored;
}
