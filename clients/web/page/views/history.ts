/** Who opened my backup, and when: everything that ever happened to the vault, checked to be whole. */

import type { View } from "../app.ts";
import { count, h, shownDay, time, type Content } from "../dom.ts";
import type { HistoryEvent, VaultStatus } from "../vault.ts";
import { howItEnded, isAlarming, whatHappened } from "../words/events.ts";
import { attention } from "./attention.ts";
import { passkeyName } from "./passkey-name.ts";

export const history: View = {
  title: "History",
  link: "History",
  show: async (app) => {
    const status = await app.vault.status();
    const events = await app.vault.history();
    return [attention(app, status), events.length === 0 ? h("p", {}, "Nothing has happened yet.") : table(events, status)];
  },
};

function table(events: readonly HistoryEvent[], status: VaultStatus): Content {
  const alarming = events.filter(isAlarming).length;
  const openings = events.filter(({ kind, outcome }) => kind === "release" && outcome === "granted");
  const last = openings[0];
  return [
    h("p", { class: "lead" }, last === undefined ? "Your backup was never opened." : ["Last opened: ", time(last.at), ". If that was not you, remove the passkey that did it and tell the product's support."]),
    alarming === 0 ? undefined : h("section", { class: "warn" }, h("p", {}, `${alarming === 1 ? "One entry" : `${alarming} entries`} below should make you look twice.`)),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "History of your vault" }, [
      h("table", {}, [
        h("caption", {}, checked(events)),
        h("thead", {}, h("tr", {}, ["When", "What", "By", "How it ended"].map((head) => h("th", { scope: "col" }, head)))),
        h("tbody", {}, events.map((event) => row(event, status))),
      ]),
    ]),
  ];
}

function row(event: HistoryEvent, status: VaultStatus): Content {
  return h("tr", { class: isAlarming(event) ? "alarming" : undefined }, [
    h("td", {}, time(event.at)),
    h("td", {}, whatHappened(event)),
    h("td", {}, by(event, status)),
    h("td", {}, howItEnded(event), event.eraseAt === undefined ? undefined : ` Erased on ${shownDay(event.eraseAt)}.`),
  ]);
}

const NOBODY: Readonly<Record<string, string>> = {
  reset: "your sign-in",
  "erase-account": "the product",
  "cancel-erase-account": "the product",
};

function by({ kind, signedBy }: HistoryEvent, status: VaultStatus): string {
  if (signedBy === undefined) {
    return NOBODY[kind] ?? "the vault";
  }
  return signedBy === "recovery-key" ? "recovery key" : passkeyName(signedBy.credentialId, status);
}

function checked(events: readonly HistoryEvent[]): string {
  return `${count(events.length, "entry", "entries")}, newest first. This page has checked that none is missing, and that the vault signed for them.`;
}
