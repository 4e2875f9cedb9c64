/** The messages and the service, read from protos/ when the program starts: nothing here is generated. */
import { fileURLToPath } from "node:url";
import { loadSync, type MessageTypeDefinition, type ServiceDefinition } from "@grpc/proto-loader";

const PROTOS = fileURLToPath(new URL("../../../../protos", import.meta.url));
const FILES = ["strongroom/v1/vault_service.proto", "strongroom/v1/ceremony.proto"];
const OPTIONS = { includeDirs: [PROTOS], longs: String, enums: String };
const loaded = loadSync(FILES, { ...OPTIONS, defaults: true });
const asSent = loadSync(FILES, OPTIONS);

export const SERVICE = loaded["strongroom.v1.VaultService"] as ServiceDefinition;

/** The bytes of a message of `strongroom.v1`. */
export function serialize(name: string, content: object): Buffer {
  return codec(loaded, name).serialize(content);
}

/** A message of `strongroom.v1`; what is absent has its default, which for a message is null. */
export function parse<Content extends object>(name: string, bytes: Buffer): Content {
  return codec(loaded, name).deserialize(bytes) as Content;
}

/** Whether `bytes` hold nothing but fields that the protos have, each in its one form: what is unknown is lost when read. */
export function isAllKnown(name: string, bytes: Buffer): boolean {
  const { serialize: write, deserialize: read } = codec(asSent, name);
  return write(read(bytes)).equals(bytes);
}

function codec(from: typeof loaded, name: string): MessageTypeDefinition<object, object> {
  return from[`strongroom.v1.${name}`] as MessageTypeDefinition<object, object>;
}

// What this client reads of the messages; protos/strongroom/v1 says what each field means.
// A u64 is a string of digits, since a number of JavaScript is exact up to 2^53 only.

export interface Timestamp {
  seconds: string;
}
export interface Receipt {
  signature: Buffer;
  identityFingerprint: Buffer;
  version: string;
  chainHead: Buffer;
}
export interface SignedReply {
  reply: Buffer;
  receipt: Receipt | null;
}
export interface SignedKeyBundle {
  bundle: Buffer;
  signatures: { fingerprint: Buffer; signature: Buffer }[];
}
export interface KeyBundle {
  serial: string;
  notBeforeTime: Timestamp | null;
  notAfterTime: Timestamp | null;
  transportKeys: { keyId: Buffer; suite: string; publicKey: Buffer }[];
  identityKeys: { fingerprint: Buffer; publicKey: Buffer }[];
}
export interface ServiceInfoReply {
  tenant: string;
  rpId: string;
  origins: string[];
  algorithms: number[];
  keyBundle: SignedKeyBundle | null;
}
export interface Credential {
  credentialId: Buffer;
  coseKey: Buffer;
}
export interface BeginCeremonyResponse {
  ceremony: Buffer;
  credentials: Credential[];
  recoveryPublicKey: Buffer;
}
export interface Statement {
  format: number;
  request: Buffer;
  tenant: string;
  account: string;
  version: string;
  chainHead: Buffer;
  credentialSetSha256: Buffer;
  mode: string;
  rpId: string;
  origins: string[];
  expireTime: Timestamp | null;
  keeperRandom: Buffer;
  setAsideEraseTime: Timestamp | null;
  accountEraseTime: Timestamp | null;
}
export interface RegistrationReply {
  credentialId: Buffer;
}
export interface StoreReply {
  archiveVersion: string;
  envelopeSha256: Buffer;
}
export interface ReleaseReply {
  sealedEnvelopes: Buffer;
}
export interface ReleasedEnvelopes {
  envelopes: { archiveVersion: string; confirmed: boolean; mode: string; envelope: Buffer }[];
}
