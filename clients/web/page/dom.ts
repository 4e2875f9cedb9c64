/** Elements from typed descriptions. Text is only ever set as text: no string becomes markup (the CSP forbids it, too). */

/** What may stand in an element. */
export type Content = Node | string | readonly Content[] | undefined;

type Attributes = Readonly<Record<string, string | number | boolean | undefined | ((event: Event) => void)>>;

/** Make an element. Attributes that are functions are listeners (`onclick`); true is an attribute without value. */
export function h<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...content: readonly Content[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") {
      element.addEventListener(key.slice(2), value);
    } else if (value !== undefined && value !== false) {
      element.setAttribute(key, value === true ? "" : String(value));
    }
  }
  put(element, content);
  return element;
}

/** Append content. */
export function put(element: Element, content: Content): void {
  if (content === undefined) {
    return;
  }
  if (typeof content === "string" || content instanceof Node) {
    element.append(content);
    return;
  }
  for (const one of content) {
    put(element, one);
  }
}

/** Put content in place of all that an element holds. */
export function fill(element: Element, ...content: readonly Content[]): void {
  element.replaceChildren();
  put(element, content);
}

/** A button that does something. */
export function button(label: string, act: () => unknown, kind: "" | "primary" | "danger" = ""): HTMLButtonElement {
  return h("button", { type: "button", class: kind || undefined, onclick: () => void act() }, label);
}

/** Give an element the keyboard and have it read out, though it is no control. */
export function focusOn(element: HTMLElement): void {
  element.tabIndex = -1;
  element.focus({ preventScroll: false });
}

/** A time for people, which programs can read too. */
export function time(at: number): HTMLElement {
  return h("time", { datetime: new Date(at).toISOString() }, shownTime(at));
}

const TIMES = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const DAYS = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });

/** A time in the user's own place and way. */
export function shownTime(at: number): string {
  return TIMES.format(at);
}

/** A day likewise. */
export function shownDay(at: number): string {
  return DAYS.format(at);
}

/** A size for people. */
export function shownSize(bytes: number): string {
  const units = ["kB", "MB", "GB", "TB"];
  let [size, unit] = [bytes, "bytes"];
  for (const larger of units) {
    if (size < 1000) {
      break;
    }
    [size, unit] = [size / 1000, larger];
  }
  return `${unit === "bytes" ? size : size.toFixed(size < 10 ? 1 : 0)} ${unit}`;
}

/** How many of something. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
