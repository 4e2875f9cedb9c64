/**
 * Where a file grows until it is whole: the browser's own private file system, so that size is bounded by the disk and
 * not by memory. Only a whole file is offered to the user; what was cut short is removed.
 *
 * Browsers without one that pages can write to (Safari before 26, some private windows) keep it in memory.
 */

const FOLDER = "strongroom-staging";
const REMOVAL_TRIES = 50;
const REMOVAL_PAUSE_MS = 40;

/** A file that is whole. */
export interface Staged {
  readonly file: Blob;
  /** Remove it; what the user saved stays. Never rejects. */
  readonly discard: () => Promise<void>;
}

/** Write a stream to a new file. Rejects with what the stream rejected with, and leaves nothing then. */
export async function stage(stream: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<Staged> {
  const whole = stream as ReadableStream<Uint8Array<ArrayBuffer>>; // what the DOM types ask for
  const folder = await stagingFolder();
  if (folder === undefined) {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    await whole.pipeTo(new WritableStream({ write: (part) => void parts.push(part) }), { signal });
    return { file: new Blob(parts), discard: () => Promise.resolve() };
  }
  const name = crypto.randomUUID();
  const handle = await folder.getFileHandle(name, { create: true });
  const discard = (): Promise<void> => remove(folder, name);
  try {
    await whole.pipeTo(await handle.createWritable(), { signal });
    return { file: await handle.getFile(), discard };
  } catch (error) {
    await discard();
    throw error;
  }
}

/** Remove what an earlier visit left: a page that is closed has no time to clean up. */
export async function removeLeftovers(): Promise<void> {
  const root = await navigator.storage.getDirectory().catch(() => undefined);
  await root?.removeEntry(FOLDER, { recursive: true }).catch(() => undefined);
}

/** Remove a file. Never rejects, so that it hides no other error: what stays is removed at the next visit. */
async function remove(folder: FileSystemDirectoryHandle, name: string): Promise<void> {
  for (let tries = 0; tries < REMOVAL_TRIES; tries++) {
    try {
      return await folder.removeEntry(name);
    } catch (error) {
      // Browsers let go of a writer's lock some time after its stream has ended, and tell nobody when.
      const isLocked = error instanceof DOMException && error.name === "NoModificationAllowedError";
      if (!isLocked) {
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, REMOVAL_PAUSE_MS));
    }
  }
}

async function stagingFolder(): Promise<FileSystemDirectoryHandle | undefined> {
  if (!("createWritable" in FileSystemFileHandle.prototype)) {
    return undefined;
  }
  const root = await navigator.storage.getDirectory().catch(() => undefined);
  return root?.getDirectoryHandle(FOLDER, { create: true });
}
