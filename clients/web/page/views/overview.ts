/** How things stand: protected or not, what to look at, what to do next. */

import type { App, View } from "../app.ts";
import { button, count, h, time, type Content } from "../dom.ts";
import type { VaultStatus } from "../vault.ts";
import { attention } from "./attention.ts";

export const overview: View = {
  title: "Overview",
  link: "Overview",
  show: async (app) => {
    const status = await app.vault.status();
    return [attention(app, status), status.state === "live" ? standing(app, status) : beginning(app, status)];
  },
};

function standing(app: App, status: VaultStatus): Content {
  const ready = app.vault.backupRecipients() !== undefined;
  return [
    h(
      "section",
      { class: "good" },
      h("h2", {}, "Your backups are protected"),
      h(
        "p",
        {},
        status.mode === "prf"
          ? `Only ${status.passkeys.length === 1 ? "your passkey" : `your ${count(status.passkeys.length, "passkey")}`} and your recovery key can open them. Neither the vault nor the product can.`
          : "The vault keeps the key to them, and gives it out to your passkey only. Your recovery key opens them without the vault.",
      ),
    ),
    ready
      ? next(app, "Back up now", "backup", "Encrypts on this device. Needs no passkey and no network.")
      : next(
          app,
          "Restore once on this device",
          "restore",
          "This browser does not know yet which key to back up to. Restoring once tells it; you can also open your vault without an archive there.",
        ),
    h("h2", {}, "Details"),
    facts(status),
  ];
}

function next(app: App, label: string, view: string, said: string): Content {
  return h("section", { class: "card" }, [
    h("p", {}, said),
    h("div", { class: "actions" }, [button(label, () => app.go(view), "primary")]),
  ]);
}

function facts(status: VaultStatus): Content {
  const used = status.passkeys.flatMap(({ lastUsedAt }) => (lastUsedAt === undefined ? [] : [lastUsedAt]));
  const policy = status.policy;
  return h("dl", { class: "facts" }, [
    fact("Passkeys", `${status.passkeys.length}`),
    fact("Last used", used.length > 0 ? time(Math.max(...used)) : "never"),
    fact("Recovery key", status.hasRecoveryKey ? "in force" : "not yet in force"),
    policy === undefined
      ? undefined
      : [
          fact("Failed attempts left", `${status.attemptsLeft} of ${policy.budget}`),
          fact("If they are used up", policy.onExhaustion === "destroy" ? "the vault erases its keys" : "the vault closes for 7 days"),
          fact("May be opened", `${status.releasesLeft} more times today`),
        ],
    status.coolDownEndsAt === undefined ? undefined : fact("Waiting until", time(status.coolDownEndsAt)),
  ]);
}

function fact(name: string, value: Content): Content {
  return [h("dt", {}, name), h("dd", {}, value)];
}

const ENDED: Readonly<Record<string, string>> = {
  exhausted: "All attempts were used up, and the vault has erased the keys it kept. Archives still open with your recovery key.",
  deleted: "The protection was turned off. Archives from before still open with your recovery key.",
  erased: "Your vault was erased, as the product had asked. Archives still open with your recovery key.",
  empty: "You have started over: what was there before is set aside.",
};

function beginning(app: App, status: VaultStatus): Content {
  const ended = ENDED[status.state];
  return [
    ended === undefined ? undefined : h("section", { class: "warn" }, h("p", {}, ended)),
    h("p", { class: "lead" }, "Encrypt files on this device, keep the archive wherever you like, and open it again with a passkey."),
    h("section", { class: "card" }, [
      h("h2", {}, "How it works"),
      h("ul", {}, [
        h("li", {}, "Your files are encrypted here, before anything is saved. They are never uploaded to the vault."),
        h("li", {}, "The vault keeps one small locked key, and gives it back to your passkey only: your fingerprint, face or PIN."),
        h("li", {}, "You get a recovery key on paper. It opens your archives when every passkey is lost, even if the vault is gone."),
      ]),
      h("div", { class: "actions" }, [
        button("Protect my backups", () => app.go("protect"), "primary"),
        button("I have a recovery key and an archive", () => app.go("restore")),
      ]),
    ]),
  ];
}

