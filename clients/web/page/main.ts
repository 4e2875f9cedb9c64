/** Starts the page for whoever is signed in. */

import { App, type Views } from "./app.ts";
import { fill, h } from "./dom.ts";
import { removeLeftovers } from "./files/staging.ts";
import { readSettings } from "./settings.ts";
import { openVault } from "./vault.ts";
import { backup } from "./views/backup.ts";
import { history } from "./views/history.ts";
import { overview } from "./views/overview.ts";
import { passkeys } from "./views/passkeys.ts";
import { protect } from "./views/protect.ts";
import { recovery } from "./views/recovery.ts";
import { restore } from "./views/restore.ts";
import { reopen, setAside } from "./views/set-aside.ts";

const VIEWS: Views = { overview, backup, restore, passkeys, recovery, history, protect, "set-aside": setAside, reopen };

const settings = readSettings(document);
await removeLeftovers();
const app = new App(await openVault(settings), settings, VIEWS);
const who = document.getElementById("who");
if (who !== null) {
  fill(who, h("div", { class: "who" }, h("span", {}, `Signed in as ${settings.userName}`), app.signOutForm("Sign out")));
}
await app.start();
