/** From chosen files to an archive. */

import { createArchive, sourceFile } from "../../src/archive/archive.ts";
import type { Chosen } from "./choosing.ts";

/** An archive, encrypted to `recipients`; `onProgress` is told how many bytes of the files are in it. */
export function archiveOf(
  chosen: readonly Chosen[],
  recipients: readonly string[],
  onProgress: (bytes: number) => void,
): Promise<ReadableStream<Uint8Array>> {
  const files = chosen.map(({ path, file }) => sourceFile(file, path));
  return createArchive(files, { recipients, onProgress });
}
