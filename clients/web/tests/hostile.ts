/**
 * A front that cheats, before a running vault: whatever it alters is found before anybody signs, or before anything of
 * the answer is used. The control takes the same steps through the same front, while it alters nothing.
 *
 * Run by tests/integration/client/test_web_library.py.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { fromBinary, toBinary } from "@bufbuild/protobuf";

import {
  BundleInvalid,
  ModeNotExpected,
  OutcomeUnknown,
  ReceiptInvalid,
  ReplyMismatch,
  StatementMismatch,
  Unavailable,
  UnpinnedVault,
  VaultWentBack,
  type NotProven,
} from "../src/index.ts";
import { concat, toHex } from "../src/bytes.ts";
import { StatementSchema, type Statement } from "../src/gen/strongroom/v1/ceremony_pb.js";
import { Mode, type Receipt } from "../src/gen/strongroom/v1/resources_pb.js";
import { ServiceInfoReplySchema, type BeginCeremonyResponse } from "../src/gen/strongroom/v1/vault_service_pb.js";
import { decodeMemory, encodeMemory, type AccountMemory } from "../src/memory.ts";
import { Device, ownerOf, readLiveVault, type Cheat } from "./live-vault.ts";
import { isError } from "./support.ts";

const TAG_BYTES = 32;
const vault = await readLiveVault();
const owner = ownerOf(vault, "hostile");
const first = new Device(vault, "hostile");
await first.client.enroll({ userName: "hostile" });

interface Answer {
  reply: Uint8Array;
  receipt: Receipt;
}

/** A device with the memory and the passkey of the first. */
function device(): Device {
  const made = new Device(vault, "hostile", { authenticator: first.authenticator });
  made.store.memory = first.store.memory;
  return made;
}

function flipped(bytes: Uint8Array, place: number): Uint8Array {
  return bytes.with(place, (bytes[place] ?? 0) ^ 1);
}

function statement(alter: (statement: Statement) => void): Cheat {
  return {
    answer: (method, answer: BeginCeremonyResponse) => {
      if (method === "BeginCeremony") {
        const parsed = fromBinary(StatementSchema, answer.ceremony.subarray(0, -TAG_BYTES));
        alter(parsed);
        answer.ceremony = concat(toBinary(StatementSchema, parsed), answer.ceremony.subarray(-TAG_BYTES));
      }
    },
  };
}

function answer(of: string, alter: (answer: Answer) => void): Cheat {
  return { answer: (method, given: Answer) => (method === of ? alter(given) : undefined) };
}

const ACTS = {
  release: (made: Device): Promise<unknown> => made.client.release(),
  status: (made: Device): Promise<unknown> => made.client.status(),
  history: (made: Device): Promise<unknown> => made.client.history(),
  describe: (made: Device): Promise<unknown> => made.client.serviceInfo(),
};

/** The cheat is refused as said, and `prompts` is how often the passkey was asked. */
async function refused(
  cheat: Cheat,
  kind: new (...made: never[]) => NotProven,
  said: RegExp,
  { prompts, act = "release" }: { prompts: number; act?: keyof typeof ACTS },
): Promise<void> {
  const made = device();
  made.connection.cheat = cheat;
  const before = first.authenticator.prompts;
  await assert.rejects(ACTS[act](made), isError(kind, said));
  assert.equal(first.authenticator.prompts - before, prompts);
}

test("control: a front that takes everything apart, and puts it together unaltered, is believed", async () => {
  for (const act of Object.values(ACTS)) {
    const made = device();
    const before = first.authenticator.prompts;
    made.connection.cheat = statement(() => undefined);
    await act(made);
    assert.equal(first.authenticator.prompts - before, act === ACTS.release ? 1 : 0);
    first.store.memory = made.store.memory;
  }
});

const STATEMENTS: readonly [string, RegExp, (statement: Statement) => void][] = [
  ["another request", /another request/, (one) => void (one.request = flipped(one.request, 5))],
  [
    "a request with something added",
    /another request/,
    (one) => void (one.request = concat(one.request, Uint8Array.of(0x10, 0))),
  ],
  ["another tenant", /for tenant/, (one) => void (one.tenant += "x")],
  ["another account", /for account/, (one) => void (one.account = "mallory")],
  ["another RP ID", /for RP ID/, (one) => void (one.rpId = "evil.example")],
  ["other origins", /this client's origin/, (one) => void (one.origins = ["https://evil.example"])],
  ["another format", /does not know/, (one) => void (one.format = 2)],
  [
    "other credentials",
    /other credentials/,
    (one) => void (one.credentialSetSha256 = flipped(one.credentialSetSha256, 0)),
  ],
  ["no end", /a ceremony may|over already/, (one) => void (one.expireTime = undefined)],
  ["a late end", /longer than any/, (one) => void ((one.expireTime as { seconds: bigint }).seconds += 3600n)],
  ["an early end", /over already/, (one) => void ((one.expireTime as { seconds: bigint }).seconds -= 3600n)],
  ["a time that is none", /not one/, (one) => void ((one.expireTime as { nanos: number }).nanos = -1)],
  ["no chain head", /incomplete/, (one) => void (one.chainHead = new Uint8Array(0))],
  [
    "an unknown field",
    /does not know/,
    (one) => void (one.$unknown = [{ no: 99, wireType: 0, data: Uint8Array.of(1) }]),
  ],
];

for (const [what, said, alter] of STATEMENTS) {
  test(`nobody signs a statement with ${what}`, () =>
    refused(statement(alter), StatementMismatch, said, { prompts: 0 }));
}

test("nobody signs for a mode that was not chosen", () =>
  refused(
    statement((one) => void (one.mode = Mode.VAULT_HELD)),
    ModeNotExpected,
    /vault-held/,
    { prompts: 0 },
  ));

test("nobody signs at an older version, or at another history", async () => {
  const older = statement((one) => void (one.version -= 1n));
  await refused(older, VaultWentBack, /remembers/, { prompts: 0 });
  const another = statement((one) => void (one.chainHead = flipped(one.chainHead, 3)));
  await refused(another, VaultWentBack, /remembers/, { prompts: 0 });
});

test("nobody signs where a passkey is listed that this device does not know, or one is left out", async () => {
  const own = { credentialId: new Uint8Array(32).fill(7), coseKey: Uint8Array.of(0xa0) };
  const more: Cheat = {
    answer: (method, given: BeginCeremonyResponse) =>
      method === "BeginCeremony"
        ? void given.credentials.push({ ...given.credentials[0], ...own } as never)
        : undefined,
  };
  await refused(more, StatementMismatch, /other credentials/, { prompts: 0 });
  const none: Cheat = {
    answer: (method, given: BeginCeremonyResponse) =>
      method === "BeginCeremony" ? void (given.credentials = []) : undefined,
  };
  await refused(none, StatementMismatch, /other credentials/, { prompts: 0 });
});

test("a key of the front's own in the request is found before anybody signs", async () => {
  const swapped: Cheat = {
    request: (method, request: { request: Uint8Array }) =>
      method === "BeginCeremony" ? void (request.request = swapRecipient(request.request)) : undefined,
  };
  await refused(swapped, StatementMismatch, /another request/, { prompts: 0 });
});

/** The recipient of a release is the last 32 bytes before its suite; the front's own would open the reply. */
function swapRecipient(request: Uint8Array): Uint8Array {
  return flipped(request, request.length - 10);
}

const RECEIPTS: readonly [string, RegExp, (answer: Answer) => void][] = [
  ["another signature", /does not fit/, (one) => void (one.receipt.signature = flipped(one.receipt.signature, 40))],
  ["no signature", /does not fit/, (one) => void (one.receipt.signature = new Uint8Array(64))],
  ["a signature cut short", /does not fit/, (one) => void (one.receipt.signature = one.receipt.signature.subarray(1))],
  ["another version", /does not fit/, (one) => void (one.receipt.version += 1n)],
  ["another head", /does not fit/, (one) => void (one.receipt.chainHead = flipped(one.receipt.chainHead, 0))],
  ["a head that is none", /is not one/, (one) => void (one.receipt.chainHead = new Uint8Array(31))],
  ["another signer", /does not count/, (one) => void (one.receipt.identityFingerprint = new Uint8Array(32))],
  ["no receipt", /does not count/, (one) => void ((one as { receipt: unknown }).receipt = undefined)],
  ["another reply", /does not fit/, (one) => void (one.reply = concat(one.reply, Uint8Array.of(0x7a, 0)))],
];

for (const [what, said, alter] of RECEIPTS) {
  test(`an answer with ${what} is not used`, async () => {
    await refused(answer("ReleaseEnvelope", alter), ReceiptInvalid, said, { prompts: 1 });
    await refused(answer("GetVault", alter), ReceiptInvalid, said, { prompts: 0, act: "status" });
  });
}

test("an answer of before is not taken for a new one", async () => {
  let before: Answer | undefined;
  const control = device();
  control.connection.cheat = answer("GetVault", (one) => void (before = { ...one }));
  await control.client.status();
  const replayed = answer("GetVault", (one) => void Object.assign(one, before));
  await refused(replayed, ReceiptInvalid, /does not fit/, { prompts: 0, act: "status" });
});

test("a history with a gap, or of another account, is not used", async () => {
  const cut = answer("ListEvents", (one) => void (one.reply = one.reply.subarray(0, one.reply.length - 3)));
  await refused(cut, ReceiptInvalid, /does not fit/, { prompts: 0, act: "history" });
});

test("a vault of another identity key is refused, whichever key it shows", async () => {
  const stranger = new Device(vault, "hostile", { trust: { pins: ["ab".repeat(32)] } });
  await assert.rejects(stranger.client.status(), isError(BundleInvalid, /not signed by an identity key that counts/));
  assert.deepEqual(stranger.connection.calls, ["GetVault", "GetServiceInfo"]);
  const altered = answer("GetServiceInfo", (one) => {
    const reply = fromBinary(ServiceInfoReplySchema, one.reply);
    const bundle = reply.keyBundle as { bundle: Uint8Array };
    bundle.bundle = flipped(bundle.bundle, 1);
    one.reply = toBinary(ServiceInfoReplySchema, reply);
  });
  await refused(altered, BundleInvalid, /signature of the key bundle is wrong/, { prompts: 0, act: "describe" });
});

test("a vault that was pinned is not used unpinned again", async () => {
  const made = new Device(vault, "hostile", { trust: { unpinned: true } });
  await made.client.status();
  const pinned = new Device(vault, "hostile", { trust: { unpinned: true }, store: first.store });
  await assert.rejects(pinned.client.status(), isError(UnpinnedVault, /pinned this vault before/));
});

/** A device that remembers what `change` makes of what the first remembers. */
function remembering(change: (memory: AccountMemory) => Partial<AccountMemory>): Device {
  const memory = decodeMemory(first.store.memory as string, owner);
  const made = device();
  made.store.memory = encodeMemory({ ...memory, ...change(memory) });
  return made;
}

test("a key bundle with a lower serial than was seen, or another with the same, is refused", async () => {
  const seen = (serial: bigint, sha256: Uint8Array) => ({ bundles: new Map([[vault.pin, { serial, sha256 }]]) });
  const known = decodeMemory(first.store.memory as string, owner).bundles.get(vault.pin);
  assert(known !== undefined);
  await remembering(() => seen(known.serial, known.sha256)).client.serviceInfo();
  const lower = remembering(() => seen(known.serial + 1n, known.sha256));
  await assert.rejects(lower.client.serviceInfo(), isError(BundleInvalid, /has seen serial/));
  const other = remembering(() => seen(known.serial, flipped(known.sha256, 0)));
  await assert.rejects(other.client.serviceInfo(), isError(BundleInvalid, /two key bundles/));
});

test("a vault that went back is stopped at, shown, and gone on with only where the user accepts", async () => {
  const made = remembering(({ position }) => ({ position: { ...position, version: position.version + 1000n } }));
  await assert.rejects(made.client.status(), isError(VaultWentBack, /remembers/));
  assert.equal(made.store.contested.length, 1);
  const calls = made.connection.calls.length;
  await assert.rejects(made.client.release(), isError(VaultWentBack, /remembers/));
  assert.equal(made.connection.calls.length, calls);
  const accepted = await made.client.acceptOlderVault();
  const { version, chainHead } = await made.client.status();
  assert.deepEqual([accepted.position.version, toHex(accepted.position.chainHead)], [version, toHex(chainHead)]);
  const forked = remembering(({ position }) => ({
    position: { ...position, chainHead: flipped(position.chainHead, 0) },
  }));
  await assert.rejects(forked.client.history(), isError(VaultWentBack, /remembers/));
});

test("an envelope older than one that was opened is refused", async () => {
  const made = remembering(({ openedArchiveVersion }) => ({ openedArchiveVersion: openedArchiveVersion + 1n }));
  await assert.rejects(made.client.release(), isError(ReplyMismatch, /older than one that this device has opened/));
});

test("a lost answer is asked for again with the same bytes, at no prompt; where none comes the outcome is unknown", async () => {
  const lost = (times: number): Cheat => {
    let left = times;
    return {
      loses: (method) => (method === "ReleaseEnvelope" && left-- > 0 ? new Unavailable("lost") : undefined),
    };
  };
  const made = device();
  made.connection.cheat = lost(3);
  const before = first.authenticator.prompts;
  await made.client.release();
  assert.equal(first.authenticator.prompts - before, 1);
  const sent = made.connection.calls.filter((method) => method === "ReleaseEnvelope");
  assert.equal(sent.length, 4);
  first.store.memory = made.store.memory;
  const unlucky = device();
  unlucky.connection.cheat = lost(4);
  await assert.rejects(unlucky.client.release(), isError(OutcomeUnknown, /is not known/));
  const [newest] = await unlucky.client.history();
  assert.deepEqual([newest?.kind, newest?.outcome], ["release", "granted"]);
  first.store.memory = unlucky.store.memory;
});
