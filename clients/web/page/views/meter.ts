/** How far a long job is, for eyes and ears: a bar, and now and then a sentence. */

import { button, focusOn, h, shownSize } from "../dom.ts";

const SPOKEN_EVERY_MS = 5_000;

export class Meter {
  readonly element: HTMLElement;
  readonly #total: number;
  readonly #bar: HTMLProgressElement;
  readonly #heading: HTMLElement;
  readonly #shown = h("p", { "aria-hidden": "true" });
  readonly #spoken = h("p", { class: "unseen", role: "status" });
  readonly #cancelling = new AbortController();
  #spokenAt = performance.now();

  /** A job of so many bytes. */
  constructor(what: string, total: number) {
    this.#total = total;
    this.#bar = h("progress", { max: Math.max(total, 1), value: 0, "aria-label": what });
    this.#heading = h("h2", {}, `${what}...`);
    this.element = h("section", { class: "card" }, [
      this.#heading,
      this.#bar,
      this.#shown,
      this.#spoken,
      h("div", { class: "actions" }, [button("Cancel", () => this.cancel())]),
    ]);
    this.show(0);
  }

  /** Aborted when the user cancels. */
  get signal(): AbortSignal {
    return this.#cancelling.signal;
  }

  focus(): void {
    focusOn(this.#heading);
  }

  cancel(): void {
    this.#cancelling.abort();
  }

  /** So many bytes are done. */
  show(bytes: number): void {
    this.#bar.value = bytes;
    const percent = this.#total === 0 ? 100 : Math.min(100, Math.floor((100 * bytes) / this.#total));
    this.#shown.textContent = `${percent} % of ${shownSize(this.#total)}`;
    if (performance.now() - this.#spokenAt > SPOKEN_EVERY_MS) {
      this.#spokenAt = performance.now();
      this.#spoken.textContent = `${percent} %`;
    }
  }
}
