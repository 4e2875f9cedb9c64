/** The library: what a page imports. README.md shows how. */

export { ArchiveIdentity, parseIdentity } from "./age-keys.ts";
export {
  createArchive,
  readArchive,
  sourceFile,
  type ArchiveEntry,
  type Progress,
  type SourceFile,
} from "./archive/archive.ts";
export {
  ArchiveDamaged,
  ArchiveError,
  ArchiveLocked,
  RefusedEntry,
  SourceChanged,
  SourceUnfit,
} from "./archive/errors.ts";
export type { EntryKind } from "./archive/tar-format.ts";
export { BrowserAuthenticator, hasPasskeys } from "./authenticators/browser.ts";
export {
  AuthenticatorError,
  CredentialExcluded,
  Declined,
  NoMatchingCredential,
  type Assertion,
  type AssertionRequest,
  type Attestation,
  type Authenticator,
  type CreationRequest,
} from "./authenticators/port.ts";
export { SecretBytes, toHex } from "./bytes.ts";
export { StrongroomClient, type AdditionChoice, type Choice, type ClientSettings } from "./client.ts";
export { ConnectConnection, type AccountTokenSource, type Connection } from "./connection.ts";
export type {
  HistoryEvent,
  Passkey,
  Policy,
  Service,
  SetAside,
  Signer,
  StoredArchive,
  VaultStatus,
} from "./descriptions.ts";
export {
  EnvelopeCorrupt,
  EnvelopeError,
  type EnvelopeContent,
  type PasskeyName,
  type PasskeyRecipient,
} from "./envelope-content.ts";
export { EnvelopeTooLarge, WrongEnvelopeMode, WrongPrf } from "./envelope.ts";
export * from "./errors.ts";
export type { Addition } from "./flows/adding.ts";
export type { Enrollment, EnrollmentChoice } from "./flows/enrolling.ts";
export type { RecoveryChange } from "./flows/recovering.ts";
export type { Renewal } from "./flows/renewing.ts";
export type { OpenedEnvelope, Released } from "./flows/releasing.ts";
export type { Stored } from "./flows/storing.ts";
export type { AccountMemory, AccountRef } from "./memory.ts";
export { IndexedDbStore, InMemoryStore, type MemoryChange, type MemoryStore } from "./memory-stores.ts";
export type { Mode } from "./modes.ts";
export type { Notice, NoticeKind } from "./notices.ts";
export { BadPasskeyName, checkName } from "./passkey-names.ts";
export { checkRow, parseRecoveryKey, RecoveryKey, RecoveryKeyTypo } from "./recovery-key.ts";
export type { Millis } from "./timestamps.ts";
export type { Trust } from "./verification/bundles.ts";
export type { EvidenceFlaw } from "./verification/evidence.ts";
export { ownerKeyOfPem } from "./verification/owner-keys.ts";
