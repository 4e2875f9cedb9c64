/** Bytes of nobody's making: every reader answers with its own error, or with what it read; never with another. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";

import { Encrypter } from "age-encryption";
import { create } from "@bufbuild/protobuf";

import { ArchiveIdentity } from "../src/age-keys.ts";
import { readArchive } from "../src/archive/archive.ts";
import { ArchiveError } from "../src/archive/errors.ts";
import { encodeFileHeader, padding } from "../src/archive/tar-format.ts";
import { publicCredential } from "../src/authenticators/attestation.ts";
import { AuthenticatorError } from "../src/authenticators/port.ts";
import { concat, fromHex, utf8 } from "../src/bytes.ts";
import { decodeContent, EnvelopeError } from "../src/envelope-content.ts";
import { openEnvelope } from "../src/envelope.ts";
import { MemoryFault, NotProven } from "../src/errors.ts";
import { decodeFields, FieldsError } from "../src/fields.ts";
import { SignedKeyBundleSchema } from "../src/gen/strongroom/v1/resources_pb.js";
import { decodeMemory, encodeMemory, nothingRemembered } from "../src/memory.ts";
import { parseRecoveryKey, RecoveryKeyTypo } from "../src/recovery-key.ts";
import { verifyBundle } from "../src/verification/bundles.ts";
import { nextPageStart } from "../src/verification/histories.ts";
import { checkCeremony } from "../src/verification/statements.ts";
import { SoftwareAuthenticator } from "./software-authenticator.ts";
import { vectors } from "./support.ts";

const TRIES = 150;
const NOW = 1_800_000_000_000;

/** Numbers that are the same in every run: a failure can be looked at. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** `honest`, spoilt in one of the ways in which bytes come to harm. */
function spoilt(honest: Uint8Array, draw: (below: number) => number): Uint8Array {
  const place = draw(honest.length || 1);
  switch (draw(5)) {
    case 0:
      return honest.slice(0, place);
    case 1:
      return concat(
        honest,
        Uint8Array.from({ length: 1 + draw(40) }, () => draw(256)),
      );
    case 2:
      return concat(honest.subarray(0, place), honest.subarray(place + 1 + draw(8)));
    case 3:
      return concat(honest.subarray(0, place), honest.subarray(draw(honest.length || 1)));
    default:
      return honest.length === 0 ? honest : honest.with(place, draw(256));
  }
}

/**
 * Feed `reader` with spoilt bytes; what it throws must be of `kinds`. Most must be refused, or nothing was tried; and
 * the honest bytes be taken, unless they cannot be.
 */
async function feed(
  honest: Uint8Array,
  reader: (bytes: Uint8Array) => unknown,
  kinds: readonly (abstract new (...made: never[]) => Error)[],
  { tries = TRIES, isTaken = true }: { tries?: number; isTaken?: boolean } = {},
): Promise<void> {
  if (isTaken) {
    await reader(honest);
  }
  const draw = numbers(honest.length + 7);
  let refused = 0;
  for (let count = 0; count < tries; count += 1) {
    const bytes = spoilt(honest, draw);
    try {
      await reader(bytes);
    } catch (error) {
      assert(
        kinds.some((kind) => error instanceof kind),
        `try ${count}: ${String(error)}`,
      );
      refused += 1;
    }
  }
  assert(refused > tries / 4, `${refused} of ${tries} were refused`);
}

function hex(name: string, part: string, member: string): Uint8Array {
  return fromHex((vectors<Record<string, Record<string, string>[]>>(name)[part]?.[0] ?? {})[member] ?? "");
}

test("fields and envelopes", async () => {
  const content = hex("envelope_names", "contents", "content");
  await feed(content, decodeFields, [FieldsError]);
  await feed(content, decodeContent, [EnvelopeError]);
  const { envelope = "" } = vectors<{ envelopes: Record<string, string>[] }>("envelope").envelopes[0] ?? {};
  const anybody = new ArchiveIdentity(new Uint8Array(32).fill(5));
  await feed(fromHex(envelope), (bytes) => openEnvelope(bytes, anybody), [EnvelopeError], {
    tries: 30,
    isTaken: false,
  });
});

test("statements, bundles and page tokens", async () => {
  const known = { version: 0n, chainHead: new Uint8Array(32) };
  const names = { tenant: "notes", account: "alice", rpId: "notes.example", origin: "https://notes.example" };
  const expected = {
    ...names,
    request: hex("protocol", "ceremony", "request"),
    modes: ["prf"] as const,
    known,
    now: NOW,
  };
  const listedDigest = hex("protocol", "ceremony", "credential_set_sha256");
  const check = (ceremony: Uint8Array): unknown =>
    checkCeremony(ceremony, { ...expected, listedDigest, knownDigest: undefined, aboutSetAside: false });
  await feed(hex("protocol", "ceremony", "ceremony"), check, [NotProven]);
  const bundle = hex("protocol", "owners_bundle", "bundle");
  const read = { trust: { unpinned: true }, seen: new Map(), now: NOW } as const;
  const verify = (bytes: Uint8Array): unknown => verifyBundle(create(SignedKeyBundleSchema, { bundle: bytes }), read);
  await feed(bundle, verify, [NotProven], { isTaken: false }); // nobody has signed it
  await feed(hex("protocol", "page_token", "token"), nextPageStart, [NotProven]);
});

test("memory, recovery keys and attestations", async () => {
  const owner = { vault: "v", tenant: "t", account: "a" };
  const memory = utf8(encodeMemory({ ...nothingRemembered(owner), names: new Map([["ab", "Phone"]]), life: 3n }));
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  await feed(memory, (bytes) => decodeMemory(text(bytes), owner), [MemoryFault]);
  const rows = (vectors<{ keys: { rows: string[] }[] }>("recovery_key").keys[1]?.rows ?? []).join("\n");
  await feed(utf8(rows), (bytes) => parseRecoveryKey(text(bytes)), [RecoveryKeyTypo]);
  const made = await new SoftwareAuthenticator().makeCredential({
    rpId: "notes.example",
    origin: "https://notes.example",
    challenge: new Uint8Array(32),
    userHandle: new Uint8Array(32),
    userName: "x",
    algorithms: [-7],
    exclude: [],
    prfInput: new Uint8Array(32),
  });
  const read = (attestationObject: Uint8Array): unknown => publicCredential({ ...made, attestationObject });
  await feed(made.attestationObject, read, [AuthenticatorError]);
});

test("archives, around and inside of the encryption", async () => {
  const identity = new ArchiveIdentity(new Uint8Array(32).fill(9));
  const seal = async (content: Uint8Array): Promise<Uint8Array> => {
    const encrypter = new Encrypter();
    encrypter.addRecipient(identity.recipient());
    return encrypter.encrypt(content);
  };
  const read = async (archive: Uint8Array): Promise<void> => {
    for await (const entry of readArchive(new Blob([new Uint8Array(archive)]).stream(), { identities: [identity] })) {
      for await (const _ of entry.content()) {
        // all of it
      }
    }
  };
  const header = encodeFileHeader({ name: "ü/x", size: 700, modifiedAt: 1_600_000_000_123 });
  const tar = concat(header, new Uint8Array(700).fill(7), padding(700), new Uint8Array(1024));
  const compressed = new Uint8Array(zstdCompressSync(tar));
  await feed(await seal(compressed), read, [ArchiveError], { tries: 30 });
  await feed(compressed, async (bytes) => read(await seal(bytes)), [ArchiveError], { tries: 50 });
  await feed(tar, async (bytes) => read(await seal(zstdCompressSync(bytes))), [ArchiveError], { tries: 70 });
});
