/**
 * What can go wrong with an archive; the same names as the Python client's.
 *
 *     ArchiveError
 *     ├── SourceUnfit         what is to be archived cannot be: a name that no archive may have, or twice the same
 *     ├── SourceChanged       something in it changed while it was read
 *     ├── ArchiveLocked       none of the given identities opens the archive
 *     ├── ArchiveDamaged      cut short, altered, or not an archive
 *     └── RefusedEntry        an entry asks for something that no archive may do
 */

/** Root of the above. What came out of an archive before is not to be kept. */
export class ArchiveError extends Error {
  override name = "ArchiveError";
}

/** What is to be archived cannot be. */
export class SourceUnfit extends ArchiveError {
  override name = "SourceUnfit";
}

/** A file changed while it was read, so that a copy would be neither the old nor the new. */
export class SourceChanged extends ArchiveError {
  override name = "SourceChanged";
}

/** None of the given identities opens the archive. */
export class ArchiveLocked extends ArchiveError {
  override name = "ArchiveLocked";
}

/** The file is not an archive, or was cut short or altered. */
export class ArchiveDamaged extends ArchiveError {
  override name = "ArchiveDamaged";
}

/** An entry asks for something that no archive may do. */
export class RefusedEntry extends ArchiveError {
  override name = "RefusedEntry";
  /** Its name as stored in the archive: whatever somebody wrote there. */
  readonly entry: string;
  /** What it broke, fixed text. */
  readonly rule: string;

  constructor(entry: string, rule: string) {
    super(`archive entry ${JSON.stringify(entry)} refused: ${rule}`);
    this.entry = entry;
    this.rule = rule;
  }
}
