/** Where a recovery key is typed: mistakes are found before anything is sent, and the row is named. */

import { fill, h, type Content } from "../dom.ts";
import { parseRecoveryKey, RecoveryKeyTypo, type RecoveryKey } from "../vault.ts";

/** A form; `use` is called with a key that has no mistake. */
export function keyField(id: string, go: string, use: (key: RecoveryKey) => unknown): Content & Node {
  const mistake = h("p", { id: `${id}-mistake`, class: "mistake", role: "alert" });
  const field = h("textarea", {
    id,
    class: "key-field",
    rows: 8,
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
    "aria-describedby": `${id}-hint ${id}-mistake`,
  });
  const submit = (event: Event): void => {
    event.preventDefault();
    const key = read(field.value);
    const wrong = key instanceof RecoveryKeyTypo;
    field.setAttribute("aria-invalid", String(wrong));
    fill(mistake, wrong ? inWords(key) : undefined);
    if (wrong) {
      field.focus();
    } else {
      field.value = "";
      use(key);
    }
  };
  return h("form", { onsubmit: submit }, [
    h("label", { for: id }, "Recovery key"),
    field,
    h("p", { id: `${id}-hint`, class: "hint" }, "8 rows, as you wrote them down: like 1a2b 3c4d-e. Blanks, dashes and capitals do not matter."),
    mistake,
    h("div", { class: "actions" }, [h("button", { type: "submit" }, go)]),
  ]);
}

function read(text: string): RecoveryKey | RecoveryKeyTypo {
  try {
    return parseRecoveryKey(text);
  } catch (error) {
    if (error instanceof RecoveryKeyTypo) {
      return error;
    }
    throw error;
  }
}

function inWords(typo: RecoveryKeyTypo): string {
  if (typo.rows.length === 0) {
    return "The number of digits is wrong: 8 rows of 9 digits are needed, check digits included.";
  }
  const rows = typo.rows.join(", ");
  return `There is a mistake in row ${rows}: look for a wrong or swapped digit, a letter O for a zero, or a row in another's place.`;
}
