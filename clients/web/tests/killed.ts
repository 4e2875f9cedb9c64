/**
 * A page that is closed after each effect of a change: what it would back up to from then on opens, and so does what it
 * had backed up before, by whichever passkey is left.
 *
 * Run by tests/integration/client/test_web_library.py, with an account for each time.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import type { Enrollment } from "../src/index.ts";
import type { MemoryChange } from "../src/memory-stores.ts";
import { decodeMemory } from "../src/memory.ts";
import { Device, ownerOf, readLiveVault } from "./live-vault.ts";
import { SoftwareAuthenticator } from "./software-authenticator.ts";

const vault = await readLiveVault();
const accounts = Object.keys(vault.tokens);

/** The page is closed. */
class Closed extends Error {
  override name = "Closed";
}

/** A device that is closed after the `left`th effect from when it is armed: an answer of the vault's, or what it keeps. */
class Mortal extends Device {
  left = Number.POSITIVE_INFINITY;
  effects = 0;

  arm(left: number): void {
    this.left = left;
    const keep = this.store.keep.bind(this.store);
    this.store.keep = async (change: MemoryChange) => {
      await keep(change);
      this.#count();
    };
    this.connection.cheat = { answer: () => this.#count() };
  }

  #count(): void {
    this.effects += 1;
    if (this.effects >= this.left) {
      throw new Closed("the page was closed");
    }
  }
}

interface Scene {
  readonly device: Mortal;
  readonly further: SoftwareAuthenticator;
  readonly enrolled: Enrollment;
}

const CHANGES: Readonly<Record<string, (scene: Scene) => Promise<unknown>>> = {
  renew: ({ device }) => device.client.renew(),
  name: ({ device, enrolled }) => device.client.renamePasskey(enrolled.credentialId, "Phone"),
  recovery: ({ device }) => device.client.setRecovery(),
  add: ({ device, further }) => device.client.addPasskey({ userName: "killed", further }),
  hold: ({ device }) => device.client.changeMode("vault-held"),
};

async function enrolled(account: string): Promise<Scene> {
  const device = new Mortal(vault, account);
  return { device, further: new SoftwareAuthenticator(), enrolled: await device.client.enroll({ userName: "killed" }) };
}

/** What the device would back up to opens, and what it backed up to before; by a device that starts anew from its memory. */
async function opens(account: string, { device, enrolled: { archiveIdentity } }: Scene): Promise<void> {
  const memory = decodeMemory(device.store.memory as string, ownerOf(vault, account));
  const next = new Device(vault, account, { authenticator: device.authenticator });
  next.store.memory = device.store.memory;
  const { identities } = await next.client.release();
  assert(
    identities.some((identity) => identity.recipient() === memory.archiveRecipient),
    "the newest archives",
  );
  assert(
    identities.some((identity) => identity.is(archiveIdentity)),
    "the archives from before",
  );
  assert.deepEqual(await next.client.examineHistory(), []);
}

let used = 0;
for (const [name, change] of Object.entries(CHANGES)) {
  test(`archives open wherever a page is closed: ${name}`, async () => {
    let effects = 0;
    for (let left = 1; left <= Math.max(effects, 1); left += 1) {
      const account = accounts[used++];
      assert(account !== undefined, "too few accounts");
      const scene = await enrolled(account);
      scene.device.arm(effects === 0 ? Number.POSITIVE_INFINITY : left);
      if (effects === 0) {
        await change(scene); // the control: it counts, and is not closed
        effects = scene.device.effects;
        left = 0;
        assert(effects > 5);
      } else {
        await assert.rejects(change(scene), Closed);
      }
      await opens(account, scene);
    }
  });
}
