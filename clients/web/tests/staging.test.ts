/** Files that grow until they are whole, in a private file system whose locks outlive their writers for a moment, as Chromium's do. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { stage } from "../page/files/staging.ts";

/** A private file system of one folder. `lockedFor`: how often a removal is refused before the writer's lock is gone. */
class FileSystem {
  readonly names = new Set<string>();
  lockedFor: number;
  readonly refusal: string;

  constructor(lockedFor: number, refusal = "NoModificationAllowedError") {
    this.lockedFor = lockedFor;
    this.refusal = refusal;
  }

  getDirectory = async (): Promise<FileSystem> => this;
  getDirectoryHandle = async (): Promise<FileSystem> => this;

  async getFileHandle(name: string): Promise<object> {
    this.names.add(name);
    return { createWritable: async () => new WritableStream(), getFile: async () => new Blob() };
  }

  async removeEntry(name: string): Promise<void> {
    if (this.lockedFor-- > 0) {
      throw new DOMException("locked", this.refusal);
    }
    this.names.delete(name);
  }

  install(): this {
    const globals = globalThis as Record<string, unknown>;
    globals["FileSystemFileHandle"] = class {
      createWritable(): void {
        // only looked for
      }
    };
    Object.defineProperty(globalThis, "navigator", { value: { storage: this }, configurable: true });
    return this;
  }
}

function broken(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.error(new RangeError("the archive is damaged")) });
}

const unaborted = new AbortController().signal;

test("what was cut short is removed once its lock is gone, and its own error is the one that is told", async () => {
  const files = new FileSystem(3).install();
  await assert.rejects(stage(broken(), unaborted), RangeError);
  assert.equal(files.names.size, 0);
});

test("a removal that fails for good hides no error", async () => {
  const files = new FileSystem(1, "UnknownError").install();
  await assert.rejects(stage(broken(), unaborted), RangeError);
  assert.equal(files.names.size, 1); // the next visit removes it
});

test("a whole file is kept until it is discarded", async () => {
  const files = new FileSystem(0).install();
  const staged = await stage(new Blob(["whole"]).stream(), unaborted);
  assert.equal(files.names.size, 1);
  files.lockedFor = 2;
  await staged.discard();
  assert.equal(files.names.size, 0);
});
