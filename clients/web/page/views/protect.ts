/** From nothing to a protected vault: the recovery key first, so that nobody has a vault without one; then the passkey. */

import type { App, View } from "../app.ts";
import { button, fill, focusOn, h, type Content } from "../dom.ts";
import { newRecoveryKey, type RecoveryKey } from "../vault.ts";
import { keyShown } from "./key-shown.ts";

const STEPS = ["Your recovery key", "Your passkey", "Done"];

export const protect: View = {
  title: "Protect my backups",
  show: async (app) => {
    const status = await app.vault.status();
    if (status.state === "live") {
      return h("p", {}, "Your backups are protected already. ", h("a", { href: "#/overview" }, "Back to the overview"));
    }
    const place = h("div");
    atKey(app, place, newRecoveryKey());
    return place;
  },
};

function atKey(app: App, place: HTMLElement, key: RecoveryKey): void {
  step(place, 0, [
    h("p", {}, "This key opens your archives when every passkey is lost, even if the vault is gone. It is shown now and never again."),
    keyShown(key, { fileName: "strongroom-recovery-key.txt", go: "Continue", whenKept: () => atPasskey(app, place, key) }),
  ]);
}

function atPasskey(app: App, place: HTMLElement, key: RecoveryKey): void {
  const trouble = h("div");
  const make = async (mode: "prf" | "vault-held"): Promise<void> => {
    const done = await app.prompting("Waiting for your passkey", trouble, async (prompts) => {
      await app.vault.enroll(key, mode, prompts);
      return true;
    });
    if (done === true) {
      atEnd(app, place);
    } else if (trouble.querySelector("[data-error=PrfUnavailable]") !== null) {
      trouble.append(otherWay(app, () => make("vault-held")));
    }
  };
  step(place, 1, [
    h("p", {}, "A passkey is a key in your phone, computer or security key, which your fingerprint, face or PIN unlocks."),
    h("p", {}, "Your device will ask three times: to make the passkey, to lock your key with it, and to prove that it opens again."),
    trouble,
    h("div", { class: "actions" }, [button("Create a passkey", () => make("prf"), "primary")]),
  ]);
}

function otherWay(app: App, make: () => Promise<void>): Content & Node {
  return h("section", { class: "card" }, [
    h("h2", {}, "If you have no other passkey"),
    h(
      "p",
      {},
      "The vault can hold the key by itself, and give it out to your passkey only. Then whoever runs the vault could read your backups, which they cannot do otherwise.",
    ),
    h("div", { class: "actions" }, [
      button("Let the vault hold the key", async () => {
        const yes = await app.confirm({
          title: "Let the vault hold the key?",
          said: [h("p", {}, "Your passkey then guards the key, but does not lock it. You can change that later with another passkey.")],
          confirm: "Let the vault hold it",
          dangerous: true,
        });
        if (yes) {
          await make();
        }
      }),
    ]),
  ]);
}

function atEnd(app: App, place: HTMLElement): void {
  step(place, 2, [
    h("section", { class: "good" }, [
      h("p", {}, "Your backups are protected, and the key was opened once to prove it. Keep the paper with your recovery key in a safe place."),
    ]),
    h("div", { class: "actions" }, [
      button("Back up now", () => app.go("backup"), "primary"),
      button("Add a second passkey", () => app.go("passkeys")),
    ]),
    h("p", { class: "hint" }, "With a second passkey on another device, losing one of them loses nothing."),
  ]);
  app.say("Your backups are protected.");
}

function step(place: HTMLElement, number: number, content: Content): void {
  const heading = h("h2", {}, STEPS[number] ?? "");
  fill(
    place,
    h(
      "ol",
      { class: "steps", "aria-label": "Steps" },
      STEPS.map((name, at) => h("li", { "aria-current": at === number ? "step" : undefined }, name)),
    ),
    heading,
    content,
  );
  if (number > 0) {
    focusOn(heading);
  }
}
