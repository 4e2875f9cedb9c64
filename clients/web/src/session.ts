/** What an open client holds: settings, the ways to vault, store and user, and what it has learned. */

import type { Connection } from "./connection.ts";
import type { Service } from "./descriptions.ts";
import { UnpinnedVault } from "./errors.ts";
import type { AccountMemory, AccountRef } from "./memory.ts";
import type { MemoryStore } from "./memory-stores.ts";
import type { Notice } from "./notices.ts";
import type { Millis } from "./timestamps.ts";
import type { Trust } from "./verification/bundles.ts";
import type { Position } from "./verification/positions.ts";

/** Which vault, whose account, and what is believed. */
export interface VaultSettings {
  /** Vault (this device's name for it), tenant and account. */
  readonly owner: AccountRef;
  /** Which identity keys count. */
  readonly trust: Trust;
  /** RP ID that the vault must have; else what its signed description says is taken. */
  readonly rpId?: string;
  /** Origin to tell the authenticator, one of the vault's; in a page the page's own, else the vault's first. */
  readonly origin?: string;
}

/** Changes as flows learn. */
export interface Session {
  readonly settings: VaultSettings;
  readonly connection: Connection;
  readonly store: MemoryStore;
  readonly clock: () => Millis;
  readonly random: (size: number) => Uint8Array<ArrayBuffer>;
  readonly pause: (ms: number) => Promise<void>;
  readonly notify: (notice: Notice) => void;
  memory: AccountMemory;
  service: Service | undefined;
  /**
   * The position at which this session knows what the newest envelope holds; undefined before it does. What replaces
   * the envelope is stored at exactly that position: two devices cannot undo each other's changes.
   */
  openedAt: Position | undefined;
  /** Notices given already. */
  readonly told: Notice[];
}

/** Refuse, as UnpinnedVault, to use a vault unpinned that this device has pinned before. */
export function checkPinned(settings: VaultSettings, memory: AccountMemory): void {
  if ("unpinned" in settings.trust && memory.pins.length > 0) {
    throw new UnpinnedVault("this device has pinned this vault before; it is not used unpinned again");
  }
}
