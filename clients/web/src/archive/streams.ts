/**
 * The streams around the tar: zstd, then age; constant memory both ways.
 *
 * Compressed is in frames of at most 1 MiB of content each, one after another: a zstd stream like any other (RFC 8878,
 * section 3), and each frame a call of its own to the WebAssembly, so that archives made at once do not share its
 * state.
 */

import { Zstd } from "@hpcc-js/wasm-zstd";
import { Decrypter, Encrypter } from "age-encryption";
import { Decompress } from "fzstd";

import type { ArchiveIdentity } from "../age-keys.ts";
import { concat } from "../bytes.ts";
import { NO_MATCH } from "../envelope.ts";
import { ArchiveDamaged, ArchiveLocked } from "./errors.ts";

const FRAME_BYTES = 2 ** 20;
// zstd's fastest ordinary level: most of a backup is media that no level makes smaller.
const COMPRESSION_LEVEL = 1;
// A block of a few bytes may stand for 128 KiB: what is fed at once bounds what comes out at once.
const FED_BYTES = 1024;

/** The chunks as a stream that pulls: whoever reads it sets the pace. */
export function streamOf(chunks: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const next = await iterator.next();
      if (next.done === true) {
        controller.close();
      } else {
        controller.enqueue(next.value);
      }
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}

/** The stream's chunks; leaving the loop cancels the stream. (Safari cannot iterate streams.) */
export async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      yield read.value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Compress `chunks` and encrypt them to `recipients` (`age1...`, at least one). */
export async function sealStream(
  chunks: AsyncIterable<Uint8Array>,
  recipients: readonly string[],
): Promise<ReadableStream<Uint8Array>> {
  if (recipients.length === 0) {
    throw new RangeError("an age file needs at least one recipient");
  }
  const encrypter = new Encrypter();
  recipients.forEach((recipient) => encrypter.addRecipient(recipient));
  return encrypter.encrypt(streamOf(compressed(chunks)));
}

/**
 * Decrypt and decompress. The last word of an age file comes after its bytes: what was yielded counts only once the end
 * is reached.
 *
 * Throws ArchiveLocked where none of the identities opens it; ArchiveDamaged: cut short, altered, or not an archive.
 */
export async function* openedStream(
  sealed: ReadableStream<Uint8Array>,
  identities: readonly ArchiveIdentity[],
): AsyncGenerator<Uint8Array> {
  const source = guarded(sealed);
  const decrypter = new Decrypter();
  identities.forEach((identity) => decrypter.addIdentity(identity.text()));
  try {
    yield* decompressed(chunksOf(await decrypter.decrypt(streamOf(source.chunks()))));
  } catch (error) {
    if (source.failure !== undefined) {
      throw source.failure; // the file could not be read: nothing is known of it
    }
    if (error instanceof Error && error.message === NO_MATCH) {
      throw new ArchiveLocked("none of the identities opens this archive");
    }
    throw error instanceof ArchiveDamaged
      ? error
      : new ArchiveDamaged("the archive was cut short or altered, or is none");
  }
}

function guarded(stream: ReadableStream<Uint8Array>): { chunks(): AsyncGenerator<Uint8Array>; failure: unknown } {
  const source = {
    failure: undefined as unknown,
    async *chunks(): AsyncGenerator<Uint8Array> {
      try {
        yield* chunksOf(stream);
      } catch (error) {
        source.failure = error;
        throw error;
      }
    },
  };
  return source;
}

async function* compressed(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const zstd = await Zstd.load();
  let waiting: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length;) {
      const piece = chunk.slice(start, start + FRAME_BYTES - size);
      start += piece.length;
      size += piece.length;
      waiting.push(piece);
      if (size === FRAME_BYTES) {
        yield zstd.compress(concat(...waiting), COMPRESSION_LEVEL);
        waiting = [];
        size = 0;
      }
    }
  }
  yield zstd.compress(concat(...waiting), COMPRESSION_LEVEL);
}

async function* decompressed(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const ready: Uint8Array[] = [];
  const decompressor = new Decompress((chunk) => ready.push(chunk));
  const feed = (piece: Uint8Array, isLast: boolean): void => {
    try {
      decompressor.push(piece, isLast);
    } catch {
      throw new ArchiveDamaged("the content of the age file is not a zstd stream");
    }
  };
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length; start += FED_BYTES) {
      feed(chunk.slice(start, start + FED_BYTES), false);
      yield* ready.splice(0);
    }
  }
  feed(new Uint8Array(0), true);
  yield* ready.splice(0);
}
