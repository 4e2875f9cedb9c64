/** What the owner of a vault must see before anything else: what waits to be erased, and who changed something. */

import type { App } from "../app.ts";
import { button, h, shownDay, shownTime, type Content } from "../dom.ts";
import type { Notice, VaultStatus } from "../vault.ts";

/** Everything to be seen, most urgent first. */
export function attention(app: App, status: VaultStatus): Content {
  const { setAside, accountEraseAt } = status;
  return [
    setAside === undefined
      ? undefined
      : h("section", { class: "warn", "aria-label": "Set aside" }, [
          h("h2", {}, "Something is set aside, and will be erased"),
          h(
            "p",
            {},
            `On ${shownDay(setAside.setAsideAt)} somebody started over with your sign-in. What was there before is kept until ${shownDay(setAside.eraseAt)}. If that was not you, take it back.`,
          ),
          h("div", { class: "actions" }, [button("Look at what is set aside", () => app.go("set-aside"), "primary")]),
        ]),
    accountEraseAt === undefined
      ? undefined
      : h("section", { class: "warn" }, [
          h("h2", {}, "The product has asked for the erasure of your vault"),
          h(
            "p",
            {},
            `It takes effect on ${shownTime(accountEraseAt)}. Only the product can take that back: ask its support if you did not want this. Archives open with your recovery key in any case.`,
          ),
        ]),
    status.closed
      ? h("section", { class: "warn" }, [
          h("h2", {}, "Your vault is closed"),
          h("p", {}, "All attempts were used up. Nothing is lost: your recovery key opens the vault at once, a passkey when the wait is over."),
          h("div", { class: "actions" }, [button("Open the vault again", () => app.go("reopen"), "primary")]),
        ])
      : undefined,
    app.vault.notices().map(seenElsewhere),
  ];
}

const SAID: Readonly<Record<string, readonly [title: string, said: string]>> = {
  "passkey-added": ["A passkey was added elsewhere", "If that was not you, remove it under Passkeys and look at the history."],
  "passkey-removed": [
    "A passkey was removed elsewhere",
    "Restore once on this device, so that backups from here use the new key. If that was not you, look at the history.",
  ],
  "recovery-key-changed": [
    "The recovery key was replaced elsewhere",
    "The older one opens archives from before only. If that was not you, replace it again and look at the history.",
  ],
  "another-life": [
    "Your vault was begun anew elsewhere",
    "It was turned off, started over or taken back on another device. If that was not you, look at the history.",
  ],
};

function seenElsewhere(notice: Notice): Content {
  const words = SAID[notice.kind];
  return words === undefined
    ? undefined // what is told above or beside the passkey that it is about
    : h("section", { class: "warn" }, h("h2", {}, words[0]), h("p", {}, words[1]));
}
