/**
 * What the views do with a vault: the library's client with this page's passkey dialog in front of every prompt.
 *
 * Everything that the page takes from the library goes through here, and through unpacking.ts and packing.ts.
 */

import {
  BrowserAuthenticator,
  Declined,
  IndexedDbStore,
  RecoveryKey,
  StrongroomClient,
  StrongroomError,
  type AccountMemory,
  type ArchiveIdentity,
  type Assertion,
  type AssertionRequest,
  type Attestation,
  type Authenticator,
  type CreationRequest,
  type HistoryEvent,
  type Mode,
  type Notice,
  type VaultStatus,
} from "../src/index.ts";
import type { Settings } from "./settings.ts";

export { RecoveryKey };
export {
  parseRecoveryKey,
  RecoveryKeyTypo,
  toHex,
  type ArchiveIdentity,
  type HistoryEvent,
  type Notice,
  type Passkey,
  type SetAside,
  type VaultStatus,
} from "../src/index.ts";

/** The dialog that stands before a prompt. */
export interface Prompts {
  /** Aborted when the user cancels. */
  readonly signal: AbortSignal;
  /** Say what is asked for now. */
  say(text: string): void;
  /** Have the user press a button, or cancel. */
  pressed(): Promise<void>;
}

/** A recovery key without a mistake, but of another vault, or one that was replaced. */
export class OtherRecoveryKey extends StrongroomError {
  override name = "OtherRecoveryKey";
}

/** A recovery key that nobody has seen. */
export function newRecoveryKey(): RecoveryKey {
  return new RecoveryKey(crypto.getRandomValues(new Uint8Array(SEED_BYTES)));
}

const SEED_BYTES = 32;

/** Open the vault of whoever is signed in. */
export async function openVault(settings: Settings): Promise<Vault> {
  const owner = { vault: settings.vault, tenant: settings.tenant, account: settings.account };
  const authenticator = new PromptedAuthenticator();
  const client = new StrongroomClient({
    owner,
    trust: { pins: [...settings.pins] },
    baseUrl: settings.vault,
    accountToken: () => settings.accountToken,
    authenticator,
    store: new IndexedDbStore(owner),
  });
  return new Vault(client, authenticator, settings.userName, await client.memory());
}

export class Vault {
  readonly #client: StrongroomClient;
  readonly #authenticator: PromptedAuthenticator;
  readonly #userName: string;
  #memory: AccountMemory;
  #shownMode: string | undefined;
  /** What operations are told beside the rest; once remembered on this device, it need not be. */
  #agreed: { readonly mode?: Mode } = {};

  constructor(client: StrongroomClient, authenticator: PromptedAuthenticator, userName: string, memory: AccountMemory) {
    this.#client = client;
    this.#authenticator = authenticator;
    this.#userName = userName;
    this.#memory = memory;
  }

  async status(): Promise<VaultStatus> {
    const status = await this.#learning(() => this.#client.status());
    this.#shownMode = status.state === "live" ? status.mode : undefined;
    return status;
  }

  /** Whether the vault says that it holds the keys by itself, which nobody at this device has agreed to. */
  get holdsKeysUnasked(): boolean {
    return this.#shownMode === "vault-held" && this.#memory.mode !== "vault-held" && this.#agreed.mode === undefined;
  }

  /** Take it that the user knows that. */
  agreeThatItHoldsKeys(): void {
    this.#agreed = { mode: "vault-held" };
  }

  history(): Promise<readonly HistoryEvent[]> {
    return this.#learning(() => this.#client.history());
  }

  /** What should be told beside results, of this visit. */
  notices(): readonly Notice[] {
    return this.#client.notices;
  }

  /** What archives are encrypted to; undefined where this device has not opened the vault yet. */
  backupRecipients(): readonly string[] | undefined {
    const { archiveRecipient, recoveryRecipient } = this.#memory;
    return archiveRecipient === undefined || recoveryRecipient === undefined ? undefined : [archiveRecipient, recoveryRecipient];
  }

  /** Whether it is the recovery key in force, as last seen. */
  isRecoveryKey(key: RecoveryKey): boolean {
    return same(key.publicKey(), this.#memory.credentials?.recoveryPublicKey);
  }

  async enroll(recoveryKey: RecoveryKey, mode: Mode, prompts: Prompts): Promise<void> {
    const steps = [
      "1 of 3: make the passkey.",
      "2 of 3: use it to lock your key.",
      "3 of 3: use it once more, to prove that it opens again.",
    ];
    await this.#prompted(prompts, steps, () =>
      this.#client.enroll({ userName: this.#userName, mode, recoveryKey }),
    );
    keepWhatIsRemembered();
  }

  /** What opens archives. */
  async release(prompts: Prompts): Promise<readonly ArchiveIdentity[]> {
    const said = ["Use a passkey of this vault."];
    const released = await this.#prompted(prompts, said, () => this.#client.release(this.#agreed));
    keepWhatIsRemembered();
    return released.identities;
  }

  async addPasskey(by: "passkey" | RecoveryKey, name: string, prompts: Prompts): Promise<void> {
    const choice = { userName: this.#userName, name, ...this.#agreed };
    if (by === "passkey") {
      await this.#prompted(prompts, [], () => this.#client.addPasskey(choice));
      return;
    }
    this.#require(this.isRecoveryKey(by));
    await this.#prompted(prompts, [], () => this.#client.addPasskey({ ...choice, by }));
  }

  async renamePasskey(id: Uint8Array, name: string, prompts: Prompts): Promise<void> {
    await this.#prompted(prompts, [], () => this.#client.renamePasskey(id, name, this.#agreed));
  }

  /** Have the passkeys lock what so far the vault alone has held; every one of them must be there. */
  async lockWithPasskeys(prompts: Prompts): Promise<void> {
    await this.#prompted(prompts, [], () => this.#client.changeMode("prf", this.#agreed));
    this.#agreed = {};
  }

  async removePasskey(id: Uint8Array, prompts: Prompts): Promise<void> {
    await this.#prompted(prompts, ["Use another passkey, which stays."], () => this.#client.removePasskey(id, this.#agreed));
  }

  async liftQuarantine(id: Uint8Array, prompts: Prompts): Promise<void> {
    await this.#prompted(prompts, ["Use another passkey."], () => this.#client.liftQuarantine(id, this.#agreed));
  }

  async replaceRecoveryKey(recoveryKey: RecoveryKey, prompts: Prompts): Promise<void> {
    await this.#prompted(prompts, ["Use a passkey of this vault."], () => this.#client.setRecovery({ recoveryKey, ...this.#agreed }));
  }

  async reopenSetAside(by: "passkey" | RecoveryKey, prompts: Prompts): Promise<void> {
    if (by !== "passkey") {
      this.#require(same(by.publicKey(), this.#memory.setAside?.recoveryPublicKey));
    }
    const said = ["Use a passkey that it had before."];
    await this.#prompted(prompts, said, () => this.#client.reopenSetAside({ ...(by === "passkey" ? {} : { by }), ...this.#agreed }));
  }

  async reopenClosed(by: "passkey" | RecoveryKey, prompts: Prompts): Promise<void> {
    if (by !== "passkey") {
      this.#require(this.isRecoveryKey(by));
    }
    const said = ["Use a passkey of this vault."];
    await this.#prompted(prompts, said, () => this.#client.reopenClosed({ ...(by === "passkey" ? {} : { by }), ...this.#agreed }));
  }

  async delete(prompts: Prompts): Promise<void> {
    await this.#prompted(prompts, ["Use a passkey of this vault."], () => this.#client.delete(this.#agreed));
  }

  /** Go on with a vault that went back, since its operator says that it was restored. */
  async acceptOlder(): Promise<void> {
    await this.#learning(() => this.#client.acceptOlderVault());
  }

  /** Set the vault aside and start over; says when what is set aside is erased. */
  reset(): Promise<number> {
    return this.#learning(() => this.#client.reset());
  }

  #prompted<Result>(prompts: Prompts, said: readonly string[], work: () => Promise<Result>): Promise<Result> {
    this.#authenticator.before(prompts, said);
    return this.#learning(work);
  }

  async #learning<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } finally {
      this.#memory = await this.#client.memory();
    }
  }

  #require(isTheKey: boolean): void {
    if (!isTheKey) {
      throw new OtherRecoveryKey("the recovery key has no mistake in it, but it is another one");
    }
  }
}

const AT_ONCE_MS = 300;

/** The browser's authenticators, with words before each prompt and a way to cancel. */
class PromptedAuthenticator implements Authenticator {
  readonly #browser = new BrowserAuthenticator({ signal: () => this.#prompts?.signal });
  #prompts: Prompts | undefined;
  #said: readonly string[] = [];
  #made: Uint8Array | undefined;

  /** Say these texts before the prompts that come, in turn; without more of them, what is asked for says enough. */
  before(prompts: Prompts, said: readonly string[]): void {
    this.#prompts = prompts;
    this.#said = said;
    this.#made = undefined;
  }

  async makeCredential(request: CreationRequest): Promise<Attestation> {
    this.#announce("Make the new passkey.");
    const attestation = await this.#pressing(() => this.#browser.makeCredential(request));
    this.#made = attestation.credentialId;
    return attestation;
  }

  getAssertion(request: AssertionRequest): Promise<Assertion> {
    const own = request.allow.length === 1 && same(request.allow[0] ?? new Uint8Array(0), this.#made);
    this.#announce(own ? "Use the new passkey, to prove that it opens your backups." : "Use a passkey that you have.");
    return this.#pressing(() => this.#browser.getAssertion(request));
  }

  /** Safari wants a click before each prompt, and declines at once without one: faster than any person. */
  async #pressing<Result>(ask: () => Promise<Result>): Promise<Result> {
    const begun = performance.now();
    try {
      return await ask();
    } catch (error) {
      const atOnce = performance.now() - begun < AT_ONCE_MS;
      if (!(error instanceof Declined) || !atOnce || navigator.userActivation.isActive || this.#prompts === undefined) {
        throw error;
      }
      await this.#prompts.pressed();
      return await ask();
    }
  }

  #announce(otherwise: string): void {
    const [now, ...later] = this.#said;
    this.#said = later;
    this.#prompts?.say(now ?? otherwise);
  }
}

/**
 * What is remembered protects against a vault that goes back, and should outlive a browser's tidying up. Asked for once
 * there is something to keep: some browsers ask the user.
 */
function keepWhatIsRemembered(): void {
  void navigator.storage.persist();
}

function same(one: Uint8Array, other: Uint8Array | undefined): boolean {
  return other?.length === one.length && one.every((byte, place) => byte === other[place]);
}
