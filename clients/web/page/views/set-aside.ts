/** What a reset has set aside, and how its owner takes it back; and a vault that closed itself, likewise opened again. */

import type { App, View } from "../app.ts";
import { button, count, h, shownDay, time, type Content } from "../dom.ts";
import type { RecoveryKey, SetAside } from "../vault.ts";
import { keyField } from "./key-field.ts";

export const setAside: View = {
  title: "Set aside",
  show: async (app) => {
    const { setAside: aside, state } = await app.vault.status();
    if (aside === undefined) {
      return h("p", {}, "Nothing is set aside. ", h("a", { href: "#/overview" }, "Back to the overview"));
    }
    return [described(aside), takingBack(app, state === "live")];
  },
};

function described(aside: SetAside): Content {
  return [
    h("p", { class: "lead" }, `Somebody who was signed in as you started over on ${shownDay(aside.setAsideAt)}. What was there before can be taken back until it is erased.`),
    h("dl", { class: "facts card" }, [
      fact("Set aside", time(aside.setAsideAt)),
      fact("Will be erased", time(aside.eraseAt)),
      fact("Its passkeys", `${aside.passkeys.length}`),
      fact("Its recovery key", aside.hasRecoveryKey ? "can take it back, too" : "none"),
      fact("Failed attempts left", `${aside.attemptsLeft}`),
      fact("Its keys", count(aside.archives.length, "version")),
      aside.coolDownEndsAt === undefined ? undefined : fact("Waiting until", time(aside.coolDownEndsAt)),
    ]),
  ];
}

function fact(name: string, value: Content): Content {
  return [h("dt", {}, name), h("dd", {}, value)];
}

function takingBack(app: App, newerIsLive: boolean): Content {
  const trouble = h("div");
  const take = async (by: "passkey" | RecoveryKey): Promise<void> => {
    if (newerIsLive && !(await agreed(app))) {
      return;
    }
    const done = await app.prompting("Waiting for a passkey from before", trouble, async (prompts) => {
      await app.vault.reopenSetAside(by, prompts);
      return true;
    });
    if (done === true) {
      app.go("overview");
      app.say("It is back. Restore once on this device, so that it knows what to back up to.");
    }
  };
  return h("section", { class: "card" }, [
    h("h2", {}, "Take it back"),
    h("p", {}, "With a passkey that it had, or its recovery key. Whoever started over cannot do that."),
    h("div", { class: "actions" }, [button("Take it back with a passkey", () => take("passkey"), "primary")]),
    h("details", {}, [h("summary", {}, "With the recovery key"), keyField("aside-key", "Take it back with the recovery key", take)]),
    trouble,
  ]);
}

function agreed(app: App): Promise<boolean> {
  return app.confirm({
    title: "Take back what was set aside?",
    said: [
      h("p", {}, "It takes the place of the newer vault, which is dropped: its passkeys open nothing any more, and archives made since then open with that newer vault's recovery key only."),
    ],
    confirm: "Take it back",
    dangerous: true,
  });
}

export const reopen: View = {
  title: "Open the vault again",
  show: async (app) => {
    const { closed, coolDownEndsAt } = await app.vault.status();
    if (!closed) {
      return h("p", {}, "Your vault is not closed. ", h("a", { href: "#/overview" }, "Back to the overview"));
    }
    const trouble = h("div");
    const open = async (by: "passkey" | RecoveryKey): Promise<void> => {
      const done = await app.prompting("Waiting for your passkey", trouble, async (prompts) => {
        await app.vault.reopenClosed(by, prompts);
        return true;
      });
      if (done === true) {
        app.go("overview");
      }
    };
    return [
      h("p", { class: "lead" }, "Too many failed attempts closed it. Nothing is lost."),
      h("section", { class: "card" }, [
        h("h2", {}, "With the recovery key, now"),
        keyField("closed-key", "Open the vault", open),
      ]),
      h("section", { class: "card" }, [
        h("h2", {}, "With a passkey, when the wait is over"),
        coolDownEndsAt === undefined ? undefined : h("p", {}, "That is ", time(coolDownEndsAt), "."),
        h("div", { class: "actions" }, [button("Open with a passkey", () => open("passkey"))]),
      ]),
      trouble,
    ];
  },
};
