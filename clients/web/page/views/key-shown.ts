/** The recovery key, shown once: kept on paper or as a file, and one row typed again before going on. */

import { button, fill, h, type Content } from "../dom.ts";
import type { RecoveryKey } from "../vault.ts";

interface Keeping {
  readonly fileName: string;
  /** What the button says that goes on. */
  readonly go: string;
  readonly whenKept: () => void;
}

/** Show the key; `whenKept` is called once a row of it was typed again. */
export function keyShown(key: RecoveryKey, keeping: Keeping): Content {
  const rows = key.rows();
  const asked = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  const row = asked % rows.length;
  const mistake = h("p", { id: "row-mistake", class: "mistake", role: "alert" });
  const field = h("input", {
    id: "row",
    class: "key-field",
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
    "aria-describedby": "row-mistake",
  });
  const go = (event: Event): void => {
    event.preventDefault();
    const right = plain(field.value) === plain(rows[row] ?? "");
    field.setAttribute("aria-invalid", String(!right));
    fill(mistake, right ? undefined : `That is not row ${row + 1}. Compare it with what you wrote down.`);
    if (right) {
      keeping.whenKept();
    } else {
      field.focus();
    }
  };
  return [
    h("section", { class: "card" }, [
      h("h3", { class: "unseen" }, "Recovery key"),
      h("ol", { class: "key-rows", "aria-label": "Recovery key, 8 rows" }, rows.map((one) => h("li", {}, one))),
      h("div", { class: "actions" }, [
        button("Print", () => window.print()),
        button("Copy", () => navigator.clipboard.writeText(rows.join("\n"))),
        h("a", { class: "button", download: keeping.fileName, href: file(rows) }, "Save as a file"),
      ]),
      h("p", { class: "hint" }, "Whoever has this key can open your archives. Paper in a safe place is best; not a photo, not an e-mail."),
    ]),
    h("form", { onsubmit: go, class: "not-printed" }, [
      h("label", { for: "row" }, `Type row ${row + 1} again, to be sure that you have it`),
      field,
      mistake,
      h("div", { class: "actions" }, [h("button", { type: "submit", class: "primary" }, keeping.go)]),
    ]),
  ];
}

// A data address and no blob: nothing to be given back, and it goes with the page.
function file(rows: readonly string[]): string {
  const text = `Strongroom recovery key\n\n${rows.join("\n")}\n\nOpens your archives when every passkey is lost. Keep it safe.\n`;
  return `data:text/plain;charset=utf-8,${encodeURIComponent(text)}`;
}

function plain(row: string): string {
  return row.replace(/[\s-]/g, "").toLowerCase();
}
