/** Dialogs: the native element, so that the keyboard stays inside, Escape closes, and what was focused is focused again. */

import { button, h, type Content } from "./dom.ts";

/** What a confirmation asks. */
export interface Question {
  readonly title: string;
  readonly said: readonly Content[];
  /** What the confirming button says: what will be done. */
  readonly confirm: string;
  readonly dangerous: boolean;
}

/** Ask, and tell whether it was confirmed. */
export function confirmed(question: Question): Promise<boolean> {
  return new Promise((resolve) => {
    const kind = question.dangerous ? "danger" : "primary";
    const dialog = framed(question.title, [
      ...question.said,
      h("div", { class: "actions" }, [
        button(question.confirm, () => dialog.close("yes"), kind),
        button("Cancel", () => dialog.close("no")),
      ]),
    ]);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    dialog.showModal();
  });
}

/** Shown while a passkey is asked for: what is going on, and a way out. */
export class Waiting {
  readonly #dialog: HTMLDialogElement;
  readonly #now = h("p", { role: "status" });
  readonly #cancelling = new AbortController();
  readonly #actions = h("div", { class: "actions" }, [button("Cancel", () => this.#cancelling.abort())]);

  constructor(title: string) {
    this.#dialog = framed(title, [
      this.#now,
      h("p", { class: "hint" }, "Follow what your browser or device shows."),
      this.#actions,
    ]);
    this.#dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.#cancelling.abort();
    });
  }

  /** Aborted when the user cancels. */
  get signal(): AbortSignal {
    return this.#cancelling.signal;
  }

  /** Say what is going on now. */
  say(text: string): void {
    this.#now.textContent = text;
  }

  /** Have the user press a button before the next prompt, or cancel. */
  pressed(): Promise<void> {
    return new Promise((resolve) => {
      const go = button("Continue", () => undefined, "primary");
      const done = (): void => {
        go.remove();
        resolve();
      };
      go.addEventListener("click", done);
      this.signal.addEventListener("abort", done);
      this.#actions.prepend(go);
      go.focus();
    });
  }

  open(): void {
    this.#dialog.showModal();
  }

  close(): void {
    this.#dialog.close();
    this.#dialog.remove();
  }
}

let dialogs = 0;

function framed(title: string, content: readonly Content[]): HTMLDialogElement {
  dialogs += 1;
  const id = `dialog-${dialogs}`;
  const dialog = h("dialog", { "aria-labelledby": id }, h("h2", { id }, title), ...content);
  document.body.append(dialog);
  return dialog;
}
