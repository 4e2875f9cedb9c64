/** Releasing: the envelopes, sealed to a key that lives for one ceremony, opened with the passkey's PRF. */

import type { ArchiveIdentity } from "../age-keys.ts";
import { Declined, NoMatchingCredential } from "../authenticators/port.ts";
import { toHex } from "../bytes.ts";
import { EnvelopeError, type EnvelopeContent } from "../envelope-content.ts";
import { decodeVaultHeldEnvelope, openEnvelope } from "../envelope.ts";
import { ReplyMismatch } from "../errors.ts";
import { HpkeSuite } from "../gen/strongroom/v1/resources_pb.js";
import {
  ReleasedEnvelopesSchema,
  ReleaseReplySchema,
  VaultService,
  type ReleasedEnvelope,
} from "../gen/strongroom/v1/vault_service_pb.js";
import { generateRecipient, openFromVault } from "../hpke.ts";
import { wireMode, type Mode } from "../modes.ts";
import type { Session } from "../session.ts";
import { idsOf, sameSet } from "../verification/credential-sets.ts";
import { keep, learn, parse, requireUncontested } from "./answers.ts";
import { begin, complete, expectedMode, onceMore, type Begun } from "./ceremonies.ts";
import { askVault, look } from "./reading.ts";
import { authorize, type By, type Signed } from "./signing.ts";

/** One released envelope, opened. `confirmed`: a client has said before that it opened it. */
export interface OpenedEnvelope {
  readonly archiveVersion: bigint;
  readonly confirmed: boolean;
  readonly content: EnvelopeContent;
}

/** What a release gave. */
export interface Released {
  /** Newest first, at least one. */
  readonly opened: readonly [OpenedEnvelope, ...OpenedEnvelope[]];
  /** Why others did not open; an unconfirmed one may have been locked wrongly. */
  readonly unopened: readonly { readonly archiveVersion: bigint; readonly error: EnvelopeError }[];
  /** All archive identities, newest first, each once: what opens archives. */
  readonly identities: readonly ArchiveIdentity[];
}

/** A release, who signed for it, and so opened, how the vault says that the envelope is locked, and its passkeys. */
export interface Opening {
  readonly released: Released;
  readonly opener: Signed;
  readonly mode: Mode;
  readonly passkeys: readonly Uint8Array[];
}

/**
 * Release and open the envelopes. One prompt; a second one if another change came between. With the recovery key the
 * recovery credential signs, and nobody is prompted.
 *
 * Throws EnvelopeError where none opened; WrongPrf where this passkey's PRF gave another value than when it was added.
 */
export async function release(session: Session, by: By, mode: Mode | undefined): Promise<Released> {
  requireUncontested(session);
  const chosen = expectedMode(session, mode);
  const { released } = await onceMore(() => releaseOnce(session, by, chosen));
  return released;
}

/** Release in one ceremony. Where `mode` is vault-held, a vault that was moved to PRF meanwhile is as good. */
export async function releaseOnce(session: Session, by: By, mode: Mode): Promise<Opening> {
  session.openedAt = undefined;
  const recipient = await generateRecipient();
  const value = { recipient: recipient.publicKey, suite: HpkeSuite.X25519_SHA256_AES256GCM };
  const begun = await begin(session, { case: "release", value }, mode, { mayLockBetter: true });
  const signed = await signedOrSeen(session, begun, by);
  const { ceremony, challenge } = begun.checked;
  const request = { ceremony, assertion: signed.message };
  const verified = await complete(session, begun, VaultService.method.releaseEnvelope, request, "release");
  await learn(session, verified, session.memory, { credentials: begun.credentials });
  const { sealedEnvelopes } = parse(ReleaseReplySchema, verified.reply);
  const opened = await openFromVault(sealedEnvelopes, recipient.privateKey, challenge);
  const { envelopes } = parse(ReleasedEnvelopesSchema, opened);
  await forgetAnotherLife(session, envelopes);
  checkEnvelopes(session, envelopes, begun.mode);
  const released = await openAll(envelopes, begun.mode === "prf" ? signed.identity : undefined);
  const newest = released.opened[0];
  if (newest.archiveVersion === envelopes[0]?.archiveVersion) {
    session.openedAt = verified.position;
  }
  await rememberOpened(session, newest, begun.mode);
  return { released, opener: signed, mode: begun.mode, passkeys: idsOf(begun.credentials) };
}

/**
 * Have `by` sign. Where no passkey there fits, it may have been removed elsewhere: what has become of the record is
 * then learned, and told beside the error. A browser says Declined for that, as for a user who cancels.
 */
async function signedOrSeen(session: Session, begun: Begun, by: By): Promise<Signed> {
  try {
    return await authorize(begun, by, begun.mode);
  } catch (error) {
    const known = session.memory.credentials;
    const isChanged = known === undefined || !sameSet(known, begun.credentials);
    if (error instanceof NoMatchingCredential || (error instanceof Declined && isChanged)) {
      await look(session);
    }
    throw error;
  }
}

/**
 * Where all envelopes are older than one opened here, ask whether an earlier life was reopened since.
 *
 * The vault signs which life it is; it is told to the user, and what was opened in the other life counts no more.
 */
async function forgetAnotherLife(session: Session, envelopes: readonly ReleasedEnvelope[]): Promise<void> {
  const { life, openedArchiveVersion } = session.memory;
  const newest = envelopes[0];
  if (newest === undefined || newest.archiveVersion >= openedArchiveVersion || life === undefined) {
    return;
  }
  await askVault(session);
  if (session.memory.life !== life) {
    session.memory = { ...session.memory, openedArchiveVersion: 0n, archiveRecipient: undefined };
  }
}

/** Refuse envelopes that this device would not have been given by an honest vault. */
function checkEnvelopes(session: Session, envelopes: readonly ReleasedEnvelope[], mode: Mode): void {
  const versions = envelopes.map(({ archiveVersion }) => archiveVersion);
  const newest = versions[0];
  if (newest === undefined || versions.some((version, place) => place > 0 && version >= (versions[place - 1] ?? 0n))) {
    throw new ReplyMismatch("the vault released no envelopes, or not newest first");
  }
  if (newest < session.memory.openedArchiveVersion) {
    throw new ReplyMismatch("the vault released only envelopes older than one that this device has opened");
  }
  if (newest > session.memory.position.version) {
    throw new ReplyMismatch("the vault released an envelope newer than its record");
  }
  if (envelopes.some((envelope) => envelope.mode !== wireMode(mode))) {
    throw new ReplyMismatch("the vault released an envelope locked in another mode than this account's");
  }
}

async function openAll(
  envelopes: readonly ReleasedEnvelope[],
  identity: ArchiveIdentity | undefined,
): Promise<Released> {
  const opened: OpenedEnvelope[] = [];
  const unopened: { archiveVersion: bigint; error: EnvelopeError }[] = [];
  for (const { archiveVersion, confirmed, envelope } of envelopes) {
    try {
      const content = identity ? await openEnvelope(envelope, identity) : decodeVaultHeldEnvelope(envelope);
      opened.push({ archiveVersion, confirmed, content });
    } catch (error) {
      if (!(error instanceof EnvelopeError)) {
        throw error;
      }
      unopened.push({ archiveVersion, error });
    }
  }
  const [newest, ...older] = opened;
  if (newest === undefined) {
    throw unopened[0]?.error ?? new ReplyMismatch("the vault released no envelopes");
  }
  return { opened: [newest, ...older], unopened, identities: identitiesOf([newest, ...older]) };
}

function identitiesOf(opened: readonly OpenedEnvelope[]): ArchiveIdentity[] {
  const identities: ArchiveIdentity[] = [];
  for (const identity of opened.flatMap(({ content }) => content.archiveIdentities)) {
    if (!identities.some((one) => one.is(identity))) {
      identities.push(identity);
    }
  }
  return identities;
}

/**
 * Remember what backups are encrypted to, and that the newest envelope opened: the next request confirms it.
 *
 * Throws ReplyMismatch where the same archive version held other keys before.
 */
export async function rememberOpened(session: Session, newest: OpenedEnvelope, mode: Mode): Promise<void> {
  const { memory } = session;
  const archiveRecipient = newest.content.archiveIdentities[0]?.recipient();
  if (newest.archiveVersion === memory.openedArchiveVersion && archiveRecipient !== memory.archiveRecipient) {
    throw new ReplyMismatch("the envelope holds other keys than this device opened at the same archive version");
  }
  const isNewer = newest.archiveVersion > memory.openedArchiveVersion;
  session.memory = {
    ...memory,
    mode,
    openedArchiveVersion: isNewer ? newest.archiveVersion : memory.openedArchiveVersion,
    archiveRecipient,
    recoveryRecipient: newest.content.recoveryRecipient,
    names: new Map(newest.content.passkeyNames.map(({ credentialId, name }) => [toHex(credentialId), name])),
  };
  await keep(session);
  if (session.memory.life === undefined) {
    await look(session); // else an earlier life that is reopened could not be told from a vault gone back
  }
}
