/**
 * Archives: files as tar, compressed with zstd, encrypted with age, in one file that any age tool opens:
 *
 *     age -d -i key.txt backup.tar.zst.age | zstd -d | tar x
 */

import type { ArchiveIdentity } from "../age-keys.ts";
import type { Millis } from "../timestamps.ts";
import { RefusedEntry, SourceChanged, SourceUnfit } from "./errors.ts";
import { filled } from "./sparse.ts";
import { chunksOf, openedStream, sealStream } from "./streams.ts";
import { BLOCK_BYTES, encodeFileHeader, padding, type Entry, type EntryKind } from "./tar-format.ts";
import { TarReader } from "./tar-reader.ts";

/** A file to be archived. */
export interface SourceFile {
  /** Path in the archive, parts separated by `/`. */
  readonly name: string;
  readonly size: number;
  readonly modifiedAt: Millis;
  readonly mode?: number;
  /** Exactly `size` bytes; called once. */
  stream(): ReadableStream<Uint8Array>;
}

/** Told how many bytes have been taken in, from the start. */
export type Progress = (bytes: number) => void;

/** What came out of an archive; its content, if it is a file, can be read until the next entry is asked for. */
export interface ArchiveEntry {
  /** As it stands in the archive, and its parts: checked, so that no path made of them leads out of a folder. */
  readonly name: string;
  readonly path: readonly string[];
  readonly kind: EntryKind;
  readonly size: number;
  /** Bytes that the archive has of it: less than `size` for a file with holes, which may be of any size. */
  readonly stored: number;
  readonly modifiedAt: Millis;
  readonly mode: number;
  /**
   * Target of a symbolic link, which may point anywhere; path of the file before that a hard link joins; else
   * empty.
   */
  readonly link: string;
  /** All of a file, holes as zeros. */
  content(): AsyncIterable<Uint8Array>;
}

/** A file from an input element, or from a folder that was chosen, as it goes into an archive. */
export function sourceFile(file: File, name: string = file.webkitRelativePath || file.name): SourceFile {
  return { name, size: file.size, modifiedAt: file.lastModified, stream: () => file.stream() };
}

/**
 * The archive of `files`, encrypted to `recipients` (`age1...`): the archive key's and the recovery key's.
 *
 * The stream ends in SourceUnfit for a name that no archive may have or that comes twice, in SourceChanged for a file
 * whose size is not what it said: what was written until then is no archive.
 */
export function createArchive(
  files: Iterable<SourceFile> | AsyncIterable<SourceFile>,
  { recipients, onProgress = silent }: { readonly recipients: readonly string[]; readonly onProgress?: Progress },
): Promise<ReadableStream<Uint8Array>> {
  return sealStream(tarOf(files, onProgress), recipients);
}

/**
 * The entries of an archive, front to back, in constant memory, with whichever of `identities` opens it.
 *
 * Nothing that came out counts before the loop has ended: only the end shows that the archive is whole. Throws
 * ArchiveLocked, ArchiveDamaged or RefusedEntry; then nothing of it is to be kept.
 */
export async function* readArchive(
  archive: ReadableStream<Uint8Array>,
  {
    identities,
    onProgress = silent,
  }: { readonly identities: readonly ArchiveIdentity[]; readonly onProgress?: Progress },
): AsyncGenerator<ArchiveEntry> {
  const reader = new TarReader(openedStream(counted(archive, onProgress), identities));
  const taken = new Map<string, EntryKind>();
  for await (const entry of reader.entries()) {
    const path = checkedPath(entry, taken);
    const link = entry.kind === "hard-link" ? checkedJoin(entry, taken) : entry.link;
    const { extents, ...shown } = entry;
    const content = (): AsyncIterable<Uint8Array> =>
      extents === undefined ? reader.content() : filled(reader.content(), extents, entry.size);
    yield { ...shown, path, link, content };
  }
}

/** The parts of a path below the root; `[]` is the root itself. Throws RefusedEntry where it leads elsewhere. */
export function splitName(name: string): string[] {
  if (name === "" || name.startsWith("/") || name.includes("\0")) {
    throw new RefusedEntry(name, "its path is empty, absolute or holds a zero byte");
  }
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) {
    throw new RefusedEntry(name, "its path goes up");
  }
  return parts;
}

function checkedPath(entry: Entry, taken: Map<string, EntryKind>): string[] {
  const path = splitName(entry.name);
  if (path.length === 0 && entry.kind !== "directory") {
    throw new RefusedEntry(entry.name, "only a folder can stand for the root");
  }
  if (taken.has(path.join("/"))) {
    throw new RefusedEntry(entry.name, "its name is taken by an earlier entry");
  }
  for (let depth = 1; depth < path.length; depth += 1) {
    const outer = taken.get(path.slice(0, depth).join("/"));
    if (outer !== undefined && outer !== "directory") {
      throw new RefusedEntry(entry.name, "its path leads through something that is not a folder");
    }
  }
  taken.set(path.join("/"), entry.kind);
  return path;
}

function checkedJoin(entry: Entry, taken: ReadonlyMap<string, EntryKind>): string {
  const joined = splitName(entry.link).join("/");
  const kind = taken.get(joined);
  if (joined === entry.name || (kind !== "file" && kind !== "hard-link")) {
    throw new RefusedEntry(entry.name, "it is a hard link to no file of this archive");
  }
  return joined;
}

async function* tarOf(
  files: Iterable<SourceFile> | AsyncIterable<SourceFile>,
  onProgress: Progress,
): AsyncGenerator<Uint8Array> {
  const names = new Set<string>();
  let done = 0;
  for await (const file of files) {
    const name = checkedName(file.name, names);
    yield encodeFileHeader({ ...file, name });
    let read = 0;
    for await (const chunk of chunksOf(file.stream())) {
      read += chunk.length;
      if (read > file.size) {
        break;
      }
      onProgress((done += chunk.length));
      yield chunk;
    }
    if (read !== file.size) {
      throw new SourceChanged(`${JSON.stringify(name)} changed its size while it was read; run again`);
    }
    yield padding(file.size);
  }
  yield new Uint8Array(2 * BLOCK_BYTES);
}

function checkedName(name: string, names: Set<string>): string {
  let path: string;
  try {
    path = splitName(name).join("/");
  } catch (error) {
    throw new SourceUnfit(`${JSON.stringify(name)} is no name for a file in an archive`, { cause: error });
  }
  if (path === "" || names.has(path)) {
    throw new SourceUnfit(`${JSON.stringify(name)} comes twice, or is no name at all`);
  }
  names.add(path);
  return path;
}

function counted(stream: ReadableStream<Uint8Array>, onProgress: Progress): ReadableStream<Uint8Array> {
  let done = 0;
  return stream.pipeThrough(
    new TransformStream({
      transform(chunk: Uint8Array, controller) {
        onProgress((done += chunk.length));
        controller.enqueue(chunk);
      },
    }),
  );
}

function silent(): void {}
