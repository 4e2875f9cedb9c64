/**
 * The page that `strongroom ... --browser` opens: asks this browser for a passkey, for the command that runs on this
 * device. docs/browser-page.md has the contract, and the headers that this page is served with.
 */
import { answerAddress, askBrowser, BadLink, checkOf, type Handover, readHandover, sealAnswer } from "../src/handover.ts";
import { button, fill, h } from "./dom.ts";

const fragment = location.hash;
// Before anything else: the link holds a key, and is no use a second time.
history.replaceState(null, "", location.pathname);
const content = document.querySelector("main");

if (content !== null) {
  try {
    await show(content, readHandover(fragment));
  } catch (error) {
    if (!(error instanceof BadLink)) throw error;
    fill(
      content,
      h("h1", {}, "Nothing to do here"),
      h("p", {}, "The command ", h("code", {}, "strongroom"), " opens this page when it needs a passkey. Start it in a terminal."),
    );
  }
}

async function show(place: HTMLElement, handover: Handover): Promise<void> {
  const asks = handover.kind === "create" ? "make a passkey" : "use your passkey";
  fill(
    place,
    h("h1", {}, `May strongroom ${asks}?`),
    h("p", {}, "A program on this computer asks for it. Go on only if you have just started ", h("code", {}, "strongroom"), " and your terminal shows this code:"),
    h("p", {}, h("strong", { class: "code" }, await checkOf(handover))),
    h("p", {}, "If it shows another code, or you have started nothing, close this page: somebody else wants your passkey."),
    h(
      "p",
      {},
      button(handover.kind === "create" ? "Make a passkey" : "Use my passkey", () => answer(place, handover, askBrowser(handover, navigator.credentials)), "primary"),
      " ",
      button("Refuse", () => answer(place, handover, Promise.resolve({ v: 1, kind: "error", name: "AbortError" }))),
    ),
  );
}

/** Post the answer as a form, as a navigation of this tab; the command then says where this tab goes on. */
async function answer(place: HTMLElement, handover: Handover, made: Promise<object>): Promise<void> {
  for (const one of place.querySelectorAll("button")) one.disabled = true;
  const sealed = await sealAnswer(handover, await made);
  const form = h("form", { method: "post", action: answerAddress(handover), hidden: true }, h("input", { name: "sealed", value: sealed }));
  place.append(form);
  form.submit();
}
