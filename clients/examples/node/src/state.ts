/** A folder that this device keeps: vault.json is the settings, memory.json what it has seen proven, passkeys.json the passkey. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { GENESIS, type Position } from "./checks.ts";
import { readOptional, writePrivate } from "./files.ts";

/** vault.json. Paths start at its folder; `pins` are identity fingerprints, 64 hex digits each. */
export interface Settings {
  vault: string;
  tenant: string;
  account: string;
  account_token_file: string;
  ca_file: string;
  pins: string[];
}

/** What a device remembers: from receipts and opened envelopes only, never from a statement. */
export interface Memory {
  position: Position;
  bundleSerial: bigint;
  openedArchiveVersion: bigint;
  archiveRecipient?: string;
  recoveryRecipient?: string;
}

export class State {
  readonly settings: Settings;
  readonly passkeysFile: string;
  readonly #folder: string;
  readonly #memoryFile: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.settings = JSON.parse(readFileSync(join(folder, "vault.json"), "utf8"));
    if (this.settings.pins.length === 0) throw new Error("vault.json must pin an identity key of the vault");
    this.passkeysFile = join(folder, "passkeys.json");
    this.#memoryFile = join(folder, "memory.json");
  }

  /** Certificates to believe, PEM. */
  authorities(): Buffer {
    return readFileSync(resolve(this.#folder, this.settings.ca_file));
  }

  /** The account token as the product has left it last: read anew for each call, since it lives an hour at most. */
  accountToken(): string {
    return readFileSync(resolve(this.#folder, this.settings.account_token_file), "ascii").trim();
  }

  load(): Memory {
    const text = readOptional(this.#memoryFile);
    if (text === undefined) return { position: GENESIS, bundleSerial: 0n, openedArchiveVersion: 0n };
    const kept = JSON.parse(text);
    return {
      position: { version: BigInt(kept.version), chainHead: Buffer.from(kept.chain_head, "hex") },
      bundleSerial: BigInt(kept.bundle_serial),
      openedArchiveVersion: BigInt(kept.opened_archive_version),
      archiveRecipient: kept.archive_recipient,
      recoveryRecipient: kept.recovery_recipient,
    };
  }

  save(memory: Memory): void {
    const kept = {
      version: String(memory.position.version),
      chain_head: memory.position.chainHead.toString("hex"),
      bundle_serial: String(memory.bundleSerial),
      opened_archive_version: String(memory.openedArchiveVersion),
      archive_recipient: memory.archiveRecipient,
      recovery_recipient: memory.recoveryRecipient,
    };
    writePrivate(this.#memoryFile, JSON.stringify(kept, null, 1));
  }
}
