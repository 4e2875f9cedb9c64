/** Files as the user hands them over: a folder, some files, or either dropped on the page. */

/** One file to back up. `path` is what it is called in the archive, parted by slashes. */
export interface Chosen {
  readonly path: string;
  readonly file: File;
}

/** From a file field; a folder's files carry their path below it, which begins with the folder's own name. */
export function fromField(field: HTMLInputElement): Chosen[] {
  return sorted(Array.from(field.files ?? [], (file) => ({ path: file.webkitRelativePath || file.name, file })));
}

/** From a drop; folders are walked through. Links and empty folders are not given to pages by any browser. */
export async function fromDrop(transfer: DataTransfer): Promise<Chosen[]> {
  // Entries must be taken before the first await: the list is emptied then.
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const found = await Promise.all(entries.map((entry) => walk(entry)));
  return sorted(found.flat());
}

/** How much that is. */
export function totalBytes(chosen: readonly Chosen[]): number {
  return chosen.reduce((total, { file }) => total + file.size, 0);
}

async function walk(entry: FileSystemEntry): Promise<Chosen[]> {
  if (entry instanceof FileSystemFileEntry) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    return [{ path: entry.fullPath.replace(/^\//, ""), file }];
  }
  if (!(entry instanceof FileSystemDirectoryEntry)) {
    return [];
  }
  const reader = entry.createReader();
  const found: Chosen[] = [];
  // A reader gives a hundred at a time, and none at the end.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) {
      return found;
    }
    found.push(...(await Promise.all(some.map((one) => walk(one)))).flat());
  }
}

// In an order that depends on nothing but the names.
function sorted(chosen: readonly Chosen[]): Chosen[] {
  return [...chosen].sort((one, other) => (one.path < other.path ? -1 : Number(one.path > other.path)));
}
