/** Archives: tar | zstd | age, as the Python client writes and reads them. */
import { spawn } from "node:child_process";
import { createReadStream, createWriteStream, mkdirSync, renameSync, rmSync } from "node:fs";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createZstdCompress, createZstdDecompress } from "node:zlib";
import { Decrypter, Encrypter } from "age-encryption";

/** Back up what is in `folder` to the file `archive`, which appears when it is whole. */
export async function backUp(folder: string, archive: string, recipients: string[]): Promise<void> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  const compressed = createZstdCompress();
  const encrypted = await encrypter.encrypt(Readable.toWeb(compressed) as ReadableStream<Uint8Array>);
  const partial = `${archive}.partial`;
  const tar = spawn("tar", ["--create", "--format=pax", "--directory", folder, "."], { stdio: ["ignore", "pipe", "inherit"] });
  await Promise.all([
    exitOf(tar),
    pipeline(tar.stdout, compressed),
    pipeline(Readable.fromWeb(encrypted as never), createWriteStream(partial, { mode: 0o600, flush: true })),
  ]);
  renameSync(partial, archive);
}

/** Restore `archive` to the new folder `folder`, which is there in the end only if the archive was whole. */
export async function restore(archive: string, folder: string, identities: string[]): Promise<void> {
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity);
  const plain = await decrypter.decrypt(Readable.toWeb(createReadStream(archive)) as ReadableStream<Uint8Array>);
  mkdirSync(folder, { mode: 0o700 });
  const tar = spawn("tar", ["--extract", "--no-same-owner", "--directory", folder], { stdio: ["pipe", "inherit", "inherit"] });
  const unpacked = pipeline(Readable.fromWeb(plain as never), createZstdDecompress(), tar.stdin as Writable);
  const [failure] = (await Promise.allSettled([unpacked, exitOf(tar)])).filter((outcome) => outcome.status === "rejected");
  if (failure !== undefined) {
    rmSync(folder, { recursive: true });
    throw failure.reason;
  }
}

function exitOf(program: ReturnType<typeof spawn>): Promise<void> {
  return new Promise((resolve, reject) => {
    program.on("error", reject);
    program.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`tar ended with ${code}`))));
  });
}
