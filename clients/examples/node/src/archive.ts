/** Archives: tar | zstd | age, as the Python client writes and reads them. */
import { spawn } from "node:child_process";
import { createReadStream, createWriteStream, mkdirSync, readdirSync } from "node:fs";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createZstdCompress, createZstdDecompress } from "node:zlib";
import { Decrypter, Encrypter } from "age-encryption";

/** Back up what is in `folder` to the new file `archive`. */
export async function backUp(folder: string, archive: string, recipients: string[]): Promise<void> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  const tar = spawn("tar", ["--create", "--format=pax", "--directory", folder, "--", ...readdirSync(folder)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = exitOf(tar);
  const encrypted = await encrypter.encrypt(Readable.toWeb(tar.stdout.pipe(createZstdCompress())) as ReadableStream<Uint8Array>);
  await pipeline(Readable.fromWeb(encrypted as never), createWriteStream(archive, { flags: "wx", mode: 0o600 }));
  await ended;
}

/** Restore `archive` to the new folder `folder`. It counts only if this returns: an archive cut short is found at its end. */
export async function restore(archive: string, folder: string, identities: string[]): Promise<void> {
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity);
  const plain = await decrypter.decrypt(Readable.toWeb(createReadStream(archive)) as ReadableStream<Uint8Array>);
  mkdirSync(folder);
  const tar = spawn("tar", ["--extract", "--directory", folder], { stdio: ["pipe", "inherit", "inherit"] });
  const ended = exitOf(tar);
  await pipeline(Readable.fromWeb(plain as never), createZstdDecompress(), tar.stdin as Writable);
  await ended;
}

function exitOf(program: ReturnType<typeof spawn>): Promise<void> {
  return new Promise((resolve, reject) => {
    program.on("error", reject);
    program.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`tar ended with ${code}`))));
  });
}
