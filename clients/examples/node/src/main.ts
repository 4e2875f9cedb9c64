/**
 * A Strongroom client for Node, from the protos and docs/protocol.md alone.
 *
 *     node src/main.ts enroll  STATE RECOVERY_KEY_FILE    a passkey, a first envelope, a trial release
 *     node src/main.ts renew   STATE                      a fresh key for the archives to come
 *     node src/main.ts backup  STATE FOLDER ARCHIVE
 *     node src/main.ts restore STATE ARCHIVE FOLDER
 *
 * STATE is a folder with vault.json (src/state.ts). Exit codes: 0 done; 1 refused or failed; 2 wrong usage;
 * 5 the vault's answer is not proven, so that nothing went on from there.
 */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { status, type ServiceError } from "@grpc/grpc-js";
import { backUp, restore } from "./archive.ts";
import { NotProven } from "./checks.ts";
import { recoveryRows } from "./envelope.ts";
import { State } from "./state.ts";
import { Vault } from "./vault.ts";

const COMMANDS: Record<string, { operands: number; run: (vault: Vault, ...operands: string[]) => Promise<string> }> = {
  enroll: {
    operands: 1,
    run: async (vault, file) => {
      const seed = randomBytes(32);
      // Before anything depends on it: who is interrupted below has the key, and not a vault without one.
      writeFileSync(file as string, `${recoveryRows(seed).join("\n")}\n`, { flag: "wx", mode: 0o600 });
      await vault.enroll(seed);
      return "Enrolled. The archive keys are stored, and were opened once.";
    },
  },
  renew: {
    operands: 0,
    run: async (vault) => {
      await vault.renew();
      return "Renewed. Archives from now on have a fresh key.";
    },
  },
  backup: {
    operands: 2,
    run: async (vault, folder, archive) => {
      await backUp(folder as string, archive as string, vault.recipients());
      return "Backed up.";
    },
  },
  restore: {
    operands: 2,
    run: async (vault, archive, folder) => {
      const { archiveIdentities } = await vault.release();
      await restore(archive as string, folder as string, archiveIdentities);
      return "Restored.";
    },
  },
};

async function main([name = "", folder, ...operands]: string[]): Promise<number> {
  const command = COMMANDS[name];
  if (command === undefined || folder === undefined || operands.length !== command.operands) {
    console.error(`Usage: node src/main.ts ${Object.keys(COMMANDS).join("|")} STATE ...`);
    return 2;
  }
  const vault = new Vault(new State(folder), (warning) => console.error(`WARNING: ${warning}`));
  try {
    console.log(await command.run(vault, ...operands));
    return 0;
  } catch (error) {
    console.error(explain(error as Error));
    return error instanceof NotProven ? 5 : 1;
  } finally {
    vault.close();
  }
}

function explain(error: Error): string {
  if (error instanceof NotProven) return `NOT PROVEN: ${error.message}`;
  const { code, details } = error as ServiceError;
  return typeof code === "number" ? `The vault refused (${status[code]}): ${details}` : error.message;
}

process.exitCode = await main(process.argv.slice(2));
