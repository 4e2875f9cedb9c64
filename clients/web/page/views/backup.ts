/** From files to an encrypted archive that the user keeps: without a passkey, without the network. */

import type { App, View } from "../app.ts";
import { button, count, fill, focusOn, h, shownSize, type Content } from "../dom.ts";
import { fromDrop, fromField, totalBytes, type Chosen } from "../files/choosing.ts";
import { archiveOf } from "../files/packing.ts";
import { stage, type Staged } from "../files/staging.ts";
import { Meter } from "./meter.ts";

export const backup: View = {
  title: "Back up",
  link: "Back up",
  show: (app) => {
    const recipients = app.vault.backupRecipients();
    if (recipients === undefined) {
      return notReady(app);
    }
    const place = h("div");
    choosing(app, place, recipients);
    return place;
  },
};

function notReady(app: App): Content {
  return [
    h("p", {}, "This browser does not know yet which key to back up to: protect your backups first, or restore once on this device."),
    h("div", { class: "actions" }, [button("Go to the overview", () => app.go("overview"), "primary")]),
  ];
}

function choosing(app: App, place: HTMLElement, recipients: readonly string[]): void {
  const shown = h("div", { "aria-live": "polite" });
  const trouble = h("div");
  const choose = (chosen: readonly Chosen[]): void => {
    fill(trouble);
    fill(shown, chosen.length === 0 ? undefined : offer(chosen, () => void encrypt(app, place, trouble, chosen, recipients)));
  };
  const folder = picker("folder", "Choose a folder", choose);
  folder.field.setAttribute("webkitdirectory", "");
  const files = picker("files", "Or choose files", choose);
  const drop = h("div", { class: "drop" }, folder.parts, files.parts, h("p", { class: "hint" }, "Or drop them here."));
  catchDrops(drop, choose);
  fill(place, [
    h("p", { class: "lead" }, "Your files are encrypted on this device into one archive, which you keep wherever you like. Nothing is uploaded."),
    drop,
    shown,
    trouble,
  ]);
}

function picker(
  id: string,
  label: string,
  choose: (chosen: readonly Chosen[]) => void,
): { readonly field: HTMLInputElement; readonly parts: Content } {
  const field = h("input", { id, type: "file", multiple: true });
  field.addEventListener("change", () => choose(fromField(field)));
  return { field, parts: [h("label", { for: id }, label), field] };
}

function catchDrops(drop: HTMLElement, choose: (chosen: readonly Chosen[]) => void): void {
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer !== null) {
      void fromDrop(event.dataTransfer).then(choose);
    }
  });
}

function offer(chosen: readonly Chosen[], go: () => void): Content {
  const names = chosen.slice(0, MOST_NAMES).map(({ path, file }) => h("li", {}, `${path} (${shownSize(file.size)})`));
  const more = chosen.length - names.length;
  return [
    h("p", {}, `${count(chosen.length, "file")}, ${shownSize(totalBytes(chosen))} in all.`),
    h("ul", { class: "names", tabindex: "0", "aria-label": "Files to back up" }, names),
    more > 0 ? h("p", { class: "hint" }, `And ${more} more.`) : undefined,
    h("div", { class: "actions" }, [button("Encrypt", go, "primary")]),
  ];
}

const MOST_NAMES = 200;

async function encrypt(
  app: App,
  place: HTMLElement,
  trouble: HTMLElement,
  chosen: readonly Chosen[],
  recipients: readonly string[],
): Promise<void> {
  const meter = new Meter("Encrypting", totalBytes(chosen));
  app.onLeave(() => meter.cancel());
  fill(place, meter.element);
  meter.focus();
  try {
    const archive = await stage(await archiveOf(chosen, recipients, (bytes) => meter.show(bytes)), meter.signal);
    finished(app, place, archive, chosen);
  } catch (error) {
    choosing(app, place, recipients);
    if (!meter.signal.aborted) {
      place.append(trouble);
      app.tell(trouble, error);
    } else {
      app.say("Cancelled. No archive was made.");
    }
  }
}

function finished(app: App, place: HTMLElement, archive: Staged, chosen: readonly Chosen[]): void {
  const address = URL.createObjectURL(archive.file);
  app.onLeave(() => {
    URL.revokeObjectURL(address);
    void archive.discard();
  });
  const heading = h("h2", {}, "The archive is ready");
  fill(place, [
    h("section", { class: "good" }, [
      heading,
      h("p", {}, `${count(chosen.length, "file")}, encrypted into ${shownSize(archive.file.size)}. Without your passkey or recovery key nobody can open it.`),
      h("div", { class: "actions" }, [
        h("a", { class: "button primary", href: address, download: archiveName(new Date()) }, "Save the archive"),
        button("Back up something else", () => app.go("backup")),
      ]),
    ]),
    h("p", {}, "Keep it anywhere: on another disk, in a cloud, with a friend. To open it again, come back here on any device."),
  ]);
  focusOn(heading);
}

/** What an archive of that moment is called. */
export function archiveName(at: Date): string {
  const [day, rest = ""] = at.toISOString().split("T");
  return `backup-${day ?? ""}-${rest.slice(0, 5).replace(":", "")}.tar.zst.age`;
}
