/** Every operation against a running vault. Run by tests/integration/client/test_web_library.py. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { fromBinary } from "@bufbuild/protobuf";

import {
  BadPasskeyName,
  CredentialExcluded,
  ModeAlready,
  ModeNotExpected,
  NoSuchPasskey,
  InMemoryStore,
  NoMatchingCredential,
  NotVerified,
  NoVault,
  OwnerBundleInvalid,
  NewestUnopened,
  BeginAgain,
  PrfUnavailable,
  PrfUnstable,
  ReplyMismatch,
  ResetPending,
  ScopeMissing,
  UnpinnedVault,
  VaultExists,
  AccountTokenRejected,
  toHex,
} from "../src/index.ts";
import { ServiceInfoReplySchema, type GetServiceInfoResponse } from "../src/gen/strongroom/v1/vault_service_pb.js";
import { Device, readLiveVault } from "./live-vault.ts";
import { ecOwner, edOwner, signed, type Owner } from "./owner-signers.ts";
import { SoftwareAuthenticator } from "./software-authenticator.ts";
import { isError } from "./support.ts";

const vault = await readLiveVault();

test("an account is enrolled, released on another device, and its history says who opened it", async () => {
  const first = new Device(vault, "whole");
  const enrolled = await first.client.enroll({ userName: "whole" });
  assert.equal(first.authenticator.prompts, 3);
  assert.deepEqual(await first.client.archiveRecipients(), [enrolled.archiveRecipient, enrolled.recoveryRecipient]);
  await assert.rejects(first.client.enroll({ userName: "whole" }), isError(VaultExists, /VAULT_EXISTS/));

  const second = new Device(vault, "whole", { authenticator: first.authenticator });
  const released = await second.client.release();
  assert(released.identities.length === 1 && released.identities[0]?.is(enrolled.archiveIdentity));
  assert.equal(released.opened[0].archiveVersion, enrolled.archiveVersion);

  const stored = await second.client.store(released.opened[0].content);
  const history = await second.client.history();
  assert.deepEqual(
    history.map(({ kind, outcome }) => `${kind} ${outcome}`),
    ["store granted", "release granted", "release granted", "store granted", "register granted"],
  );
  const signers = history.map(({ signedBy }) =>
    typeof signedBy === "object" ? toHex(signedBy.credentialId) : signedBy,
  );
  assert.deepEqual(new Set(signers), new Set([toHex(enrolled.credentialId)]));

  const status = await second.client.status();
  assert.deepEqual([status.state, status.mode, status.version], ["live", "prf", history[0]?.version]);
  assert.equal(status.archives[0]?.archiveVersion, stored.archiveVersion);
  assert.deepEqual(second.client.notices, []);
  assert.equal((await second.client.serviceInfo()).rpId, "localhost");
});

test("passkeys are added and removed, and the recovery key replaced", async () => {
  const { client, authenticator: first } = new Device(vault, "passkeys");
  const enrolled = await client.enroll({ userName: "passkeys" });
  await assert.rejects(client.addPasskey({ userName: "x" }), isError(CredentialExcluded, /already holds/));
  const second = new Device(vault, "passkeys");
  const further = second.authenticator;
  const added = await client.addPasskey({ userName: "passkeys", further });
  assert.equal((await second.client.release()).identities.length, 1);
  await second.client.removePasskey(enrolled.credentialId);
  await assert.rejects(client.release(), isError(NoMatchingCredential, /no passkey of this vault/));
  assert.deepEqual(
    client.notices.map(({ kind }) => kind),
    ["passkey-removed"],
  );
  const changed = await second.client.setRecovery();
  const { identities } = await second.client.release({ by: changed.recoveryKey });
  assert(identities.length === 3 && identities[2]?.is(enrolled.archiveIdentity));
  await assert.rejects(second.client.release({ by: enrolled.recoveryKey }), isError(ReplyMismatch, /not the one/));
  const third = new SoftwareAuthenticator();
  await client.addPasskey({ userName: "passkeys", further: third, by: changed.recoveryKey });
  const status = await client.status();
  assert.equal(status.passkeys.length, 2);
  assert(status.passkeys.some(({ credentialId }) => toHex(credentialId) === toHex(added.credentialId)));
  assert.equal(first.credentials.length, 1);
});

test("a passkey is named, the archive key renewed, and the mode changed there and back", async () => {
  const { client, authenticator, store } = new Device(vault, "renewed");
  const { credentialId, archiveIdentity } = await client.enroll({ userName: "renewed", name: "Phone" });
  await client.renamePasskey(credentialId, "Zoë's phone");
  const other = new Device(vault, "renewed", { authenticator });
  assert.equal((await other.client.status()).passkeys[0]?.name, undefined);
  await other.client.release();
  assert.equal((await other.client.status()).passkeys[0]?.name, "Zoë's phone");
  const asked = authenticator.prompts;
  await assert.rejects(client.renamePasskey(credentialId, "a\u200bb"), isError(BadPasskeyName, /not seen/));
  assert.equal(authenticator.prompts, asked);
  await assert.rejects(client.renamePasskey(Uint8Array.of(1), "x"), isError(NoSuchPasskey, /no such passkey/));

  const { archiveRecipient } = await client.renew();
  assert.equal((await client.archiveRecipients())[0], archiveRecipient);
  const { identities } = await other.client.release();
  assert(identities[0]?.recipient() === archiveRecipient && identities[1]?.is(archiveIdentity));

  await assert.rejects(client.changeMode("prf"), isError(ModeAlready, /already/));
  await client.changeMode("vault-held");
  await assert.rejects(other.client.release(), isError(ModeNotExpected, /vault-held/));
  await other.client.status();
  assert(other.client.notices.some(({ kind }) => kind === "mode-changed"));
  assert.equal((await other.client.release({ mode: "vault-held" })).identities.length, 2);
  await client.changeMode("prf");
  const back = await other.client.release();
  assert(back.identities.length === 3 && back.identities[2]?.is(archiveIdentity));
  assert.equal((await other.client.status()).mode, "prf");
  assert.match(store.memory ?? "", /"mode": "prf"/);
});

test("an owner sees a reset and takes the vault back; a deleted one is gone", async () => {
  const owner = new Device(vault, "reset");
  const enrolled = await owner.client.enroll({ userName: "reset" });
  await assert.rejects(owner.client.reset(), isError(ScopeMissing, /SCOPE_MISSING/));
  const thief = new Device(vault, "reset", { tokens: vault.resetTokens });
  const eraseAt = await thief.client.reset();
  await assert.rejects(thief.client.reset(), isError(ResetPending, /RESET_PENDING/));
  await thief.client.enroll({ userName: "thief" });
  await assert.rejects(owner.client.release(), isError(NoMatchingCredential, /./));
  const status = await owner.client.status();
  assert.equal(status.setAside?.eraseAt, eraseAt);
  const told = owner.client.notices.map(({ kind }) => kind);
  assert(told.includes("set-aside") && told.includes("another-life"), told.join());
  await owner.client.reopenSetAside();
  assert((await owner.client.release()).identities[0]?.is(enrolled.archiveIdentity));
  assert.equal((await owner.client.status()).setAside, undefined);
  await owner.client.delete();
  assert.equal((await owner.client.status()).state, "deleted");
  await assert.rejects(owner.client.release(), isError(NoVault, /NO_VAULT/));
});

test("a passkey without PRF, or with one that changes, stores nothing; vault-held is chosen, and pinned", async () => {
  const without = new Device(vault, "prf", { authenticator: new SoftwareAuthenticator({ prf: "never" }) });
  await assert.rejects(without.client.enroll({ userName: "prf" }), isError(PrfUnavailable, /no PRF output/));
  assert.equal((await without.client.status()).state, "inert");
  const changing = new Device(vault, "prf", { authenticator: new SoftwareAuthenticator({ prf: "create" }) });
  changing.authenticator.isUnstable = true;
  await assert.rejects(changing.client.enroll({ userName: "prf" }), isError(PrfUnstable, /than at its creation/));
  const late = new Device(vault, "prf", { authenticator: new SoftwareAuthenticator() });
  late.authenticator.isUnstable = true;
  await assert.rejects(late.client.enroll({ userName: "prf" }), isError(PrfUnstable, /delete this vault/));
  await late.client.delete();

  const { client } = new Device(vault, "held", { authenticator: new SoftwareAuthenticator({ prf: "never" }) });
  const enrolled = await client.enroll({ userName: "held", mode: "vault-held" });
  assert((await client.release()).identities[0]?.is(enrolled.archiveIdentity));
  const unpinned = new Device(vault, "held", { trust: { unpinned: true } });
  await assert.rejects(unpinned.client.release({ mode: "vault-held" }), isError(UnpinnedVault, /must be pinned/));
});

test("no PRF output is in anything that is sent, in whichever spelling", async () => {
  const authenticator = new SoftwareAuthenticator({ prf: "create" });
  const device = new Device(vault, "traffic", { authenticator });
  const further = new SoftwareAuthenticator({ prf: "create" });
  await device.client.enroll({ userName: "traffic" });
  const { credentialId } = await device.client.addPasskey({ userName: "traffic", further });
  await device.client.release();
  const sent = Buffer.concat(device.connection.sent);
  const spellings = (bytes: Buffer): Buffer[] => [
    bytes,
    ...(["hex", "base64", "base64url"] as const).map((kind) => Buffer.from(bytes.toString(kind).slice(0, 20))),
  ];
  const outputs = [...authenticator.prfOutputs, ...further.prfOutputs].map((output) => Buffer.from(output, "hex"));
  assert(outputs.length >= 6);
  for (const output of outputs.flatMap((one) => spellings(one))) {
    assert(!sent.includes(output));
  }
  assert(sent.includes(Buffer.from(credentialId))); // control: what is sent is found
});

test("two devices do not undo each other's changes", async () => {
  const one = new Device(vault, "two");
  const enrolled = await one.client.enroll({ userName: "two" });
  const other = new Device(vault, "two", { authenticator: one.authenticator });
  const content = (await other.client.release()).opened[0].content;
  const before = one.authenticator.prompts;
  const third = new Device(vault, "two", { authenticator: one.authenticator, store: one.store });
  await assert.rejects(third.client.store(content), isError(NewestUnopened, /release first/));
  assert.equal(one.authenticator.prompts, before);
  await one.client.release();
  await assert.rejects(other.client.store(content), isError(BeginAgain, /BEGIN_AGAIN/));
  assert.equal(one.authenticator.prompts, before + 1);
  assert((await one.client.release()).identities[0]?.is(enrolled.archiveIdentity));
});

test("a device that pins owners goes by what two of them have signed, and by nothing less", async () => {
  const [ada, grace] = [edOwner(), ecOwner()];
  const pinning = (by: Owner[]): Device => {
    const device = new Device(vault, "whole", { trust: { owners: [ada.key, grace.key] } });
    device.connection.cheat = {
      answer: (method, answer: GetServiceInfoResponse) => {
        if (method === "GetServiceInfo") {
          const served = fromBinary(ServiceInfoReplySchema, answer.reply).keyBundle?.bundle ?? new Uint8Array(0);
          answer.ownerBundles = [signed(served, new Uint8Array(32), by)];
        }
      },
    };
    return device;
  };
  const device = pinning([ada, grace]);
  assert.equal((await device.client.status()).state, "live");
  assert.deepEqual((await device.client.memory()).ownerBundle?.identityKeys, [vault.pin]);
  await assert.rejects(pinning([ada]).client.status(), isError(OwnerBundleInvalid, /1 of the owners/));
  const nothing = new Device(vault, "whole", { trust: { owners: [ada.key, grace.key] } });
  await assert.rejects(nothing.client.status(), isError(OwnerBundleInvalid, /nothing that its owners/));
});

test("a wrong signature is refused, counted and seen in the history; a wrong token is rejected", async () => {
  const device = new Device(vault, "wrong");
  await device.client.enroll({ userName: "wrong" });
  device.authenticator.signsWrongly = true;
  await assert.rejects(device.client.release(), isError(NotVerified, /NOT_VERIFIED/));
  device.authenticator.signsWrongly = false;
  const [newest] = await device.client.history();
  assert.deepEqual([newest?.kind, newest?.outcome, newest?.failures], ["release", "failed", 1]);
  const stranger = new Device(vault, "wrong", { tokens: { wrong: "not.a.token" }, store: new InMemoryStore() });
  await assert.rejects(stranger.client.status(), isError(AccountTokenRejected, /TOKEN_REJECTED/));
});
