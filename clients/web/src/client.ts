/** The client of a vault, for one account. */

import type { Authenticator } from "./authenticators/port.ts";
import { ConnectConnection, waited, type AccountTokenSource, type Connection } from "./connection.ts";
import type { HistoryEvent, Policy, Service, VaultStatus } from "./descriptions.ts";
import { envelopeContent, type EnvelopeContent } from "./envelope-content.ts";
import { DeviceError } from "./errors.ts";
import { addPasskey, type Addition } from "./flows/adding.ts";
import { askService } from "./flows/answers.ts";
import { enroll, type Enrollment, type EnrollmentChoice } from "./flows/enrolling.ts";
import {
  acceptOlderVault,
  deleteVault,
  liftQuarantine,
  reopenClosed,
  reopenSetAside,
  reset,
  setPolicy,
} from "./flows/governing.ts";
import { askHistory, askVault } from "./flows/reading.ts";
import { setRecovery, type RecoveryChange } from "./flows/recovering.ts";
import { release, type Released } from "./flows/releasing.ts";
import { removePasskey } from "./flows/removing.ts";
import { changeMode, renamePasskey, renew, type Renewal } from "./flows/renewing.ts";
import type { By } from "./flows/signing.ts";
import { store, type Stored } from "./flows/storing.ts";
import { decodeMemory, nothingRemembered, type AccountMemory, type AccountRef } from "./memory.ts";
import { InMemoryStore, type MemoryStore } from "./memory-stores.ts";
import type { Mode } from "./modes.ts";
import type { Notice } from "./notices.ts";
import type { RecoveryKey } from "./recovery-key.ts";
import { checkPinned, type Session } from "./session.ts";
import type { Millis } from "./timestamps.ts";
import { examineEvidence, type EvidenceFlaw } from "./verification/evidence.ts";
import { checkTrust, type Trust } from "./verification/bundles.ts";

/** Which vault, whose account, and what is believed. */
export interface ClientSettings {
  /** This device's name for the vault, of which it may know several, the tenant and the account. */
  readonly owner: AccountRef;
  /**
   * Which identity keys count: `{ pins: ["<64 hex digits>"] }`, or `{ unpinned: true }`, when receipts prove
   * nothing.
   */
  readonly trust: Trust;
  /** Where the vault's browser listener is, or another way to it. */
  readonly baseUrl?: string;
  readonly connection?: Connection;
  /** The product's account token for the user who is signed in; asked for with each call. */
  readonly accountToken: AccountTokenSource;
  readonly authenticator: Authenticator;
  /** Where this device remembers; without one it remembers until the page is closed. */
  readonly store?: MemoryStore;
  /** RP ID that the vault must have; else what its signed description says is taken. */
  readonly rpId?: string;
  /** Origin to tell the authenticator; in a page the page's own. */
  readonly origin?: string;
  /** Told, once in a session, what the user should be told beside results. */
  readonly notify?: (notice: Notice) => void;
  readonly clock?: () => Millis;
  readonly pause?: (ms: number) => Promise<void>;
}

/** Who lets a change happen: the recovery key, where it has a say, or else this client's authenticator. */
export interface Choice {
  readonly mode?: Mode;
  readonly by?: RecoveryKey;
}

/** A passkey to be added. */
export interface AdditionChoice {
  /** Shown beside the passkey, on the device that keeps it. */
  readonly userName: string;
  /** What its owner calls it, in the envelope; it may have none. */
  readonly name?: string;
  /** Where it is made; else on this client's own. */
  readonly further?: Authenticator;
}

/**
 * One account's vault. One operation at a time: a second one waits.
 *
 * Every operation may end in a StrongroomError as errors.ts draws it; those with an authenticator also in an
 * AuthenticatorError, those with an envelope also in an EnvelopeError.
 */
export class StrongroomClient {
  readonly #settings: ClientSettings;
  readonly #session: Session;

  constructor(settings: ClientSettings) {
    const { owner, baseUrl, accountToken, rpId, origin } = settings;
    const trust = checkTrust(settings.trust);
    this.#settings = settings;
    this.#session = {
      settings: { owner, trust, ...(rpId === undefined ? {} : { rpId }), ...(origin === undefined ? {} : { origin }) },
      connection: settings.connection ?? new ConnectConnection({ baseUrl: required(baseUrl), accountToken }),
      store: settings.store ?? new InMemoryStore(),
      clock: settings.clock ?? Date.now,
      random: (size) => crypto.getRandomValues(new Uint8Array(size)),
      pause: settings.pause ?? waited,
      notify: settings.notify ?? (() => undefined),
      memory: nothingRemembered(owner),
      service: undefined,
      openedAt: undefined,
      told: [],
    };
  }

  /** What the user should have been told so far, in order; `notify` was called with each when it came up. */
  get notices(): readonly Notice[] {
    return [...this.#session.told];
  }

  /** What this device remembers of the vault. */
  memory(): Promise<AccountMemory> {
    return this.#run(async (session) => session.memory);
  }

  /**
   * What archives are encrypted to, the archive key's recipient and the recovery key's: no prompt, and no call.
   *
   * Throws DeviceError where this device has not opened the vault's envelope yet: enroll, or release once.
   */
  archiveRecipients(): Promise<readonly [string, string]> {
    return this.#run(async ({ memory: { archiveRecipient, recoveryRecipient } }) => {
      if (archiveRecipient === undefined || recoveryRecipient === undefined) {
        throw new DeviceError("this device does not know what to encrypt to: restore once, or enroll");
      }
      return [archiveRecipient, recoveryRecipient] as const;
    });
  }

  /** The vault's description and keys, verified. */
  serviceInfo(): Promise<Service> {
    return this.#run(askService);
  }

  /** The record's state, verified. */
  status(): Promise<VaultStatus> {
    return this.#run(askVault);
  }

  /** The history, newest first, verified to be without a gap and to pass through what is known. */
  history(): Promise<HistoryEvent[]> {
    return this.#run(askHistory);
  }

  /** What of the history's evidence does not hold: who signed for each event, by the account's own keys. */
  examineHistory(): Promise<EvidenceFlaw[]> {
    return this.#run(async (session) => {
      const events = await askHistory(session);
      const messages = events.map(({ message }) => message);
      return examineEvidence(messages, session.settings.owner);
    });
  }

  /** Every receipt that this device keeps, as lines of a file that `strongroom receipts verify` examines. */
  receipts(): Promise<string> {
    return this.#run(async ({ store }) => (await store.lines()).map((line) => `${line}\n`).join(""));
  }

  /** Enroll: passkey, first envelope, trial release; three prompts. Without a recovery key one is generated. */
  enroll(choice: EnrollmentChoice): Promise<Enrollment> {
    return this.#run((session) => enroll(session, this.#settings.authenticator, choice));
  }

  /** Store `content` as a new archive version, if the passkey used opens it. */
  store(content: EnvelopeContent, { mode }: { mode?: Mode } = {}): Promise<Stored> {
    return this.#run((session) => store(session, this.#settings.authenticator, envelopeContent(content), mode));
  }

  /** Release the envelopes and open them. `mode` must be given where this device does not know vault-held yet. */
  release(choice: Choice = {}): Promise<Released> {
    return this.#run((session) => release(session, this.#by(choice), choice.mode));
  }

  /** Delete the vault. */
  delete({ mode }: { mode?: Mode } = {}): Promise<void> {
    return this.#run((session) => deleteVault(session, this.#settings.authenticator, mode));
  }

  /** Add a passkey, on the `further` authenticator or else this client's own, by a passkey or the recovery key. */
  addPasskey(choice: Choice & AdditionChoice): Promise<Addition> {
    const { userName, name = "", mode, further = this.#settings.authenticator } = choice;
    return this.#run((session) => addPasskey(session, this.#by(choice), { further, userName, name, mode }));
  }

  /** Give a passkey a name, or with an empty one take it away. */
  renamePasskey(credentialId: Uint8Array, name: string, { mode }: { mode?: Mode } = {}): Promise<Stored> {
    return this.#run((session) => renamePasskey(session, this.#settings.authenticator, { credentialId, name, mode }));
  }

  /** Take a fresh archive key for what is backed up from now on. */
  renew({ mode }: { mode?: Mode } = {}): Promise<Renewal> {
    return this.#run((session) => renew(session, this.#settings.authenticator, mode));
  }

  /** Lock the envelope in another mode; archives stay as they are. `mode` is that of before, as elsewhere. */
  changeMode(to: Mode, { mode }: { mode?: Mode } = {}): Promise<Stored> {
    return this.#run((session) => changeMode(session, this.#settings.authenticator, { to, mode }));
  }

  /** Remove a passkey by another one; backups from here then use a fresh key. */
  removePasskey(credentialId: Uint8Array, { mode }: { mode?: Mode } = {}): Promise<Stored> {
    return this.#run((session) => removePasskey(session, this.#settings.authenticator, { credentialId, mode }));
  }

  /** Replace the recovery key; without `recoveryKey` a new one is generated. */
  setRecovery({ recoveryKey, mode }: { recoveryKey?: RecoveryKey; mode?: Mode } = {}): Promise<RecoveryChange> {
    return this.#run((session) => setRecovery(session, this.#settings.authenticator, { recoveryKey, mode }));
  }

  /** Bring back what a reset has set aside; the newer life is dropped. */
  reopenSetAside(choice: Choice = {}): Promise<void> {
    return this.#run((session) => reopenSetAside(session, this.#by(choice), choice.mode));
  }

  /** Reopen a vault that closed when its attempts were used up. */
  reopenClosed(choice: Choice = {}): Promise<void> {
    return this.#run((session) => reopenClosed(session, this.#by(choice), choice.mode));
  }

  /** Trust a quarantined passkey again, by another one. */
  liftQuarantine(credentialId: Uint8Array, { mode }: { mode?: Mode } = {}): Promise<void> {
    return this.#run((session) => liftQuarantine(session, this.#settings.authenticator, { credentialId, mode }));
  }

  /** Set all limits of the record. */
  setPolicy(policy: Policy, { mode }: { mode?: Mode } = {}): Promise<void> {
    return this.#run((session) => setPolicy(session, this.#settings.authenticator, { policy, mode }));
  }

  /** Set the vault aside and start an empty one; the token must allow it. Says when the old is erased. */
  reset(): Promise<Millis> {
    return this.#run(reset);
  }

  /** Go on with a vault that went back, because its operator said that it was restored. Says what is known. */
  acceptOlderVault(): Promise<AccountMemory> {
    return this.#run(acceptOlderVault);
  }

  #by({ by }: Choice): By {
    return by ?? { authenticator: this.#settings.authenticator };
  }

  /** Run an operation by what is remembered now: another tab may have learned more since the last one. */
  #run<Result>(operation: (session: Session) => Promise<Result>): Promise<Result> {
    const session = this.#session;
    return session.store.exclusive(async () => {
      const { owner } = session.settings;
      const document = await session.store.load();
      session.memory = document === undefined ? nothingRemembered(owner) : decodeMemory(document, owner);
      checkPinned(session.settings, session.memory);
      return operation(session);
    });
  }
}

function required(baseUrl: string | undefined): string {
  if (baseUrl === undefined) {
    throw new TypeError("a client needs the address of its vault: baseUrl, or a connection");
  }
  return baseUrl;
}
