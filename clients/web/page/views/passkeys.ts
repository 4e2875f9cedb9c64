/** The passkeys of the vault: which there are, one more, one less, and what losing one means. */

import type { App, View } from "../app.ts";
import { button, count, h, time, type Content } from "../dom.ts";
import type { Passkey, VaultStatus } from "../vault.ts";
import { attention } from "./attention.ts";
import { nameOf } from "./passkey-name.ts";

export const passkeys: View = {
  title: "Passkeys",
  link: "Passkeys",
  show: async (app) => {
    const status = await app.vault.status();
    if (status.state !== "live") {
      return h("p", {}, "No backups are protected yet. ", h("a", { href: "#/overview" }, "Go to the overview"));
    }
    const trouble = h("div");
    const unlocked = status.mode === "vault-held" ? locking(app, status, trouble) : undefined;
    return [attention(app, status), listed(app, status, trouble), trouble, unlocked, adding(app, trouble), ifLost(status)];
  },
};

function listed(app: App, status: VaultStatus, trouble: HTMLElement): Content {
  const items = status.passkeys.map((passkey, place) => item(app, status, passkey, place, trouble));
  return h("ul", { class: "list card", "aria-label": "Your passkeys" }, items);
}

function item(app: App, status: VaultStatus, passkey: Passkey, place: number, trouble: HTMLElement): Content {
  const name = nameOf(passkey, place);
  return h("li", {}, [
    h("div", {}, [
      h("p", {}, h("strong", {}, name), h("span", { class: "tag" }, passkey.backupEligible ? "synced" : "on one device")),
      h("p", { class: "hint" }, passkey.lastUsedAt === undefined ? "Never used" : ["Last used ", time(passkey.lastUsedAt)]),
      passkey.quarantined
        ? h("p", { class: "mistake" }, "Set aside: its counter went back, so that it may have been copied. It opens nothing until another passkey trusts it again.")
        : undefined,
    ]),
    h("div", { class: "actions" }, [
      described(button("Rename", () => rename(app, passkey, name, trouble)), `Rename ${name}`),
      passkey.quarantined ? described(button("Trust it again", () => trust(app, passkey, trouble)), `Trust ${name} again`) : undefined,
      status.passkeys.length > 1
        ? described(button("Remove", () => remove(app, passkey, name, trouble), "danger"), `Remove ${name}`)
        : undefined,
    ]),
  ]);
}

function described(control: HTMLButtonElement, name: string): HTMLButtonElement {
  control.setAttribute("aria-label", name);
  return control;
}

async function remove(app: App, passkey: Passkey, name: string, trouble: HTMLElement): Promise<void> {
  const yes = await app.confirm({
    title: `Remove ${name}?`,
    said: [
      h("p", {}, "It will open nothing from now on: not the vault, and no backup that you make after this. Backups from here use a fresh key."),
      h("p", {}, "You confirm with another passkey of yours. Delete it on its own device, too: the vault cannot do that."),
    ],
    confirm: "Remove it",
    dangerous: true,
  });
  if (!yes) {
    return;
  }
  const done = await app.prompting("Waiting for another passkey of yours", trouble, async (prompts) => {
    await app.vault.removePasskey(passkey.credentialId, prompts);
    return true;
  });
  if (done === true) {
    app.go("passkeys");
    app.say(`${name} was removed.`);
  }
}

async function rename(app: App, passkey: Passkey, name: string, trouble: HTMLElement): Promise<void> {
  const field = h("input", { id: "new-name", autocomplete: "off", maxlength: 64, value: passkey.name });
  const yes = await app.confirm({
    title: `Rename ${name}`,
    said: [h("label", { for: "new-name" }, "New name"), field, h("p", { class: "hint" }, "You confirm twice with a passkey of yours, since names are locked away with your key.")],
    confirm: "Rename it",
    dangerous: false,
  });
  if (!yes) {
    return;
  }
  const done = await app.prompting("Waiting for a passkey of yours", trouble, async (prompts) => {
    await app.vault.renamePasskey(passkey.credentialId, field.value.trim(), prompts);
    return true;
  });
  if (done === true) {
    app.go("passkeys");
  }
}

async function trust(app: App, passkey: Passkey, trouble: HTMLElement): Promise<void> {
  const done = await app.prompting("Waiting for another passkey of yours", trouble, async (prompts) => {
    await app.vault.liftQuarantine(passkey.credentialId, prompts);
    return true;
  });
  if (done === true) {
    app.go("passkeys");
  }
}

function adding(app: App, trouble: HTMLElement): Content {
  const name = h("input", { id: "name", autocomplete: "off", maxlength: 64, "aria-describedby": "name-hint" });
  const add = async (event: Event): Promise<void> => {
    event.preventDefault();
    const done = await app.prompting("Adding a passkey", trouble, async (prompts) => {
      await app.vault.addPasskey("passkey", name.value.trim(), prompts);
      return true;
    });
    if (done === true) {
      app.go("passkeys");
      app.say("The passkey was added. It opens all your backups.");
    }
  };
  return h("section", { class: "card" }, [
    h("h2", {}, "Add a passkey"),
    h("p", {}, "On another phone, computer or security key. Have both at hand: you are asked for one that you have, for the new one twice, for the one that you have again, and once more for the new one. It opens all your backups, also older ones."),
    h("form", { onsubmit: (event: Event) => void add(event) }, [
      h("label", { for: "name" }, "What to call it"),
      name,
      h("p", { id: "name-hint", class: "hint" }, "Such as: my phone. You may leave it empty. Only your devices see it, never the vault."),
      h("div", { class: "actions" }, [h("button", { type: "submit", class: "primary" }, "Add a passkey")]),
    ]),
    h("p", { class: "hint" }, "Lost all of them? ", h("a", { href: "#/recovery" }, "Use your recovery key"), "."),
  ]);
}

function locking(app: App, status: VaultStatus, trouble: HTMLElement): Content {
  const lock = async (): Promise<void> => {
    const done = await app.prompting("Waiting for your passkeys", trouble, async (prompts) => {
      await app.vault.lockWithPasskeys(prompts);
      return true;
    });
    if (done === true) {
      app.go("overview");
      app.say("Your passkeys lock your backups now.");
    }
  };
  const all = status.passkeys.length === 1 ? "Your passkey is" : `Each of your ${status.passkeys.length} passkeys is`;
  return h("section", { class: "warn" }, [
    h("h2", {}, "The vault holds your key by itself"),
    h("p", {}, `So whoever runs the vault could read your backups. Passkeys that have the ability for it (PRF) can lock the key instead. ${all} asked for. Backups from then on use a fresh key, which the vault has never seen; those from before still open.`),
    h("div", { class: "actions" }, [button("Lock it with my passkeys", lock, "primary")]),
  ]);
}

function ifLost(status: VaultStatus): Content {
  const others = status.passkeys.length - 1;
  return h("section", { class: "note" }, [
    h("h2", {}, "What if I lose a passkey?"),
    h("ul", {}, [
      h(
        "li",
        {},
        others > 0
          ? `Lose one: nothing is lost. ${count(others, "other passkey")} and your recovery key still open everything. Remove the lost one here.`
          : "Lose this one: your recovery key still opens everything, and lets a new passkey in. Add a second one to be safer.",
      ),
      h("li", {}, "Lose all passkeys: your recovery key opens your archives, and lets a new passkey in."),
      h("li", {}, "Lose all passkeys and the recovery key: your archives can never be opened again, by anybody."),
      h("li", {}, "Deleting a passkey on your device is losing it: make sure of another one first."),
      h("li", {}, "A synced passkey comes back with your account at its maker (such as Apple, Google or a password manager); one on one device is gone with that device."),
    ]),
  ]);
}
