/**
 * The evidence in a history that a running vault gave: it holds as it is, and each lie in it is named.
 *
 * Run by tests/integration/client/test_web_library.py.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { clone, fromBinary, toBinary } from "@bufbuild/protobuf";

import { utf8 } from "../src/bytes.ts";
import { StatementSchema } from "../src/gen/strongroom/v1/ceremony_pb.js";
import { EventKind, EventOutcome, EventSchema, type Event } from "../src/gen/strongroom/v1/event_pb.js";
import type { WebAuthnAssertion } from "../src/gen/strongroom/v1/resources_pb.js";
import { NotVerified } from "../src/index.ts";
import { BadClientData, readClientData } from "../src/verification/client-data.ts";
import { examineEvidence } from "../src/verification/evidence.ts";
import { Device, ownerOf, readLiveVault } from "./live-vault.ts";
import { SoftwareAuthenticator } from "./software-authenticator.ts";
import { isError } from "./support.ts";

const vault = await readLiveVault();
const owner = ownerOf(vault, "evidence");
const device = new Device(vault, "evidence");
const further = new SoftwareAuthenticator();
const enrolled = await device.client.enroll({ userName: "evidence" });
await device.client.addPasskey({ userName: "evidence", further });
await device.client.release({ by: enrolled.recoveryKey });
device.authenticator.signsWrongly = true;
await assert.rejects(device.client.release(), isError(NotVerified, /./));
device.authenticator.signsWrongly = false;
await device.client.setRecovery();
const second = new Device(vault, "evidence", { authenticator: further });
await second.client.removePasskey(enrolled.credentialId);
await new Device(vault, "evidence", { tokens: vault.resetTokens }).client.reset();
await new Device(vault, "evidence").client.enroll({ userName: "evidence" });
await second.client.reopenSetAside();
await second.client.release();
const history = (await second.client.history()).map(({ message }) => message);

function assertion(event: Event): WebAuthnAssertion {
  const made = event.assertion?.kind;
  assert(made?.case === "webauthn");
  return made.value;
}

function flipped(bytes: Uint8Array, place: number): Uint8Array {
  return bytes.with(place, (bytes[place] ?? 0) ^ 1);
}

/** The first event of its kind, oldest first, that ended so. */
function first(kind: EventKind, outcome = EventOutcome.GRANTED): Event {
  const found = history.toReversed().find((event) => event.kind === kind && event.outcome === outcome);
  assert(found !== undefined);
  return found;
}

/** What is found once `change` has changed a copy of one event. */
async function said(event: Event, change: (event: Event) => void): Promise<string | undefined> {
  const changed = clone(EventSchema, event);
  change(changed);
  const events = history.map((one) => (one === event ? changed : one));
  return (await examineEvidence(events, owner)).find(({ version }) => version === event.version)?.said;
}

test("an honest history holds, in whichever order it is listed", async () => {
  assert.deepEqual(await second.client.examineHistory(), []);
  assert.deepEqual(await examineEvidence(history.toReversed(), owner), []);
  assert(new Set(history.map(({ kind }) => kind)).size >= 8);
});

const LIES: readonly [string, EventKind, RegExp, (event: Event) => void][] = [
  [
    "another signature",
    EventKind.STORE,
    /not the passkey's/,
    (event) => {
      const made = assertion(event);
      made.signature = flipped(made.signature, made.signature.length - 1);
    },
  ],
  [
    "other authenticator data",
    EventKind.STORE,
    /not the passkey's/,
    (event) => {
      assertion(event).authenticatorData = flipped(assertion(event).authenticatorData, 36);
    },
  ],
  [
    "another relying party",
    EventKind.STORE,
    /another relying party/,
    (event) => {
      assertion(event).authenticatorData = flipped(assertion(event).authenticatorData, 0);
    },
  ],
  [
    "other client data",
    EventKind.STORE,
    /another ceremony/,
    (event) => {
      assertion(event).clientDataJson = utf8('{"type":"webauthn.get","challenge":"AA","origin":"http://localhost"}');
    },
  ],
  [
    "another passkey",
    EventKind.STORE,
    /not one that the history brought/,
    (event) => {
      assertion(event).credentialId = flipped(assertion(event).credentialId, 0);
    },
  ],
  [
    "another key",
    EventKind.STORE,
    /not one that the history brought/,
    (event) => void (event.coseKey = flipped(event.coseKey, 9)),
  ],
  ["no assertion", EventKind.STORE, /not one that the history brought/, (event) => void delete event.assertion],
  ["another kind", EventKind.STORE, /for another operation/, (event) => void (event.kind = EventKind.RELEASE)],
  [
    "no ceremony",
    EventKind.STORE,
    /does not parse|another operation/,
    (event) => void (event.ceremony = new Uint8Array(0)),
  ],
  [
    "a failure that was none",
    EventKind.STORE,
    /although the signature is right/,
    (event) => void (event.outcome = EventOutcome.FAILED),
  ],
  ["another life", EventKind.STORE, /another life/, (event) => void (event.aboutSetAside = true)],
  [
    "another ceremony of its own",
    EventKind.RELEASE,
    /another account's/,
    (event) => void (event.ceremony = ofAccount("mallory", event)),
  ],
  [
    "another attestation",
    EventKind.REGISTER,
    /does not parse|another/,
    (event) => {
      assert(event.attestation !== undefined);
      event.attestation.attestationObject = flipped(event.attestation.attestationObject, 60);
    },
  ],
  [
    "no attest ceremony",
    EventKind.ADD_CREDENTIAL,
    /does not parse|something else/,
    (event) => void (event.attestCeremony = new Uint8Array(0)),
  ],
  [
    "a passkey that was not signed for",
    EventKind.ADD_CREDENTIAL,
    /another passkey|another ceremony|of another credential/,
    (event) => {
      event.attestation = clone(EventSchema, first(EventKind.REGISTER)).attestation as never;
    },
  ],
];

function ofAccount(account: string, event: Event): Uint8Array {
  const statement = fromBinary(StatementSchema, event.ceremony.subarray(0, -32));
  const changed = toBinary(StatementSchema, { ...statement, account });
  return Uint8Array.of(...changed, ...event.ceremony.subarray(-32));
}

for (const [what, kind, why, change] of LIES) {
  test(`${what} is named`, async () => assert.match((await said(first(kind), change)) ?? "nothing", why));
}

test("a recovery key that signs for what it has no say in, or is another, is named", async () => {
  const byRecovery = history.find((event) => event.assertion?.kind.case === "recovery");
  assert(byRecovery !== undefined);
  const swapped = await said(byRecovery, (event) => {
    const made = event.assertion?.kind;
    assert(made?.case === "recovery");
    made.value.publicKey = flipped(made.value.publicKey, 0);
  });
  assert.match(swapped ?? "nothing", /not the account's/);
  const wrong = await said(byRecovery, (event) => {
    const made = event.assertion?.kind;
    assert(made?.case === "recovery");
    made.value.signature = flipped(made.value.signature, 0);
  });
  assert.match(wrong ?? "nothing", /not the recovery key's/);
});

test("an event that is missing is named by the one after it, and another account's history is named whole", async () => {
  const missing = first(EventKind.SET_RECOVERY);
  const flaws = await examineEvidence(
    history.filter((event) => event !== missing),
    owner,
  );
  assert.equal(flaws[0]?.version, missing.version + 1n);
  assert.match(flaws[0]?.said ?? "", /another state/);
  const others = await examineEvidence(history, { ...owner, account: "mallory" });
  assert.equal(others.length, history.filter(({ ceremony }) => ceremony.length > 0).length);
});

test("client data with a member twice is refused, at whichever depth", () => {
  const good = '{"type":"webauthn.get","a":{"type":1,"b":"\\\\"},"c":[{"x":1},{"x":2}],"\\"d\\":":"}"}';
  assert.equal(readClientData(utf8(good))["type"], "webauthn.get");
  for (const bad of [
    '{"a":1,"a":2}',
    '{"x":{"a":1,"\\u0061":2}}',
    '{"a":{},"a":[]}',
    "[]",
    "null",
    '{"a"',
    "\\ud800",
  ]) {
    assert.throws(() => readClientData(utf8(bad)), isError(BadClientData, /./), bad);
  }
});
