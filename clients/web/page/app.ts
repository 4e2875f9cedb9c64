/** The page around its views: which is shown, who has the keyboard, what is read out, and what happens on failure. */

import { VaultWentBack } from "../src/index.ts";
import { confirmed, Waiting, type Question } from "./asking.ts";
import { button, fill, focusOn, h, type Content } from "./dom.ts";
import type { Settings } from "./settings.ts";
import type { Prompts, Vault } from "./vault.ts";
import { explain } from "./words/errors.ts";

/** A view: its title for headings and history, and what it shows. */
export interface View {
  readonly title: string;
  /** What its link says; without one it is reached from other views only. */
  readonly link?: string;
  readonly show: (app: App) => Promise<Content> | Content;
}

/** Names of views, as they stand behind the # of the address. */
export type Views = Readonly<Record<string, View>>;

export class App {
  readonly vault: Vault;
  readonly settings: Settings;
  readonly #views: Views;
  readonly #main: HTMLElement;
  readonly #said: HTMLElement;
  readonly #sections: HTMLElement;
  #shown = 0;
  #leaving: (() => void)[] = [];

  constructor(vault: Vault, settings: Settings, views: Views) {
    this.vault = vault;
    this.settings = settings;
    this.#views = views;
    this.#main = required("content");
    this.#said = required("said");
    this.#sections = required("sections");
    window.addEventListener("hashchange", () => void this.#show());
  }

  /** Show the first view. */
  async start(): Promise<void> {
    await this.#show();
  }

  /** Go to another view, or show this one anew. */
  go(name: string): void {
    if (current() === name) {
      void this.#show();
    } else {
      location.hash = `/${name}`;
    }
  }

  /** Have something read out that is seen elsewhere. */
  say(text: string): void {
    this.#said.textContent = text;
  }

  /** Do something when the view is left. */
  onLeave(act: () => void): void {
    this.#leaving.push(act);
  }

  /** Ask the user for a yes. */
  confirm(question: Question): Promise<boolean> {
    return confirmed(question);
  }

  /**
   * Do what asks for passkeys, behind a dialog that can be cancelled. Returns undefined when it failed, which was told in
   * `place` then.
   */
  async prompting<Result>(
    title: string,
    place: Element,
    work: (prompts: Prompts) => Promise<Result>,
  ): Promise<Result | undefined> {
    if (this.vault.holdsKeysUnasked && !(await this.#vaultMayHold())) {
      return undefined;
    }
    const waiting = new Waiting(title);
    waiting.open();
    try {
      return await this.trying(place, () => work(waiting), () =>
        waiting.close(),
      );
    } finally {
      waiting.close();
    }
  }

  /** Do something, and tell in `place` when it failed. `beforeTelling` clears the way. */
  async trying<Result>(
    place: Element,
    work: () => Promise<Result>,
    beforeTelling: () => void = () => undefined,
  ): Promise<Result | undefined> {
    fill(place);
    try {
      return await work();
    } catch (error) {
      beforeTelling();
      this.tell(place, error);
      return undefined;
    }
  }

  /** Tell in `place` what failed. */
  tell(place: Element, error: unknown): void {
    const { title, said } = explain(error);
    const heading = h("h2", {}, title);
    const actions = h("div", { class: "actions" }, [
      signInAgain(error) ? this.signOutForm("Sign in again") : undefined,
      error instanceof VaultWentBack ? button("The product has told me why", () => this.#acceptOlder(place), "danger") : undefined,
    ]);
    fill(place, h("section", { class: "trouble", role: "alert", "data-error": nameOf(error) }, heading, h("p", {}, said), actions));
    focusOn(heading);
  }

  /** Never by itself: what this device remembers is all that shows that a vault went back. */
  async #acceptOlder(place: Element): Promise<void> {
    const yes = await confirmed({
      title: "Go on with an older state?",
      said: [
        h("p", {}, "Go on only if the product has told you that its vault was restored from a backup. What was changed since then is undone: passkeys that you added, a recovery key that you replaced. Look at them afterwards."),
      ],
      confirm: "It was restored: go on",
      dangerous: true,
    });
    if (yes && (await this.trying(place, async () => (await this.vault.acceptOlder(), true))) === true) {
      this.go("overview");
    }
  }

  /** A button that signs out: a form, since the page may speak to nobody but the vault. */
  signOutForm(label: string): HTMLFormElement {
    return h("form", { method: "post", action: this.settings.signOut }, h("button", { type: "submit" }, label));
  }

  /** Never unasked: whoever runs the vault could have read what is in there, and a false vault would say the same. */
  async #vaultMayHold(): Promise<boolean> {
    const agreed = await confirmed({
      title: "The vault holds your key by itself",
      said: [
        h(
          "p",
          {},
          "Your passkey guards the key but does not lock it, so that whoever runs the vault could read your backups. Go on only if you chose that when you protected them.",
        ),
      ],
      confirm: "I chose that: go on",
      dangerous: true,
    });
    if (agreed) {
      this.vault.agreeThatItHoldsKeys();
    }
    return agreed;
  }

  async #show(): Promise<void> {
    const name = current() in this.#views ? current() : "overview";
    const view = this.#views[name];
    if (view === undefined) {
      return;
    }
    this.#shown += 1;
    const turn = this.#shown;
    this.#leaving.splice(0).forEach((act) => act());
    document.title = `${view.title} - Strongroom`;
    this.#link(name);
    const heading = h("h1", {}, view.title);
    const place = h("div");
    fill(this.#main, heading, h("p", { class: "pulse", role: "status" }, "Asking the vault..."));
    focusOn(heading);
    let content: Content;
    try {
      content = await view.show(this);
    } catch (error) {
      if (turn === this.#shown) {
        fill(this.#main, heading, place);
        this.tell(place, error);
        place.append(h("div", { class: "actions" }, button("Try again", () => this.#show())));
      }
      return;
    }
    if (turn === this.#shown) {
      fill(this.#main, heading, content);
      focusOn(heading);
      this.say("");
    }
  }

  /** The link of the view that is shown changes no address, but is meant to show it anew. */
  #again(name: string): void {
    if (name === current()) {
      void this.#show();
    }
  }

  #link(shown: string): void {
    const links = Object.entries(this.#views).flatMap(([name, { link }]) =>
      link === undefined
        ? []
        : [h("li", {}, h("a", { href: `#/${name}`, "aria-current": name === shown ? "page" : undefined, onclick: () => this.#again(name) }, link))],
    );
    fill(this.#sections, h("ul", {}, links));
  }
}

function current(): string {
  return location.hash.replace(/^#\//, "") || "overview";
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "unknown";
}

function signInAgain(error: unknown): boolean {
  return ["AccountTokenRejected", "ScopeMissing"].includes(nameOf(error));
}

function required(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) {
    throw new TypeError(`the page has no #${id}`);
  }
  return found;
}
