/** Locking an envelope: for exactly the passkeys that the vault will know, and so that who is there does open it. */

import { sha256 } from "@noble/hashes/sha2.js";

import type { ArchiveIdentity } from "../age-keys.ts";
import type { Assertion } from "../authenticators/port.ts";
import { toHex } from "../bytes.ts";
import { envelopeContent, type EnvelopeContent } from "../envelope-content.ts";
import { encodeVaultHeldEnvelope, openEnvelope, passkeyIdentity, sealEnvelope } from "../envelope.ts";
import { PrfUnavailable, ReplyMismatch } from "../errors.ts";
import type { Mode } from "../modes.ts";

/** Content, the envelope that it is locked in, and its SHA-256, which requests name. */
export interface Locked {
  readonly content: EnvelopeContent;
  readonly envelope: Uint8Array;
  readonly sha256: Uint8Array;
  readonly mode: Mode;
}

/**
 * Lock `content`, in mode PRF for exactly `passkeys` (ids), and so that all identities in `opens` do open it.
 *
 * Throws ReplyMismatch: it would lock a passkey out, or let one in that the vault does not know; WrongPrf: one of the
 * identities does not open it.
 */
export async function lock(
  content: EnvelopeContent,
  {
    mode,
    passkeys,
    opens,
  }: { mode: Mode; passkeys: readonly Uint8Array[]; opens: readonly (ArchiveIdentity | undefined)[] },
): Promise<Locked> {
  const ordered = envelopeContent(content);
  if (mode === "vault-held") {
    const envelope = encodeVaultHeldEnvelope(ordered);
    return { content: ordered, envelope, sha256: sha256(envelope), mode };
  }
  const locked = new Set(ordered.passkeyRecipients.map(({ credentialId }) => toHex(credentialId)));
  const known = new Set(passkeys.map(toHex));
  if (locked.size !== known.size || [...locked].some((id) => !known.has(id))) {
    throw new ReplyMismatch("the envelope is not for exactly the passkeys that the vault knows");
  }
  const envelope = await sealEnvelope(ordered);
  for (const identity of opens) {
    if (identity !== undefined) {
      await openEnvelope(envelope, identity);
    }
  }
  return { content: ordered, envelope, sha256: sha256(envelope), mode };
}

/** The age identity of the passkey that made `assertion`. Throws PrfUnavailable where it gave no PRF output. */
export function prfIdentity(assertion: Assertion): ArchiveIdentity {
  if (assertion.prfOutput === undefined) {
    throw new PrfUnavailable("this passkey gives no PRF output, which the default mode needs");
  }
  return passkeyIdentity(assertion.prfOutput, assertion.credentialId);
}
