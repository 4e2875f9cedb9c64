/** Archives that came to harm, or mean harm: nothing of them is taken for whole. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";

import { Decrypter, Encrypter } from "age-encryption";

import { ArchiveIdentity } from "../src/age-keys.ts";
import { createArchive, readArchive, sourceFile, type SourceFile } from "../src/archive/archive.ts";
import { ArchiveDamaged, ArchiveLocked, RefusedEntry, SourceChanged, SourceUnfit } from "../src/archive/errors.ts";
import { encodeFileHeader, padding } from "../src/archive/tar-format.ts";
import { concat, utf8 } from "../src/bytes.ts";
import { isError } from "./support.ts";

const identity = new ArchiveIdentity(crypto.getRandomValues(new Uint8Array(32)));
const recovery = new ArchiveIdentity(crypto.getRandomValues(new Uint8Array(32)));
const recipients = [identity.recipient(), recovery.recipient()];
const END = new Uint8Array(1024);

function source(name: string, content: Uint8Array | string, modifiedAt = 1_700_000_000_000): SourceFile {
  const bytes = typeof content === "string" ? utf8(content) : content;
  return { name, size: bytes.length, modifiedAt, stream: () => new Blob([new Uint8Array(bytes)]).stream() };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer());
}

async function made(...files: SourceFile[]): Promise<Uint8Array> {
  return bytesOf(await createArchive(files, { recipients }));
}

/** An age file of any content, as whoever knows a recipient can make one. */
async function sealed(content: Uint8Array): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipients[0] as string);
  return encrypter.encrypt(content);
}

function tar(...blocks: Uint8Array[]): Promise<Uint8Array> {
  return sealed(zstdCompressSync(concat(...blocks, END)));
}

async function read(archive: Uint8Array, identities = [identity]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const entry of readArchive(new Blob([new Uint8Array(archive)]).stream(), { identities })) {
    const parts: Uint8Array[] = [];
    for await (const chunk of entry.content()) {
      parts.push(chunk);
    }
    found.set(entry.path.join("/"), `${entry.kind} ${hex(concat(...parts))}${entry.link}`);
  }
  return found;
}

test("what goes into an archive comes out, by the archive key and by the recovery key", async () => {
  const large = crypto.getRandomValues(new Uint8Array(65_536));
  const content = concat(...Array.from({ length: 17 }, () => large), Uint8Array.of(1));
  const long = `${"d/".repeat(60)}${"ü".repeat(80)}.txt`;
  const file = new File(["page"], "from a page.txt", { lastModified: 1_600_000_000_123 });
  const archive = await made(source("a/large", content), source("empty", ""), source(long, "x", -1), sourceFile(file));
  for (const identities of [[identity], [recovery], [new ArchiveIdentity(new Uint8Array(32)), identity]]) {
    const found = await read(archive, identities);
    assert.deepEqual([...found.keys()], ["a/large", "empty", long, "from a page.txt"]);
    assert.equal(found.get("a/large"), `file ${hex(content)}`);
    assert.equal(found.get("from a page.txt"), `file ${hex(utf8("page"))}`);
  }
});

test("times and progress are kept", async () => {
  const told: number[] = [];
  const files = [
    source("whole", "12", 1_600_000_000_000),
    source("parts", "345", 1_600_000_000_123),
    source("old", "", -1500),
  ];
  const archive = await bytesOf(await createArchive(files, { recipients, onProgress: (bytes) => told.push(bytes) }));
  assert.equal(told.at(-1), 5);
  const opened: number[] = [];
  const stream = new Blob([new Uint8Array(archive)]).stream();
  const times: number[] = [];
  for await (const entry of readArchive(stream, {
    identities: [identity],
    onProgress: (bytes) => opened.push(bytes),
  })) {
    times.push(entry.modifiedAt);
  }
  assert.deepEqual(times, [1_600_000_000_000, 1_600_000_000_123, -1500]);
  assert.equal(opened.at(-1), archive.length);
});

test("an archive is locked for everybody else, and damaged wherever a byte of it is changed or cut off", async () => {
  const archive = await made(source("a", crypto.getRandomValues(new Uint8Array(65_000))), source("b", "x"));
  const stranger = new ArchiveIdentity(crypto.getRandomValues(new Uint8Array(32)));
  await assert.rejects(read(archive, [stranger]), isError(ArchiveLocked, /none of the identities/));
  for (const place of [5, archive.length >> 1, archive.length - 1]) {
    const changed = archive.with(place, (archive[place] ?? 0) ^ 1);
    await assert.rejects(read(changed), isError(ArchiveDamaged, /./), `byte ${place}`);
  }
  for (const size of [0, 10, 200, archive.length >> 1, archive.length - 20, archive.length - 1]) {
    await assert.rejects(read(archive.slice(0, size)), isError(ArchiveDamaged, /./), `cut to ${size}`);
  }
});

test("a whole age file with something else than a whole zstd stream of a whole tar is damaged", async () => {
  const header = encodeFileHeader({ name: "a", size: 3, modifiedAt: 0 });
  const whole = concat(header, utf8("abc"), padding(3), END);
  assert.deepEqual([...(await read(await sealed(zstdCompressSync(whole)))).keys()], ["a"]);
  const compressed = zstdCompressSync(whole);
  for (const content of [
    utf8("not zstd at all, but long enough for a header"),
    compressed.subarray(0, compressed.length - 2),
    new Uint8Array(0),
    zstdCompressSync(whole.subarray(0, 700)),
    zstdCompressSync(whole.subarray(0, 1024)),
    zstdCompressSync(concat(whole.subarray(0, 1024), new Uint8Array(512), header)),
    zstdCompressSync(concat(whole, utf8("more"))),
    zstdCompressSync(concat(header.with(0, 0x62), utf8("abc"), padding(3), END)),
  ]) {
    await assert.rejects(read(await sealed(new Uint8Array(content))), isError(ArchiveDamaged, /./));
  }
});

test("the last word of age is waited for, though the tar has ended before", async () => {
  const tarred = zstdCompressSync(concat(encodeFileHeader({ name: "a", size: 0, modifiedAt: 0 }), END));
  const skipped = new Uint8Array(100_000); // a frame to be skipped (RFC 8878, section 3.1.2)
  new DataView(skipped.buffer).setUint32(0, 0x184d2a50, true);
  new DataView(skipped.buffer).setUint32(4, skipped.length - 8, true);
  const archive = await sealed(concat(new Uint8Array(tarred), skipped));
  assert.deepEqual(await read(archive), new Map([["a", "file "]]));
  const last = archive.length - 1;
  await assert.rejects(read(archive.with(last, (archive[last] ?? 0) ^ 1)), isError(ArchiveDamaged, /./));
  await assert.rejects(read(archive.subarray(0, last)), isError(ArchiveDamaged, /./));
});

test("an entry that leads out, comes twice, or is no file, folder or link is refused", async () => {
  const file = (name: string): Uint8Array => encodeFileHeader({ name, size: 0, modifiedAt: 0 });
  for (const name of ["../a", "a/../../b", "/etc/passwd", "a/..", ".", `${"x/".repeat(60)}../../b`]) {
    await assert.rejects(read(await tar(file(name))), isError(RefusedEntry, /path|root/), name);
  }
  await assert.rejects(read(await tar(file("a"), file("a"))), isError(RefusedEntry, /taken/));
  await assert.rejects(read(await tar(file("a"), file("./a"))), isError(RefusedEntry, /taken/));
  await assert.rejects(read(await tar(file("a"), file("a/b"))), isError(RefusedEntry, /not a folder/));
  await assert.rejects(read(await tar(typed("3", "device"))), isError(RefusedEntry, /neither a file/));
  await assert.rejects(read(await tar(typed("1", "joined", "elsewhere"))), isError(RefusedEntry, /no file of this/));
  await assert.rejects(
    read(await tar(typed("2", "link", "../.."), file("link/b"))),
    isError(RefusedEntry, /not a folder/),
  );
  assert.deepEqual(await read(await tar(typed("2", "link", "../.."))), new Map([["link", "symlink ../.."]]));
});

/** A header of another type. */
function typed(type: string, name: string, link = "", size = 0): Uint8Array {
  const block = encodeFileHeader({ name, size, modifiedAt: 0 });
  block.set(utf8(type), 156);
  block.set(utf8(link), 157);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.set(utf8(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return block;
}

/** A file with holes: what its map says, and its data. */
function sparse(map: string, data: string, realsize: number): Uint8Array {
  const padded = concat(utf8(map), padding(map.length));
  const records = { major: "1", minor: "0", name: "holes", realsize: String(realsize) };
  const lines = Object.entries(records).map(([key, value]) => {
    const line = ` GNU.sparse.${key}=${value}\n`;
    return `${line.length + 2}${line}`;
  });
  const extra = utf8(lines.join(""));
  const size = padded.length + data.length;
  return concat(
    typed("x", "pax", "", extra.length),
    extra,
    padding(extra.length),
    encodeFileHeader({ name: "GNUSparseFile.0/x", size, modifiedAt: 0 }),
    padded,
    utf8(data),
    padding(size),
  );
}

test("a file with holes comes out whole, unless its map is not what an honest one is", async () => {
  const found = await read(await tar(sparse("3\n2\n3\n7\n1\n9\n0\n", "abcd", 9), typed("0", "after")));
  assert.deepEqual(
    found,
    new Map([
      ["holes", `file ${hex(utf8("\0\0abc\0\0d\0"))}`],
      ["after", "file "],
    ]),
  );
  for (const map of [
    "2\n2\n3\n4\n1\n",
    "1\n0\n9\n",
    "1\n6\n4\n",
    "1\n-1\n4\n",
    "99999\n",
    "x\n",
    "1\n0\n",
    "1".repeat(600),
  ]) {
    await assert.rejects(read(await tar(sparse(map, "abcd", 9))), isError(RefusedEntry, /map of its holes/), map);
  }
  const other = concat(utf8("22 GNU.sparse.major=2\n"));
  const versioned = await tar(typed("x", "pax", "", other.length), other, padding(other.length), typed("0", "a"));
  await assert.rejects(read(versioned), isError(RefusedEntry, /of a format/));
});

test("no archive is made of names that none may have, nor of a file that changes", async () => {
  for (const name of ["", "..", "a/../b", "/a", "."]) {
    await assert.rejects(made(source(name, "x")), isError(SourceUnfit, /no name/), name);
  }
  await assert.rejects(made(source("a", "x"), source("./a", "y")), isError(SourceUnfit, /comes twice/));
  await assert.rejects(made({ ...source("a", "xy"), size: 1 }), isError(SourceChanged, /changed its size/));
  await assert.rejects(made({ ...source("a", "xy"), size: 3 }), isError(SourceChanged, /changed its size/));
});

test("archives that are made at once do not mix", async () => {
  const contents = [1, 2, 3].map((seed) => new Uint8Array(2 ** 20 + 5).fill(seed));
  const archives = await Promise.all(contents.map((content) => made(source("a", content))));
  for (const [place, archive] of archives.entries()) {
    assert.deepEqual(await read(archive), new Map([["a", `file ${hex(contents[place] as Uint8Array)}`]]));
  }
});

test("what age's library says of a locked file is what this one looks for", async () => {
  const decrypter = new Decrypter();
  decrypter.addIdentity(new ArchiveIdentity(new Uint8Array(32).fill(1)).text());
  await assert.rejects(
    decrypter.decrypt(await sealed(utf8("x"))),
    /^Error: no identity matched any of the file's recipients$/,
  );
});
