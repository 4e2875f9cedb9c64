/**
 * Where a file grows until it is whole: the browser's own private file system, so that size is bounded by the disk and
 * not by memory. Only a whole file is offered to the user; what was cut short is removed.
 */

const FOLDER = "strongroom-staging";

/** A file that is whole. */
export interface Staged {
  readonly file: Blob;
  /** Remove it; what the user saved stays. */
  readonly discard: () => Promise<void>;
}

/** Write a stream to a new file. Rejects with what the stream rejected with, and leaves nothing then. */
export async function stage(stream: ReadableStream<Uint8Array>, signal?: AbortSignal): Promise<Staged> {
  const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
  const name = crypto.randomUUID();
  const handle = await folder.getFileHandle(name, { create: true });
  const discard = (): Promise<void> => folder.removeEntry(name);
  try {
    const whole = stream as ReadableStream<Uint8Array<ArrayBuffer>>; // what the DOM types ask for
    await whole.pipeTo(await handle.createWritable(), signal === undefined ? {} : { signal });
    return { file: await handle.getFile(), discard };
  } catch (error) {
    await discard();
    throw error;
  }
}

/** Remove what an earlier visit left: a page that is closed has no time to clean up. */
export async function removeLeftovers(): Promise<void> {
  const root = await navigator.storage.getDirectory();
  await root.removeEntry(FOLDER, { recursive: true }).catch(() => undefined);
}
