/** From an archive to a ZIP, as it is read: nothing of it is offered before the archive was found whole. */

import { downloadZip } from "client-zip";

import type { ArchiveIdentity } from "../../src/age-keys.ts";
import { readArchive } from "../../src/archive/archive.ts";

/** What was in an archive; grows while it is read. */
export interface Found {
  readonly files: { readonly name: string; readonly bytes: number }[];
  /** Links, which no ZIP for everybody can hold, in words. */
  readonly leftOut: string[];
}

type Zipped = Parameters<typeof downloadZip>[0] extends AsyncIterable<infer One> | Iterable<unknown> ? One : never;

/** A ZIP of an archive's files and folders. Its stream ends in ArchiveError where the archive does. */
export function zipOf(
  archive: Blob,
  identities: readonly ArchiveIdentity[],
  onProgress: (bytes: number) => void,
): { readonly zip: ReadableStream<Uint8Array>; readonly found: Found } {
  const found: Found = { files: [], leftOut: [] };
  const { body } = downloadZip(contents(archive, identities, onProgress, found));
  if (body === null) {
    throw new TypeError("the ZIP has no body");
  }
  return { zip: body, found };
}

async function* contents(
  archive: Blob,
  identities: readonly ArchiveIdentity[],
  onProgress: (bytes: number) => void,
  found: Found,
): AsyncGenerator<Zipped> {
  for await (const entry of readArchive(archive.stream(), { identities, onProgress })) {
    const name = entry.path.join("/");
    const lastModified = new Date(entry.modifiedAt);
    if (entry.kind === "file") {
      found.files.push({ name, bytes: entry.size });
      yield { name, lastModified, input: entry.content() as AsyncIterable<Uint8Array<ArrayBuffer>> };
    } else if (entry.kind === "directory" && name !== "") {
      yield { name: `${name}/`, lastModified };
    } else if (entry.kind === "symlink") {
      found.leftOut.push(`${name}, which points to ${entry.link}`);
    } else if (entry.kind === "hard-link") {
      found.leftOut.push(`${name}, which is the same file as ${entry.link}`);
    }
  }
}
