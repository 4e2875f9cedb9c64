/**
 * A browser's part where the Python client has the other: `make` enrolls, backs up and says how to open it; `open`
 * restores with a recovery key what was backed up by whomever; `memory` reads a memory document, and writes it again.
 *
 * Run by tests/integration/client/test_web_library.py, which gives all on standard input, and reads all from the output.
 */

import { createReadStream, createWriteStream } from "node:fs";
import { Readable, Writable } from "node:stream";

import { createArchive, parseRecoveryKey, readArchive } from "../src/index.ts";
import { decodeMemory, encodeMemory } from "../src/memory.ts";
import { Device, ownerOf, readLiveVault } from "./live-vault.ts";

type Task =
  | { readonly task: "make"; readonly name: string; readonly archive: string; readonly files: Record<string, string> }
  | { readonly task: "open"; readonly name: string; readonly archive: string; readonly recoveryKey: string }
  | { readonly task: "memory"; readonly name: string; readonly memory: string };

const vault = await readLiveVault<Task>();
const device = new Device(vault, vault.name);
switch (vault.task) {
  case "make": {
    const { recoveryKey } = await device.client.enroll({ userName: vault.name });
    const sources = Object.entries(vault.files).map(([name, content]) => {
      const blob = new Blob([content]);
      return { name, size: blob.size, modifiedAt: 1_700_000_000_123, stream: () => blob.stream() };
    });
    const archive = await createArchive(sources, { recipients: await device.client.archiveRecipients() });
    await archive.pipeTo(Writable.toWeb(createWriteStream(vault.archive)));
    const receipts = await device.client.receipts();
    say({ recoveryKey: recoveryKey.rows().join("\n"), memory: device.store.memory, receipts });
    break;
  }
  case "open": {
    const { identities } = await device.client.release({ by: parseRecoveryKey(vault.recoveryKey) });
    const archive = Readable.toWeb(createReadStream(vault.archive)) as ReadableStream<Uint8Array>;
    const found: Record<string, unknown> = {};
    for await (const entry of readArchive(archive, { identities })) {
      const content: Uint8Array[] = [];
      for await (const chunk of entry.content()) {
        content.push(chunk);
      }
      found[entry.path.join("/")] = [
        entry.kind,
        Buffer.concat(content).toString("base64"),
        entry.modifiedAt,
        entry.link,
      ];
    }
    say(found);
    break;
  }
  case "memory":
    say(encodeMemory(decodeMemory(vault.memory, ownerOf(vault, vault.name))));
    break;
}

function say(told: unknown): void {
  process.stdout.write(JSON.stringify(told));
}
