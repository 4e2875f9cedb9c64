/** Entries and contents of a tar stream, front to back, in constant memory. */

import { concat } from "../bytes.ts";
import { ArchiveDamaged, RefusedEntry } from "./errors.ts";
import { BadSparseMap, checkMap, PREFIX, readMap } from "./sparse.ts";
import {
  BLOCK_BYTES,
  decodeBlock,
  decodePax,
  entryOf,
  padding,
  textOf,
  type Entry,
  type RawHeader,
} from "./tar-format.ts";

const MAX_EXTRA_BYTES = 2 ** 20; // of one pax header or long name; a path has 4096 bytes
const GNU_LONG: Readonly<Record<string, string>> = { L: "path", K: "linkpath" };

/** Reads tar from chunks of any size. */
export class TarReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #unread = 0;
  #padding = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /**
   * Each entry; what is unread of its content is passed over. Ends after the end marker and all padding.
   *
   * Throws ArchiveDamaged: not a tar stream, without its end, or with more behind it; RefusedEntry.
   */
  async *entries(): AsyncGenerator<Entry> {
    for (let header = await this.#nextHeader(); header !== undefined; header = await this.#nextHeader()) {
      const extra = new Map<string, string>();
      let own: RawHeader | undefined = header;
      while (own !== undefined && (own.type === "x" || own.type in GNU_LONG)) {
        (await this.#extra(own)).forEach((value, key) => extra.set(key, value));
        own = await this.#nextHeader();
      }
      if (own === undefined) {
        throw new ArchiveDamaged("a tar header belongs to no entry");
      }
      const entry = entryOf(own, extra);
      this.#unread = entry.stored;
      this.#padding = padding(entry.stored).length;
      yield extra.has(`${PREFIX}major`) ? await this.#withExtents(entry) : entry;
    }
    for (let rest = await this.#some(); rest !== undefined; rest = await this.#some()) {
      if (rest.some((byte) => byte !== 0)) {
        throw new ArchiveDamaged("something follows the end of the tar stream");
      }
    }
  }

  /** What is stored of the entry that `entries` gave last. Throws ArchiveDamaged where it ends early. */
  async *content(): AsyncGenerator<Uint8Array> {
    while (this.#unread > 0) {
      const chunk = await this.#some(this.#unread);
      if (chunk === undefined) {
        throw new ArchiveDamaged("the archive ends within a file");
      }
      this.#unread -= chunk.length;
      yield chunk;
    }
  }

  /** Read the map of a file with holes; what is unread is then its data. */
  async #withExtents(entry: Entry): Promise<Entry> {
    try {
      const extents = await readMap(async () => {
        if (this.#unread < BLOCK_BYTES) {
          throw new BadSparseMap("it does not end");
        }
        this.#unread -= BLOCK_BYTES;
        return this.#exactly(BLOCK_BYTES);
      });
      checkMap(extents, { size: entry.size, stored: this.#unread });
      return { ...entry, stored: this.#unread, extents };
    } catch (error) {
      if (error instanceof BadSparseMap) {
        throw new RefusedEntry(entry.name, `it states an impossible map of its holes: ${error.message}`);
      }
      throw error;
    }
  }

  async #nextHeader(): Promise<RawHeader | undefined> {
    for await (const _ of this.content()) {
      // passed over
    }
    await this.#exactly(this.#padding);
    this.#padding = 0;
    const block = await this.#exactly(BLOCK_BYTES);
    if (block.every((byte) => byte === 0)) {
      if ((await this.#exactly(BLOCK_BYTES)).some((byte) => byte !== 0)) {
        throw new ArchiveDamaged("the end of the tar stream is not whole");
      }
      return undefined;
    }
    return decodeBlock(block);
  }

  async #extra(header: RawHeader): Promise<Map<string, string>> {
    if (!(header.size >= 0 && header.size <= MAX_EXTRA_BYTES)) {
      throw new ArchiveDamaged("a tar header of unreasonable size");
    }
    const encoded = await this.#exactly(header.size);
    await this.#exactly(padding(header.size).length);
    const long = GNU_LONG[header.type];
    return long === undefined ? decodePax(encoded) : new Map([[long, textOf(encoded)]]);
  }

  async #exactly(size: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (let left = size; left > 0;) {
      const part = await this.#some(left);
      if (part === undefined) {
        throw new ArchiveDamaged("the archive ends early");
      }
      left -= part.length;
      parts.push(part);
    }
    return concat(...parts);
  }

  /** 1 to `size` bytes, or undefined at the end. */
  async #some(size = Number.POSITIVE_INFINITY): Promise<Uint8Array | undefined> {
    while (this.#chunk.length === 0) {
      const next = await this.#source.next();
      if (next.done === true) {
        return undefined;
      }
      this.#chunk = next.value;
    }
    const piece = this.#chunk.subarray(0, size);
    this.#chunk = this.#chunk.subarray(piece.length);
    return piece;
  }
}
