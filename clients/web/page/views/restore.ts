/** From an archive back to files: by a passkey through the vault, or by the recovery key alone, off line. */

import type { App, View } from "../app.ts";
import { button, count, fill, focusOn, h, shownSize, type Content } from "../dom.ts";
import { stage, type Staged } from "../files/staging.ts";
import { zipOf, type Found } from "../files/unpacking.ts";
import type { ArchiveIdentity } from "../vault.ts";
import { keyField } from "./key-field.ts";
import { Meter } from "./meter.ts";

export const restore: View = {
  title: "Restore",
  link: "Restore",
  show: (app) => {
    const place = h("div");
    choosing(app, place);
    return place;
  },
};

function choosing(app: App, place: HTMLElement): void {
  const trouble = h("div");
  const shown = h("div");
  const field = h("input", { id: "archive", type: "file", accept: ".age", "aria-describedby": "archive-hint" });
  field.addEventListener("change", () => {
    const archive = field.files?.[0];
    fill(trouble);
    fill(shown, archive === undefined ? undefined : ways(app, place, archive, trouble));
  });
  fill(place, [
    h("p", { class: "lead" }, "Open an archive that was made here, or with the Strongroom command line."),
    h("label", { for: "archive" }, "The archive"),
    field,
    h("p", { id: "archive-hint", class: "hint" }, "A file whose name ends in .tar.zst.age. It stays on this device."),
    shown,
    trouble,
    openVault(app, trouble),
  ]);
}

function ways(app: App, place: HTMLElement, archive: File, trouble: HTMLElement): Content {
  const byPasskey = async (): Promise<void> => {
    const identities = await released(app, trouble);
    if (identities !== undefined) {
      await open(app, place, archive, identities);
    }
  };
  const key = keyField("restore-key", "Restore with the recovery key", (recoveryKey) =>
    open(app, place, archive, [recoveryKey.ageIdentity()]),
  );
  return [
    h("section", { class: "card" }, [
      h("h2", {}, "With a passkey"),
      h("p", {}, "The vault gives the key back to your passkey. That is written down in your history."),
      h("div", { class: "actions" }, [button("Restore with a passkey", byPasskey, "primary")]),
    ]),
    h("details", { class: "card" }, [
      h("summary", {}, "With the recovery key"),
      h("p", {}, "Works without the vault, on this device alone; no attempt is used and nothing is written down."),
      key,
    ]),
  ];
}

function openVault(app: App, trouble: HTMLElement): Content {
  if (app.vault.backupRecipients() !== undefined) {
    return undefined;
  }
  const open = async (): Promise<void> => {
    if ((await released(app, trouble)) !== undefined) {
      app.say("This device is ready to back up.");
      app.go("overview");
    }
  };
  return h("details", {}, [
    h("summary", {}, "No archive at hand? Make this device ready to back up"),
    h("p", {}, "Your passkey opens the vault once, so that this browser learns which key to back up to."),
    h("div", { class: "actions" }, [button("Open the vault with a passkey", open)]),
  ]);
}

async function released(app: App, trouble: HTMLElement): Promise<readonly ArchiveIdentity[] | undefined> {
  // Its mode is asked for, since a device that knows nothing yet must not take whatever it is given.
  if ((await app.trying(trouble, () => app.vault.status())) === undefined) {
    return undefined;
  }
  return app.prompting("Waiting for your passkey", trouble, (prompts) => app.vault.release(prompts));
}

async function open(app: App, place: HTMLElement, archive: File, identities: readonly ArchiveIdentity[]): Promise<void> {
  const meter = new Meter("Restoring", archive.size);
  app.onLeave(() => meter.cancel());
  fill(place, meter.element);
  meter.focus();
  try {
    const { zip, found } = zipOf(archive, identities, (bytes) => meter.show(bytes));
    const staged = await stage(zip, meter.signal);
    finished(app, place, staged, found);
  } catch (error) {
    choosing(app, place);
    if (meter.signal.aborted) {
      app.say("Cancelled. Nothing was restored.");
    } else {
      const trouble = h("div");
      place.append(trouble);
      app.tell(trouble, error);
    }
  }
}

const MOST_NAMES = 500;

function finished(app: App, place: HTMLElement, staged: Staged, found: Found): void {
  const address = URL.createObjectURL(staged.file);
  app.onLeave(() => {
    URL.revokeObjectURL(address);
    void staged.discard();
  });
  const heading = h("h2", {}, "Restored");
  const files = found.files.slice(0, MOST_NAMES).map(({ name, bytes }) => h("li", {}, `${name} (${shownSize(bytes)})`));
  fill(place, [
    h("section", { class: "good" }, [
      heading,
      h("p", {}, `${count(found.files.length, "file")}, whole and unaltered since the backup.`),
      h("div", { class: "actions" }, [
        h("a", { class: "button primary", href: address, download: "restored.zip" }, "Save all as a ZIP"),
        button("Restore another archive", () => app.go("restore")),
      ]),
    ]),
    leftOut(found.leftOut),
    h("h2", {}, "What was in it"),
    h("ul", { class: "names", tabindex: "0", "aria-label": "Restored files" }, files),
    found.files.length > files.length ? h("p", { class: "hint" }, `And ${found.files.length - files.length} more.`) : undefined,
  ]);
  focusOn(heading);
}

function leftOut(names: readonly string[]): Content {
  if (names.length === 0) {
    return undefined;
  }
  return h("section", { class: "warn" }, [
    h("p", {}, `${count(names.length, "link")} cannot be kept in a ZIP and ${names.length === 1 ? "is" : "are"} left out. The Strongroom command line restores links, too.`),
    h("ul", {}, names.slice(0, MOST_NAMES).map((name) => h("li", {}, name))),
  ]);
}
