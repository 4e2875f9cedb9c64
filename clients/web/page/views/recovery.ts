/** The recovery key: whether the paper is right, a new one, a new passkey by it, and the end of protection. */

import type { App, View } from "../app.ts";
import { button, fill, h, type Content } from "../dom.ts";
import { newRecoveryKey, type RecoveryKey, type VaultStatus } from "../vault.ts";
import { attention } from "./attention.ts";
import { keyField } from "./key-field.ts";
import { keyShown } from "./key-shown.ts";

export const recovery: View = {
  title: "Recovery key",
  link: "Recovery key",
  show: async (app) => {
    const status = await app.vault.status();
    const live = status.state === "live";
    return [
      attention(app, status),
      h("p", { class: "lead" }, "It opens your archives when every passkey is lost, even if the vault is gone, and lets a new passkey in."),
      checking(app),
      live ? lostAll(app) : undefined,
      live ? replacing(app) : undefined,
      live ? ending(app) : undefined,
      app.settings.mayReset && live ? startingOver(app, status) : undefined,
    ];
  },
};

function checking(app: App): Content {
  const answer = h("p", { role: "status" });
  const check = (key: RecoveryKey): void => {
    const inForce = app.vault.isRecoveryKey(key);
    fill(
      answer,
      inForce
        ? "No mistake in it, and it is the key in force."
        : "No mistake in it, but it is not the key that is in force now. It may still open older archives.",
    );
  };
  return h("details", { class: "card" }, [
    h("summary", {}, "Check what I wrote down"),
    h("p", {}, "Nothing of it leaves this device."),
    keyField("check-key", "Check it", check),
    answer,
  ]);
}

function lostAll(app: App): Content {
  const trouble = h("div");
  const add = async (key: RecoveryKey): Promise<void> => {
    const done = await app.prompting("Adding a passkey", trouble, async (prompts) => {
      await app.vault.addPasskey(key, "", prompts);
      return true;
    });
    if (done === true) {
      app.go("passkeys");
      app.say("The passkey was added. Remove those that you lost.");
    }
  };
  return h("details", { class: "card" }, [
    h("summary", {}, "I lost my passkeys"),
    h("p", {}, "The recovery key lets a new passkey in, and nothing is lost. Afterwards remove the lost ones under Passkeys."),
    keyField("lost-key", "Make a new passkey", add),
    trouble,
  ]);
}

function replacing(app: App): Content {
  const place = h("div");
  const start = (): void => {
    const key = newRecoveryKey();
    fill(place, keyShown(key, { fileName: "strongroom-recovery-key.txt", go: "Replace the old key", whenKept: () => replace(key) }));
  };
  const replace = async (key: RecoveryKey): Promise<void> => {
    const trouble = h("div");
    place.append(trouble);
    const done = await app.prompting("Waiting for your passkey", trouble, async (prompts) => {
      await app.vault.replaceRecoveryKey(key, prompts);
      return true;
    });
    if (done === true) {
      fill(place, h("section", { class: "good" }, h("p", {}, "The new recovery key is in force.")));
      app.say("The new recovery key is in force.");
    }
  };
  return h("details", { class: "card" }, [
    h("summary", {}, "Replace the recovery key"),
    h("p", {}, "If somebody may have seen it, or the paper is gone. The new key opens backups from now on; archives from before still open with the old one, and with your passkeys as ever. Keep the old paper as long as you keep those archives."),
    place,
    h("div", { class: "actions" }, [button("Show a new key", start)]),
  ]);
}

function ending(app: App): Content {
  const trouble = h("div");
  const end = async (): Promise<void> => {
    const yes = await app.confirm({
      title: "Turn the protection off?",
      said: [h("p", {}, "The vault forgets your keys. Passkeys then open nothing, and the archives that you have open with your recovery key only. That cannot be taken back.")],
      confirm: "Turn it off",
      dangerous: true,
    });
    if (!yes) {
      return;
    }
    const done = await app.prompting("Waiting for your passkey", trouble, async (prompts) => {
      await app.vault.delete(prompts);
      return true;
    });
    if (done === true) {
      app.go("overview");
    }
  };
  return h("details", { class: "card" }, [
    h("summary", {}, "Turn the protection off"),
    h("p", {}, "Your archives then open with the recovery key only."),
    h("div", { class: "actions" }, [button("Turn it off...", end, "danger")]),
    trouble,
  ]);
}

function startingOver(app: App, status: VaultStatus): Content {
  const trouble = h("div");
  const start = async (): Promise<void> => {
    const days = Math.round((status.policy?.resetGraceSeconds ?? 0) / 86_400);
    const yes = await app.confirm({
      title: "Start over?",
      said: [
        h("p", {}, `For somebody who has lost every passkey and the recovery key. What is in the vault is set aside and erased after ${days} days; until then any of its passkeys, or its recovery key, can take it back.`),
        h("p", {}, "Archives from before will not open with what you set up next."),
      ],
      confirm: "Start over",
      dangerous: true,
    });
    if (yes && (await app.trying(trouble, async () => ((await app.vault.reset()), true))) === true) {
      app.go("overview");
    }
  };
  return h("details", { class: "card" }, [
    h("summary", {}, "I lost everything"),
    h("p", {}, "Without any passkey and without the recovery key your archives cannot be opened. You can start over with a new vault."),
    h("div", { class: "actions" }, [button("Start over...", start, "danger")]),
    trouble,
  ]);
}
