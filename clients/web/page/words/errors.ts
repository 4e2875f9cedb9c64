/** What the user is told when something fails: what happened, what it means, what to do. One text per kind of error. */

import { MustWait } from "../../src/index.ts";
import { count, shownTime } from "../dom.ts";
import { OF_THE_VAULT } from "./of-the-vault.ts";
import { OF_THIS_DEVICE } from "./of-this-device.ts";
import type { Told } from "./told.ts";

const SHORT_WAIT_SECONDS = 90;

/** Say what a failure means. */
export function explain(error: unknown): Told {
  const known = [...OF_THE_VAULT, ...OF_THIS_DEVICE].find(({ kind }) => error instanceof kind);
  if (known === undefined) {
    const name = error instanceof Error ? error.name : "unknown";
    const said = `Nothing more was done. Load the page again; if it comes back, tell the product's support: ${name}.`;
    return { title: "Something went wrong that this page does not know", said };
  }
  return { title: known.title, said: [known.said, when(error)].filter(Boolean).join(" ") };
}

function when(error: unknown): string {
  const seconds = error instanceof MustWait ? error.retryAfterSeconds : undefined;
  if (seconds === undefined) {
    return "";
  }
  return seconds < SHORT_WAIT_SECONDS
    ? `Try again in ${count(Math.max(1, Math.ceil(seconds)), "second")}.`
    : `Try again after ${shownTime(Date.now() + seconds * 1000)}.`;
}
