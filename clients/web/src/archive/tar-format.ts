/**
 * Tar headers as bytes: written as POSIX pax (IEEE Std 1003.1, "pax Interchange Format"), read strictly.
 *
 * Read are ustar, pax and GNU long names: what the clients of this project, GNU tar and bsdtar write for files, folders
 * and links.
 */

import { concat, utf8 } from "../bytes.ts";
import { ArchiveDamaged, RefusedEntry } from "./errors.ts";
import { PREFIX, type Extent } from "./sparse.ts";

export const BLOCK_BYTES = 512;
const NAME_BYTES = 100;
const MAX_OCTAL_SIZE = 0o77777777777;
const MAX_SECONDS = 2 ** 40;
const PERMISSIONS = 0o777;
const FILE_MODE = 0o644;

/** What an entry is. */
export type EntryKind = "file" | "directory" | "symlink" | "hard-link";

const KINDS: ReadonlyMap<string, EntryKind> = new Map([
  ["0", "file"],
  ["\0", "file"],
  ["7", "file"],
  ["5", "directory"],
  ["2", "symlink"],
  ["1", "hard-link"],
]);

/** One entry's header. When read, nothing about its name has been checked. */
export interface Entry {
  readonly name: string;
  readonly kind: EntryKind;
  /** Permission bits only. */
  readonly mode: number;
  /** Unix milliseconds; may be negative. */
  readonly modifiedAt: number;
  /** Bytes of content; 0 unless a file. */
  readonly size: number;
  /** Bytes that the archive has of it: `size`, or less for a file with holes. */
  readonly stored: number;
  /** Where a file with holes has its data; undefined for any other. */
  readonly extents: readonly Extent[] | undefined;
  /** Target of a symbolic link, or name of the entry that a hard link joins; else empty. */
  readonly link: string;
}

/** A header block as it stands, before what a pax header or a long name said goes over it. */
export interface RawHeader {
  readonly type: string;
  readonly name: string;
  readonly link: string;
  readonly size: number;
  readonly mode: number;
  readonly seconds: number;
}

/** The header blocks of a file. Owners are not kept. */
export function encodeFileHeader(file: { name: string; size: number; modifiedAt: number; mode?: number }): Uint8Array {
  const seconds = Math.floor(file.modifiedAt / 1000);
  const records = [
    ...(utf8(file.name).length > NAME_BYTES || !/^[\x20-\x7e]*$/.test(file.name) ? [paxRecord("path", file.name)] : []),
    ...(file.size > MAX_OCTAL_SIZE ? [paxRecord("size", String(file.size))] : []),
    ...(seconds < 0 || file.modifiedAt % 1000 !== 0 ? [paxRecord("mtime", (file.modifiedAt / 1000).toFixed(3))] : []),
  ];
  const own = { name: file.name, size: file.size, mode: file.mode ?? FILE_MODE, seconds: Math.max(0, seconds) };
  const header = encodeBlock({ ...own, type: "0" });
  if (records.length === 0) {
    return header;
  }
  const extra = concat(...records);
  const extraHeader = encodeBlock({ name: "././@PaxHeader", size: extra.length, mode: 0, seconds: 0, type: "x" });
  return concat(extraHeader, extra, padding(extra.length), header);
}

/** The zeros that follow `size` bytes of content. */
export function padding(size: number): Uint8Array {
  return new Uint8Array((BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES);
}

/** Read a header block. Throws ArchiveDamaged where it is none. */
export function decodeBlock(block: Uint8Array): RawHeader {
  const stated = octal(block.subarray(148, 156));
  const sum = block.reduce((total, byte, place) => total + (place >= 148 && place < 156 ? 0x20 : byte), 0);
  if (stated !== sum) {
    throw new ArchiveDamaged("not a tar header");
  }
  const prefix = String.fromCharCode(...block.subarray(257, 263)) === "ustar\0" ? textOf(block.subarray(345, 500)) : "";
  const name = textOf(block.subarray(0, NAME_BYTES));
  return {
    type: String.fromCharCode(block[156] ?? 0),
    name: prefix === "" ? name : `${prefix}/${name}`,
    link: textOf(block.subarray(157, 257)),
    size: octal(block.subarray(124, 136)),
    mode: octal(block.subarray(100, 108)),
    seconds: octal(block.subarray(136, 148)),
  };
}

/**
 * The entry of a header and of what went before it. Throws RefusedEntry for what is not taken.
 *
 * Of a file with holes `stored` still counts the map before the data, and `extents` are none.
 */
export function entryOf(header: RawHeader, extra: ReadonlyMap<string, string>): Entry {
  const name = extra.get(`${PREFIX}name`) ?? extra.get("path") ?? header.name;
  const kind = KINDS.get(header.type);
  if (kind === undefined) {
    throw new RefusedEntry(name, "it is neither a file, a folder nor a link");
  }
  const isSparse = Array.from(extra.keys()).some((key) => key.startsWith(PREFIX));
  const isKnown = extra.get(`${PREFIX}major`) === "1" && extra.get(`${PREFIX}minor`) === "0" && kind === "file";
  if (isSparse && !(isKnown && extra.has(`${PREFIX}name`) && extra.has(`${PREFIX}realsize`))) {
    throw new RefusedEntry(name, "it is stored as a sparse file of a format that this reader does not know");
  }
  const stored = sizeOf(extra.get("size"), header.size);
  const size = isSparse ? sizeOf(extra.get(`${PREFIX}realsize`), 0) : stored;
  if ([size, stored].some((one) => !Number.isSafeInteger(one) || one < 0 || (kind !== "file" && one !== 0))) {
    throw new RefusedEntry(name, "it states an impossible size");
  }
  const modifiedAt = timeOf(extra.get("mtime"), header.seconds);
  if (!(Math.abs(modifiedAt) <= MAX_SECONDS * 1000)) {
    throw new RefusedEntry(name, "it states an impossible time");
  }
  const link = kind === "symlink" || kind === "hard-link" ? (extra.get("linkpath") ?? header.link) : "";
  return { name, kind, mode: header.mode & PERMISSIONS, modifiedAt, size, stored, extents: undefined, link };
}

function sizeOf(stated: string | undefined, otherwise: number): number {
  return stated === undefined ? otherwise : /^\d{1,16}$/.test(stated) ? Number(stated) : -1;
}

/** Unix milliseconds of decimal seconds; NaN where they are none. */
function timeOf(stated: string | undefined, otherwise: number): number {
  if (stated === undefined) {
    return otherwise * 1000;
  }
  const [, sign, seconds, fraction = ""] = /^(-?)(\d{1,13})(?:\.(\d{0,32}))?$/.exec(stated) ?? [];
  const millis = Number(seconds) * 1000 + Number(fraction.padEnd(3, "0").slice(0, 3));
  return sign === "-" ? -millis : millis;
}

/** Key and value of each pax record: length, space, key=value, newline; the length counts all of it. */
export function decodePax(encoded: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  let position = 0;
  while (position < encoded.length) {
    const space = encoded.indexOf(0x20, position);
    const length = /^\d{1,7}$/.exec(space < 0 ? "" : asciiOf(encoded.subarray(position, space)));
    const end = position + (length === null ? 0 : Number(length[0]));
    const record = encoded.subarray(space + 1, Math.max(space + 1, end - 1));
    const equals = record.indexOf(0x3d);
    if (length === null || end > encoded.length || encoded[end - 1] !== 0x0a || equals < 0) {
      throw new ArchiveDamaged("not a pax header");
    }
    records.set(textOf(record.subarray(0, equals)), decodeText(record.subarray(equals + 1)));
    position = end;
  }
  return records;
}

/** Text up to the first zero byte. */
export function textOf(field: Uint8Array): string {
  const end = field.indexOf(0);
  return decodeText(end < 0 ? field : field.subarray(0, end));
}

/** Names that are not UTF-8 could not be given to any page, and not be told apart from others if they were bent. */
function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new RefusedEntry(asciiOf(bytes), "its name is not UTF-8");
  }
}

function asciiOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : "?")).join("");
}

/** A number in octal, or, with the first bit set, in base 256 as GNU tar writes large ones. */
function octal(field: Uint8Array): number {
  if (((field[0] ?? 0) & 0x80) !== 0) {
    const number = field.reduce((total, byte, place) => total * 256 + (place === 0 ? byte & 0x7f : byte), 0);
    return (field[0] ?? 0) & 0x40 ? Number.NaN : number;
  }
  const digits = asciiOf(field).replaceAll("\0", " ").trim();
  if (!/^[0-7]*$/.test(digits)) {
    throw new ArchiveDamaged("not a tar header");
  }
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

function encodeBlock(header: { name: string; size: number; mode: number; seconds: number; type: string }): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  const put = (text: string, at: number): void => block.set(utf8(text), at);
  const digits = (value: number, width: number): string => value.toString(8).padStart(width - 1, "0");
  // Where the name does not fit, a pax record has it; readers before 2001 see the beginning of it.
  block.set(utf8(header.name.replace(/[^\x20-\x7e]/g, "?")).subarray(0, NAME_BYTES), 0);
  put(digits(header.mode & PERMISSIONS, 8), 100);
  put(digits(0, 8), 108);
  put(digits(0, 8), 116);
  put(digits(header.size > MAX_OCTAL_SIZE ? 0 : header.size, 12), 124);
  put(digits(header.seconds, 12), 136);
  put("        ", 148);
  put(header.type, 156);
  put("ustar\u000000", 257);
  put(
    `${digits(
      block.reduce((total, byte) => total + byte, 0),
      7,
    )}\0 `,
    148,
  );
  return block;
}

function paxRecord(key: string, value: string): Uint8Array {
  const content = utf8(` ${key}=${value}\n`);
  let length = content.length;
  while (String(length).length + content.length !== length) {
    length = String(length).length + content.length;
  }
  return concat(utf8(String(length)), content);
}
